"""What lies behind the part of a window that is encoded: the encoding of padding, made once.

Encoding costs what it is given, and a decoder was trained on the encodings of 30 s: given those of 10 alone it says the
finished sentence again, or loses words. What an encoder makes of the padding behind speech hardly depends on what was
said (cosine of 0.997 between five sentences; `base`). So it is made once, behind something like a voice, and put behind
what is encoded of a window that is longer than its audio needs. docs/quality.md has what that gains.
"""

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from transcription.core.config import SAMPLE_RATE

POSITIONS_PER_SECOND = 50
VOICE_S, SYLLABLE_S = 3.0, 0.2
PITCH_HZ = 150.0
VOWELS_HZ = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))
"""Formants of a, e, i, o, u (Peterson & Barney 1952, men)."""
BANDWIDTH_HZ = 100.0
LOUD = 0.3


class Remainder:
    """The encoding of what follows a voice, up to the end of a window."""

    def __init__(self, encoded: ctranslate2.StorageView) -> None:
        """`encoded` is `voice()` as a whole window, shape (1, positions, width), on the CPU."""
        self._encoded = np.array(encoded)

    def behind(self, encoded: ctranslate2.StorageView, window_s: int) -> ctranslate2.StorageView:
        """The encodings of a batch, which may be shorter, as long as a window of so many seconds."""
        rows, positions, _ = encoded.shape
        if positions >= window_s * POSITIONS_PER_SECOND:
            return encoded
        rest = self._encoded[:, positions : window_s * POSITIONS_PER_SECOND]
        whole = np.concatenate([np.array(encoded), np.repeat(rest, rows, axis=0)], axis=1)
        return ctranslate2.StorageView.from_array(whole)


def voice() -> NDArray[np.float32]:
    """Syllables that say nothing: samples at 16 kHz, -1 to 1. Behind silence a model thinks that nobody speaks."""
    seconds = np.arange(int(VOICE_S * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = PITCH_HZ * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * seconds))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    syllable = (seconds / SYLLABLE_S).astype(int)
    formants = np.array(VOWELS_HZ)[syllable % len(VOWELS_HZ)]
    said = np.zeros_like(seconds)
    for harmonic in range(1, int(SAMPLE_RATE / 2 / pitch.max())):
        from_formants = (harmonic * pitch[:, None] - formants) / BANDWIDTH_HZ
        said += np.sin(harmonic * phase) * (1 / (1 + from_formants**2) / formants).sum(axis=1)
    said *= np.sqrt(np.sin(np.pi * (seconds / SYLLABLE_S % 1)))
    samples: NDArray[np.float32] = (LOUD * said / np.abs(said).max()).astype(np.float32)
    return samples
