"""What one talker sent and got: the raw material of every figure."""

from dataclasses import dataclass, field

from benchmarks.schedule import Script
from harness.talker import Received


@dataclass(slots=True)
class Record:
    """One session, as seen by its client."""

    script: Script
    began_at: float = 0.0
    """When the session's audio began, `time.perf_counter` seconds: frame `i` is due at `began_at + (i + 1) * 20 ms`."""
    sent: int = 0
    """Samples sent."""
    lags_ms: list[float] = field(default_factory=list)
    """How late the harness was with each frame."""
    received: list[Received] = field(default_factory=list)
    failure: str | None = None
    """Why the connection broke, if it did."""

    @property
    def started(self) -> bool:
        """Whether the server let the session begin."""
        return self.has("session_started")

    @property
    def completed(self) -> bool:
        """Whether the session came to its proper end."""
        return any(
            received.message["type"] == "session_ended" and received.message["reason"] == "completed"
            for received in self.received
        )

    def has(self, kind: str) -> bool:
        """Whether a message of this type came in."""
        return any(received.message["type"] == kind for received in self.received)

    def due(self, position: int) -> float:
        """When the last sample before `position` was due to be sent, `time.perf_counter` seconds.

        The due time, not the time a send returned: when a server stops reading and the socket stalls, the talker
        has spoken all the same, and the wait is the server's.
        """
        return self.began_at + self.script.due_s(position)
