"""What audio looks like that was declared as G.711 and is not.

Any bytes are codes of either law. But every other code of G.711 is like the rest, which bytes of 16-bit samples are
not, and speech read by the law that was not meant is rougher. By 200 recordings of speech.
"""

import numpy as np

from transcription.core.containers import file_of, wave_header
from transcription.core.encodings import Encoding
from transcription.core.session.readings import SMOOTH, read, roughness

ENOUGH = 8_000
"""Samples that are not quiet: what is looked at."""
QUIET = 1e-5
"""Power (full scale 1.0) of a frame that is, in whichever encoding it is read: -50 dB."""
SAME_CODES, LAW_TIMES = 0.7, 1.6
"""How far every other code is like the rest: of G.711 0.95 and more, of 16-bit speech 0.5 at most; and how many times
rougher the one law is than the other that was meant."""
HEAD = 44
"""Bytes in which a file's signature is."""


class LawFormat:
    """Looks at a stream's beginning, and says once what it is if it is not the declared law."""

    def __init__(self, rate: int, encoding: Encoding) -> None:
        self._rate, self._encoding = rate, encoding
        self.is_file = False
        """Whether the stream is a compressed file, which holds no samples at all."""
        self._head = b""
        self._loud = bytearray()
        self._done = False

    def look(self, raw: bytes) -> str | None:
        """What the stream looks like, now that these bytes have come; `None` while nothing is wrong."""
        if self._done:
            return None
        if len(self._head) < HEAD:
            self._head += raw[: HEAD - len(self._head)]
            if found := self._begins():
                self._done = True
                return found
        if len(raw) > 1 and all(_is_loud(raw, encoding) for encoding in Encoding):
            self._loud += raw
        if len(self._loud) < ENOUGH:
            return None
        self._done = True
        return guess_law(bytes(self._loud), self._encoding)

    def _begins(self) -> str | None:
        if found := wave_header(self._head, self._rate, self._encoding):
            return found
        if found := file_of(self._head, is_whole=False):
            self.is_file = True
        return found


def guess_law(raw: bytes, declared: Encoding) -> str | None:
    """What bytes that are not quiet and were declared as G.711 are, if they are a sound only in another encoding."""
    rough = {encoding: roughness(read(raw, encoding)) for encoding in Encoding}
    if _likeness(raw) < SAME_CODES:
        likely = Encoding.PCM_S16LE
    else:
        likely = Encoding.ALAW if declared is Encoding.MULAW else Encoding.MULAW
        if rough[declared] <= LAW_TIMES * rough[likely]:
            return None
    return likely.described if rough[likely] < SMOOTH else None


def _likeness(raw: bytes) -> float:
    """How far every other byte has the values of the rest, by their upper four bits: 1 wholly, 0 not at all."""
    codes = np.frombuffer(raw[: len(raw) // 2 * 2], np.uint8) >> 4
    counts = [np.bincount(codes[first::2], minlength=16) for first in (0, 1)]
    return float(np.minimum(*counts).sum()) / (len(codes) // 2)


def _is_loud(raw: bytes, encoding: Encoding) -> bool:
    return bool(np.var(read(raw, encoding)) > QUIET * 32768.0**2)
