"""G.711, the telephone's encoding: a byte a sample, of a sign, an exponent and four bits of mantissa (ITU-T G.711)."""

import numpy as np
from numpy.typing import NDArray

from transcription.core.encodings import Encoding

Table = NDArray[np.int16]
"""The sample of each of the 256 codes, on the 16-bit scale."""


def to_pcm(encoded: bytes, encoding: Encoding) -> bytes:
    """Whole samples in any encoding as 16-bit little-endian PCM."""
    if encoding is Encoding.PCM_S16LE:
        return encoded
    return TABLES[encoding][np.frombuffer(encoded, np.uint8)].tobytes()


def _mu_law() -> Table:
    """14-bit samples, all bits of the code inverted; 33 was added before the mantissa was cut off."""
    code = ~np.arange(256, dtype=np.uint8)
    mantissa, exponent = (code & 0x0F).astype(np.int32), (code >> 4 & 7).astype(np.int32)
    size = ((2 * mantissa + 33 << exponent) - 33) << 2
    return np.where(code & 0x80, -size, size).astype("<i2")


def _a_law() -> Table:
    """13-bit samples, every other bit of the code inverted; the first two exponents have the same step."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    mantissa, exponent = (code & 0x0F).astype(np.int32), (code >> 4 & 7).astype(np.int32)
    size = (2 * mantissa + 1 + 32 * (exponent > 0) << np.maximum(exponent - 1, 0)) << 3
    return np.where(code & 0x80, size, -size).astype("<i2")


TABLES = {Encoding.MULAW: _mu_law(), Encoding.ALAW: _a_law()}
