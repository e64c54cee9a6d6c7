"""The service itself, started for a run and stopped after it (`--launch`)."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import observe

STARTS_WITHIN_S = 600.0
STOPS_WITHIN_S = 15.0


NO_LIMITS = {
    "STT_MAX_SESSIONS": "1000",
    "STT_MAX_QUEUE_DEPTH": "100000",
    "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "1000000",
}
"""Admission out of the way: nobody is refused, nothing is shed."""


@contextmanager
def launched(checkout: Path, limits: dict[str, str]) -> Iterator[tuple[str, int]]:
    """`manage.py stt` of a checkout on a free port, with a database of its own: its WebSocket URL and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"ws://127.0.0.1:{port}/ws/stt"
    with tempfile.TemporaryDirectory(prefix="whisper-stt-bench-") as directory:
        own = {"STT_HOST": "127.0.0.1", "STT_PORT": str(port), "DATABASE_URL": f"sqlite:///{directory}/bench.sqlite3"}
        with (Path(directory) / "log").open("w+") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "stt"],
                cwd=checkout,
                env=os.environ | limits | own,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                deadline = time.monotonic() + STARTS_WITHIN_S
                while (observe.status(url) or {}).get("status") != "ready":
                    if process.poll() is not None or time.monotonic() > deadline:
                        log.seek(0)
                        raise SystemExit(f"The service did not start:\n{log.read()}")
                    time.sleep(0.2)
                yield url, process.pid
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(STOPS_WITHIN_S)
