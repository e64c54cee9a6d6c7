"""The whole service as it is deployed: from the files and requirements of its images, between Debian's servers."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sttproject.supervisor import Child, stop
from tests.stack.images import Image
from tests.stack.servers import MISSING, Certificate, Nginx, Postgres, Redis
from tests.system.stack import free_port, until
from transcription.capacity import read_cluster

SETTINGS = {
    "STT_ENGINE": "echo",
    "STT_ECHO_DECODE_MS": "40",
    "STT_DEVICE": "cpu",
    "STT_COMPUTE_TYPE": "int8",
    "STT_RESULT_TIMEOUT_S": "5",
    "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "10000",
}


class Deployment:
    """nginx, two web processes, two workers, PostgreSQL, Redis; each can be stopped and started."""

    def __init__(self, directory: Path) -> None:
        self.children: list[Child] = []
        self.certificate = Certificate(directory / "tls")
        self.redis = Redis(self.certificate)
        self.postgres = Postgres(directory, self.certificate)
        self.nginx = Nginx(directory, self.certificate)
        self.image = {target: Image(target, directory) for target in ("web", "worker")}
        self.web_ports = [free_port(), free_port()]
        self._secret_key = secrets.token_hex(32)

    def start(self) -> None:
        """Everything, in the order docker-compose.yml has."""
        self.redis_child = self.keep(self.redis.start())
        self.keep(self.postgres.start())
        migrate = self.run("web", "migrate", "-v", "0")
        until(lambda: migrate.returncode == 0, "migrations")
        self.webs = [self.start_web(port) for port in self.web_ports]
        self.workers = [self.start_worker() for _ in range(2)]
        self.keep(self.nginx.start(self.web_ports))

    def start_web(self, port: int) -> Child:
        """A web process that answers, with the compose file's command."""
        child = self.run("web", "web", "--proxy-headers", STT_HOST="127.0.0.1", STT_PORT=str(port))
        until(lambda: requests.get(f"http://127.0.0.1:{port}/health/live", timeout=2).ok, "the web process")
        return child

    def start_worker(self, **settings: str) -> Child:
        """A worker that is heard of."""
        count = len(self.live_workers())
        child = self.run("worker", "worker", **settings)
        until(lambda: len(self.live_workers()) > count, "the worker")
        return child

    def restart_redis(self) -> None:
        """As a crash does it: nothing is kept."""
        self.redis_child.signal(9)
        self.redis_child.wait(5)
        self.redis_child = self.keep(self.redis.start())

    def run(self, target: str, *arguments: str, **settings: str) -> Child:
        """A command of an image, with what docker-compose.yml gives it and nothing of this machine's environment."""
        image = self.image[target]
        environment = {"PATH": f"{image.bin}:{os.defpath}", "STT_REDIS_URL": self.redis.url, "PYTHONUNBUFFERED": "1"}
        if target == "web":
            environment |= {"DATABASE_URL": self.postgres.url, "SECRET_KEY": self._secret_key}
        environment |= SETTINGS | settings | {"HOME": "/nonexistent", "PYTHONWARNINGS": "ignore:You're running"}
        command = ["env", "-C", str(image.app), *image.command(*arguments)]
        return self.keep(Child(arguments[0], command, environment))

    def live_workers(self) -> list[str]:
        """Those with a heartbeat."""
        with self.redis.client() as client:
            return [worker.worker_id for worker in read_cluster(client).workers]

    def metrics(self, port: int) -> str:
        """A web process's own."""
        return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text

    def close(self) -> None:
        """Stop everything."""
        stop(reversed(self.children), 8.0)

    def keep(self, child: Child) -> Child:
        """Have it stopped in the end."""
        self.children.append(child)
        return child


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """One for all tests: two environments are installed and ten processes started."""
    if MISSING:
        pytest.fail(f"apt-get install nginx postgresql redis-server prometheus openssl (missing: {', '.join(MISSING)})")
    directory = Path(tempfile.mkdtemp(prefix="stt-stack-"))  # not pytest's: PostgreSQL's user must reach it
    directory.chmod(0o755)
    deployed = Deployment(directory)
    try:
        deployed.start()
        yield deployed
    finally:
        deployed.close()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(autouse=True)
def _trusted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's certificate is one that clients believe."""
    if "deployment" in request.fixturenames:
        certificate = str(request.getfixturevalue("deployment").certificate.path)
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
