"""The whole service as it is deployed: from the files and requirements of its images, between Debian's servers."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from harness.processes import Processes, free_port
from harness.waiting import until
from launcher.supervisor import Child
from tests.stack.images import Image
from tests.stack.servers import MISSING, Certificate, Nginx, Postgres, Redis
from transcription.cluster.capacity import read_cluster

SETTINGS = {
    "STT_ENGINE": "echo",
    "STT_ECHO_DECODE_MS": "40",
    "STT_DEVICE": "cpu",
    "STT_COMPUTE_TYPE": "int8",
    "STT_RESULT_TIMEOUT_S": "5",
    "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "10000",
}


class Deployment(Processes):
    """nginx, two web processes, two workers, PostgreSQL, Redis; each can be stopped and started."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.certificate = Certificate(directory / "tls")
        self.redis = Redis(self.certificate)
        self.postgres = Postgres(directory, self.certificate)
        self.nginx = Nginx(directory, self.certificate)
        self.image = {target: Image(target, directory) for target in ("web", "worker")}
        self.web_ports = [free_port(), free_port()]
        self._secret_key = secrets.token_hex(32)

    def start(self) -> None:
        """Everything, in the order docker-compose.yml has."""
        self.redis_child = self.redis.start(self)
        self.postgres.start(self)
        migrate = self.run_image("web", "migrate", "-v", "0")
        until(lambda: migrate.returncode == 0, "migrations")
        self.webs = [self.start_web(port) for port in self.web_ports]
        self.workers = [self.start_worker() for _ in range(2)]
        self.nginx.start(self, self.web_ports)

    def start_web(self, port: int) -> Child:
        """A web process that answers, with the compose file's command."""
        child = self.run_image("web", "web", "--proxy-headers", STT_HOST="127.0.0.1", STT_PORT=str(port))
        until(
            lambda: requests.get(f"http://127.0.0.1:{port}/health/live", timeout=2).ok, "the web process", child=child
        )
        return child

    def start_worker(self, **settings: str) -> Child:
        """A worker that is heard of."""
        count = len(self.live_workers())
        child = self.run_image("worker", "worker", **settings)
        until(lambda: len(self.live_workers()) > count, "the worker", child=child)
        return child

    def restart_redis(self) -> None:
        """As a crash does it: nothing is kept."""
        self.kill(self.redis_child)
        self.redis_child = self.redis.start(self)

    def run_image(self, target: str, *arguments: str, **settings: str) -> Child:
        """A command of an image, with what docker-compose.yml gives it and nothing of this machine's environment."""
        image = self.image[target]
        environment = {"PATH": f"{image.bin}:{os.defpath}", "STT_REDIS_URL": self.redis.url, "PYTHONUNBUFFERED": "1"}
        if target == "web":
            environment |= {"DATABASE_URL": self.postgres.url, "SECRET_KEY": self._secret_key}
        environment |= SETTINGS | settings | {"HOME": "/nonexistent", "PYTHONWARNINGS": "ignore:You're running"}
        command = ["env", "-C", str(image.app), *image.command(*arguments)]
        return self.run(arguments[0], command, environment)

    def live_workers(self) -> list[str]:
        """Those with a heartbeat."""
        with self.redis.client() as client:
            return [worker.worker_id for worker in read_cluster(client).workers]

    def metrics(self, port: int) -> str:
        """A web process's own."""
        return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """One for all tests: two environments are installed and ten processes started."""
    if MISSING:
        pytest.fail(f"apt-get install nginx postgresql redis-server prometheus openssl (missing: {', '.join(MISSING)})")
    directory = Path(tempfile.mkdtemp(prefix="stt-stack-"))  # not pytest's: PostgreSQL's user must reach it
    directory.chmod(0o755)
    try:
        with Deployment(directory) as deployed:
            deployed.start()
            yield deployed
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(autouse=True)
def _trusted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's certificate is one that clients believe."""
    if "deployment" in request.fixturenames:
        certificate = str(request.getfixturevalue("deployment").certificate.path)
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
