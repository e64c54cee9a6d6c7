"""The two sides of a call, which come in messages of their own, as one stream: a sample of each in turn."""

from collections.abc import Iterable

MOST_LAG_S = 1.0
"""A side of which so much less has come is silent meanwhile; what comes of that later is too late."""


class Sides:
    """Two streams of samples of one byte, each in its place already."""

    def __init__(self, rate: int, silence: bytes) -> None:
        """`rate`: samples a second; `silence`: one sample of it."""
        self._silence = silence
        self._most_lag = int(MOST_LAG_S * rate)
        self._waiting = bytearray(), bytearray()
        self._missed = [0, 0]
        """Samples of each that were taken for silence."""

    def take(self, side: int, pieces: Iterable[bytes]) -> bytes:
        """More of one side; what there is of both now."""
        for piece in pieces:
            late = min(self._missed[side], len(piece))
            self._missed[side] -= late
            self._waiting[side].extend(piece[late:])
        return self._paired(self._most_lag)

    def flush(self) -> bytes:
        """What still waits: nothing more comes."""
        return self._paired(0)

    def _paired(self, most_lag: int) -> bytes:
        longest = max(map(len, self._waiting))
        for side, waiting in enumerate(self._waiting):
            lacks = longest - most_lag - len(waiting)
            if lacks > 0:
                waiting.extend(self._silence * lacks)
                self._missed[side] += lacks
        count = min(map(len, self._waiting))
        paired = bytearray(2 * count)
        for side, waiting in enumerate(self._waiting):
            paired[side::2] = waiting[:count]
            del waiting[:count]
        return bytes(paired)
