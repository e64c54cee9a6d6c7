"""What audio looks like that is not what a session takes: 16-bit little-endian mono PCM.

Nothing in the bytes of PCM says what they are, so a client that sends something else gets silence or invented words.
What containers and text look like is in `containers`, what other samples look like in `readings`.
"""

import numpy as np

from transcription.core.audio import BYTES_PER_SAMPLE, pcm_samples
from transcription.core.containers import WAVE_HEADER, file_of, text_of, wave_header
from transcription.core.encodings import Encoding
from transcription.core.session.laws import LawFormat
from transcription.core.session.readings import guess

ENOUGH = 8_000
"""Samples that are not quiet: what is looked at, or half a second if that is more."""
BLOCK = 480
"""Bytes that are quiet or not: of fewer some would be quiet in the midst of sound; whole samples of any size. The
first ones that are not do not count: there may be a WAV header in them, or a click."""
QUIET = 1e-5
"""Power (full scale 1.0) about its mean of a block that is, -50 dB: silence in G.711 is a constant, and not zero."""
HEAD = 8_192
"""Bytes in which a file without a signature shows itself by its frames: five of them at 320 kbit/s."""


def format_of(rate: int, encoding: Encoding) -> "Format | LawFormat":
    """Who looks at a stream that was declared so."""
    return Format(rate) if encoding is Encoding.PCM_S16LE else LawFormat(rate, encoding)


class Format:
    """Looks at a stream's beginning, and says once what it is if it is not PCM as a session takes it."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.is_file = False
        """Whether the stream is a compressed file or text, which holds no samples at all."""
        self._head = b""
        self._tail = b""
        self._rest = b""
        self._loud = bytearray()
        self._done = False

    def look(self, pcm: bytes) -> str | None:
        """What the stream looks like, now that these samples have come; `None` while nothing is wrong."""
        if self._done:
            return None
        found = self._begins(pcm)
        if found is None:
            self._loud += self._not_quiet(pcm)
            if pcm_samples(self._loud) < max(ENOUGH, self._rate // 2):
                return None
            found = self._is_text() or guess(bytes(self._loud[BLOCK:]))
        self._done = True
        self._loud.clear()
        return found

    def _begins(self, pcm: bytes) -> str | None:
        """What begins here, after silence too: a WAV file of another form, or any other file."""
        seen = self._tail + pcm
        self._tail = seen[-WAVE_HEADER:]
        if wave := wave_header(seen, self._rate):
            return wave
        if len(self._head) >= HEAD or not (self._head or pcm.count(0) < len(pcm)):
            return None
        self._head += pcm[: HEAD - len(self._head)]
        found = file_of(self._head, len(self._head) >= HEAD)
        self.is_file = found is not None
        return found

    def _not_quiet(self, pcm: bytes) -> bytes:
        """The blocks that are not, of what has come."""
        whole = self._rest + pcm
        end = len(whole) // BLOCK * BLOCK
        self._rest = whole[end:]
        blocks = np.frombuffer(whole[:end], dtype="<i2").reshape(-1, BLOCK // BYTES_PER_SAMPLE)
        return bytes(blocks[np.var(blocks, axis=1) > QUIET * 32768.0**2].tobytes())

    def _is_text(self) -> str | None:
        found = text_of(bytes(self._loud[: ENOUGH * BYTES_PER_SAMPLE]))
        self.is_file = found is not None
        return found
