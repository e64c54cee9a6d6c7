"""What a worker has done, as its heartbeat tells it."""

import threading

import msgspec

from transcription.core.contract.heartbeat import Tally


class Tallied:
    """A tally that is added to; safe to use from any thread."""

    def __init__(self) -> None:
        self.now = Tally()
        self._lock = threading.Lock()

    def add(self, **more: float) -> None:
        """Add to fields of `Tally`, by name."""
        with self._lock:
            sums = {name: getattr(self.now, name) + value for name, value in more.items()}
            self.now = msgspec.structs.replace(self.now, **sums)
