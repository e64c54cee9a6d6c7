"""The service as `manage.py stt` starts it: one command, for which it is everything on one machine."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import psutil

from harness.processes import ROOT, free_port

STARTS_WITHIN_S = 90.0
STOPS_WITHIN_S = 15.0


class Launched:
    """The launcher, running within `with`, on a free port and with a database of its own."""

    def __init__(
        self, directory: Path, environment: Mapping[str, str], *, checkout: Path = ROOT, **settings: str
    ) -> None:
        """`settings` go over port, host and database, as these do over the environment; `checkout`: whose code."""
        port = free_port()
        self.ws_url = f"ws://127.0.0.1:{port}/ws/stt"
        own = {"STT_HOST": "127.0.0.1", "STT_PORT": str(port), "DATABASE_URL": f"sqlite:///{directory}/db.sqlite3"}
        self.env = {**environment, **own, **settings}
        self._output = directory / "output"
        self._checkout = checkout

    def __enter__(self) -> Self:
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "stt"],
                cwd=self._checkout,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *exception: object) -> None:
        """Ctrl-C, and what does not end by it is killed."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            for process in self.children():
                process.kill()
            self.process.kill()
            self.process.wait()

    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text()

    def children(self) -> list[psutil.Process]:
        """The processes the launcher has started, and what those have."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def until(self, ready: Callable[[], object], patience_s: float = STARTS_WITHIN_S) -> None:
        """Poll until something holds. Raises `AssertionError` with its output when it has ended, or in the end."""
        deadline = time.monotonic() + patience_s
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self.output())
            time.sleep(0.1)

    def ended(self) -> int:
        """The exit code, of one that is to give up or stop by itself."""
        return self.process.wait(STARTS_WITHIN_S)
