"""How fast audio may go out, so that the service loses none of it.

The service reads at its own pace but holds only so much audio that is on its way to its store (`STT_MAX_BUFFER_MS`),
and drops what comes on top; and each utterance it has not transcribed yet waits in a queue. So audio that exists
already goes out at `speed` times real time at most, and no faster than real time while `MAX_UNANSWERED` utterances
wait for their finals. Audio as it is spoken is never held back.
"""

MAX_UNANSWERED = 4
"""Utterances sent ahead, at most: what waits in the service's queue makes others' finals wait, too."""
DEFAULT_SPEED = 20.0
"""Of audio that exists already: a second takes 50 ms to send. Beyond that the service drops what it cannot store."""
MIN_SPEED = 2.0
"""What congestion may slow a client down to: at real time, it would never make up for what it has to send again."""


class Pacer:
    """The schedule of one connection."""

    def __init__(self, speed: float = DEFAULT_SPEED) -> None:
        """`speed` is the most times real time."""
        self.speed = speed
        self._next_at = 0.0
        self._spoken_at = 0.0
        """When the next part would be spoken."""

    def begin(self, now: float) -> None:
        """A connection starts."""
        self._next_at = self._spoken_at = now

    def slow_down(self) -> None:
        """The service dropped audio: it cannot take as much."""
        self.speed = max(self.speed / 2, min(self.speed, MIN_SPEED))

    def delay(self, now: float, unanswered: int) -> float:
        """Seconds to wait before the next part is sent; ask again after them."""
        due = max(self._next_at, self._spoken_at) if unanswered >= MAX_UNANSWERED else self._next_at
        return due - now

    def sent(self, seconds: float, now: float) -> None:
        """So much audio went out. Time that was lost is made up for, but not in a burst of more than a second."""
        self._next_at = max(self._next_at, now - 1.0) + seconds / self.speed
        self._spoken_at = max(self._spoken_at, now - 1.0) + seconds
