"""The service itself, started for a run and stopped after it (`--launch`)."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import observe
from harness.launched import Launched

STARTS_WITHIN_S = 600.0

NO_LIMITS = {
    "STT_MAX_SESSIONS": "1000",
    "STT_MAX_QUEUE_DEPTH": "100000",
    "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "1000000",
}
"""Admission out of the way: nobody is refused, nothing is shed."""


@contextmanager
def launched(checkout: Path, limits: dict[str, str]) -> Iterator[tuple[str, int]]:
    """`manage.py stt` of a checkout, ready: its WebSocket URL and process id. `limits` go over the environment."""
    with (
        tempfile.TemporaryDirectory(prefix="whisper-stt-bench-") as directory,
        Launched(Path(directory), os.environ | limits, checkout=checkout) as service,
    ):
        try:
            service.until(lambda: (observe.status(service.ws_url) or {}).get("status") == "ready", STARTS_WITHIN_S)
        except AssertionError as printed:
            raise SystemExit(f"The service did not start:\n{printed}") from None
        yield service.ws_url, service.process.pid
