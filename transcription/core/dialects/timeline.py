"""Audio put in its place by what its chunks say of themselves: a number, and a time from the start of the stream.

Chunks that come one after the other are taken as they are. One that comes early waits for those before it, for a few
chunks; what has not come by then is silence, and what comes later still is dropped. So a sample's place in the audio
is its time, whatever was lost or came out of order.
"""

from collections.abc import Iterator
from dataclasses import dataclass

FIRST = 1
"""The number of the first chunk; some count from 0."""
HOLD = 5
"""So many chunks wait for one that is missing: 100 ms, where a chunk is 20."""
NOTICED_MS = 10
"""A time that is less ahead is no gap: they are rounded."""
PAUSE_MS = 60
"""Where the numbers say that nothing is missing, a time that is so far ahead is a pause."""
MOST_SILENCE_S = 30
"""A gap longer than that is none: the times begin anew."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of audio."""

    number: int | None
    """Its place among the chunks; `None`: it does not say."""
    at_ms: int | None
    """Its time; `None`: it does not say."""
    data: bytes


class Timeline:
    """One stream's, of samples of one byte."""

    def __init__(self, rate: int, silence: bytes) -> None:
        """`rate`: samples a second; `silence`: one sample of it."""
        self._rate, self._silence = rate, silence
        self._position = 0
        """Samples given out."""
        self._base = 0
        """Where in the audio the times begin (samples)."""
        self._last: int | None = None
        """The number, or the time, of the last chunk given out."""
        self._held: dict[int, Chunk] = {}
        self.jumped = False
        """Whether the times have once begun anew."""

    def take(self, chunk: Chunk) -> list[bytes]:
        """What of the audio is settled now, silence included."""
        order = self._order(chunk)
        if self._last is not None and order <= self._last:
            return []  # a duplicate, or too late
        self._held[order] = chunk
        return list(self._settled(HOLD))

    def flush(self) -> list[bytes]:
        """What still waits: nothing more comes."""
        return list(self._settled(0))

    def _order(self, chunk: Chunk) -> int:
        if chunk.number is not None:
            return chunk.number
        if chunk.at_ms is not None:
            return chunk.at_ms
        return 0 if self._last is None else self._last + 1

    def _settled(self, hold: int) -> Iterator[bytes]:
        while self._held:
            order = min(self._held)
            chunk = self._held[order]
            ahead = self._ahead(chunk)
            follows = chunk.number is not None and order <= (FIRST if self._last is None else self._last + 1)
            if not follows and ahead >= self._samples(NOTICED_MS) and len(self._held) <= hold:
                return
            del self._held[order]
            self._last = order
            if ahead >= self._samples(PAUSE_MS if follows and self._position else NOTICED_MS):
                yield from self._pause(ahead)
            self._position += len(chunk.data)
            yield chunk.data

    def _ahead(self, chunk: Chunk) -> int:
        """How many samples lie between what was given out and the chunk."""
        if chunk.at_ms is None:
            return 0
        return self._base + self._samples(chunk.at_ms) - self._position

    def _pause(self, samples: int) -> Iterator[bytes]:
        if samples > MOST_SILENCE_S * self._rate:
            self._base -= samples
            self.jumped = True
            return
        self._position += samples
        yield self._silence * samples

    def _samples(self, ms: int) -> int:
        return ms * self._rate // 1000
