"""How fast audio may go out, so that the service loses none of it. No I/O.

The service reads at its own pace but holds only so much audio that is on its way to its store (`STT_MAX_BUFFER_MS`),
and drops what comes on top; and each utterance it has not transcribed yet waits in a queue. So audio that exists
already goes out at `speed` times real time at most, and no faster than real time while `MAX_UNANSWERED` utterances
wait for their finals. Audio as it is spoken is never held back.
"""

MAX_UNANSWERED = 4
DEFAULT_SPEED = 20.0
MIN_SPEED = 2.0


class Pacer:
    """The schedule of one connection."""

    def __init__(self, speed: float = DEFAULT_SPEED) -> None:
        """`speed` is the most times real time."""
        self.speed = speed
        self._began = 0.0
        self._sent_s = 0.0
        self._next_at = 0.0

    def begin(self, now: float) -> None:
        """A connection starts."""
        self._began = self._next_at = now
        self._sent_s = 0.0

    def slow_down(self) -> None:
        """The service dropped audio: it cannot take as much."""
        self.speed = max(self.speed / 2, min(self.speed, MIN_SPEED))

    def delay(self, now: float, unanswered: int) -> float:
        """Seconds to wait before the next part is sent; ask again after them."""
        due = self._next_at
        if unanswered >= MAX_UNANSWERED:
            due = max(due, self._began + self._sent_s)
        return due - now

    def sent(self, seconds: float, now: float) -> None:
        """So much audio went out. Time that was lost is made up for, but not in a burst of more than a second."""
        self._sent_s += seconds
        self._next_at = max(self._next_at, now - 1.0) + seconds / self.speed
