"""Counts starts that were refused, for `Usage`. A flood of them is one record at a time."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from transcription.audit.records import Record
from transcription.models import Refusal


class Refusals:
    """Those of a web process that are not written yet."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        """By key, language, dialect, code."""
        self._lock = threading.Lock()

    def count(self, submit: Callable[[Record], None], key: str, language: str, dialect: str, code: str) -> None:
        """One more; never waits. `submit` takes the record of those since the last, unless one waits already."""
        with self._lock:
            waiting = bool(self._counts)
            self._counts[key, language, dialect, code] += 1
        if not waiting:
            submit(Record(self._write, instead=self._counts.clear, vital=True))

    def _write(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        try:
            Refusal.objects.bulk_create(
                Refusal(
                    at=datetime.now(UTC), api_key_name=key, language=language, dialect=dialect, code=code, count=count
                )
                for (key, language, dialect, code), count in counts.items()
            )
        except Exception:
            with self._lock:
                self._counts += counts
            raise


REFUSALS = Refusals()
"""The process's."""
