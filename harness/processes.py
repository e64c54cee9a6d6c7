"""Child processes that end together; until then each can be killed, frozen and started again."""

import os
import random
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from launcher.supervisor import Child, stop

ROOT = Path(__file__).parent.parent
STOP_WITHIN_S = 8.0


_PORTS = iter(random.SystemRandom().sample(range(10_000, 32_000), 4_000))
"""Below those that the kernel gives to outgoing connections: none takes a port between drawing and listening."""


def free_port() -> int:
    """A port nobody listens on, given once in this process."""
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("all ports have been given")


def bare_environment() -> dict[str, str]:
    """This process's environment without what configures the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("STT_", "DATABASE"))}


class Processes:
    """Some processes; `with` stops those that are left."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.killed: set[Child] = set()
        """Those that `kill` and `terminate` have met."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        stop(reversed(self.children), STOP_WITHIN_S)

    def run(self, name: str, argv: Sequence[str], env: Mapping[str, str], stdin: str = "") -> Child:
        """Start a process that is stopped in the end."""
        return self.keep(Child(name, argv, env, stdin))

    def keep(self, child: Child) -> Child:
        """Have one that was started elsewhere stopped in the end."""
        self.children.append(child)
        return child

    def running(self, name: str) -> list[Child]:
        """The live processes of a name."""
        return [child for child in self.children if child.name == name and child.returncode is None]

    def again(self, child: Child) -> Child:
        """Start a process that has ended once more, in its place: the same program, arguments and environment."""
        place = self.children.index(child)
        self.children[place] = child.again()
        return self.children[place]

    def kill(self, child: Child) -> None:
        """SIGKILL, and wait until it is gone."""
        self.killed.add(child)
        child.signal(signal.SIGKILL)
        child.wait(5)

    def terminate(self, child: Child) -> None:
        """SIGTERM, as a deploy does, without waiting: it may take its time."""
        self.killed.add(child)
        child.signal(signal.SIGTERM)

    @contextmanager
    def frozen(self, child: Child) -> Iterator[None]:
        """SIGSTOP within the context: the process keeps its sockets and does nothing."""
        child.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            child.signal(signal.SIGCONT)
