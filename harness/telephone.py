"""Audio as a telephone line carries it: G.711, a byte a sample, at 8 kHz."""

import numpy as np
import soxr
from numpy.typing import NDArray

from harness.audio import SAMPLE_RATE

RATE = 8_000


def narrow(pcm: bytes) -> NDArray[np.int16]:
    """16 kHz PCM as the line's samples."""
    return soxr.resample(np.frombuffer(pcm, "<i2"), SAMPLE_RATE, RATE)


def mulaw(samples: NDArray[np.int16]) -> bytes:
    """As ITU-T G.711 writes samples of 14 bits: all bits inverted."""
    size = np.minimum(np.abs(samples.astype(np.int32)) >> 2, 8158) + 33
    exponent = np.frexp(size)[1] - 6
    code = (samples < 0) * 0x80 | exponent << 4 | (size >> exponent + 1) & 0x0F
    return (~code & 0xFF).astype(np.uint8).tobytes()


def alaw(samples: NDArray[np.int16]) -> bytes:
    """As ITU-T G.711 writes samples of 13 bits: every other bit inverted."""
    signed = samples.astype(np.int32) >> 3  # towards minus infinity: there is no zero
    size = np.where(signed < 0, ~signed, signed)
    exponent = np.maximum(np.frexp(size)[1] - 5, 0)
    code = (samples >= 0) * 0x80 | exponent << 4 | (size >> np.maximum(exponent, 1)) & 0x0F
    return (code ^ 0x55).astype(np.uint8).tobytes()
