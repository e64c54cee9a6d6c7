"""Speech that is not the caller's: a television in the room of one who is silent, the agent's own voice coming back.

Somebody does speak, so a text is no invention, and nothing in the audio says that it is not for the agent.
"""

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray

from benchmarks.clips import SAMPLE_RATE, Recording, made

Wave = NDArray[np.float64]
"""Full scale is 1."""

SPOKEN_DB = -23.0
"""Root mean square of who speaks into the telephone, of full scale."""
LINE_DB = -72.0
"""Of the line's noise."""
REVERBERATION_S = 0.6
"""A living room's: until a sound is 60 dB quieter."""
ROOM_S = 0.002
"""After which the first echo comes; what comes straight is as loud as all echoes together some steps away."""
DELAY_S = 0.15
"""Of an echo over a mobile network."""
TELEVISION_DB, ECHO_DB = (20, 30, 40), (20, 30, 40)
"""How far below who speaks: the next room or the other end of a hall, a canceller that takes little or much."""
LASTS_S = 25.0


def behind(speech: Sequence[Recording]) -> list[Recording]:
    """Some recordings, one after the other, behind and quieter: from a television and as an echo."""
    said = np.concatenate([recording.pcm for recording in speech]).astype(np.float64)
    voice = said[: round(LASTS_S * SAMPLE_RATE)]
    random = np.random.default_rng(0)
    ways = [
        *((f"television, {decibels} dB below", _in_a_room(voice, random), decibels) for decibels in TELEVISION_DB),
        *((f"echo, {decibels} dB below", _come_back(voice), decibels) for decibels in ECHO_DB),
    ]
    return [made(f"behind/{name}", _mixed(wave, decibels, random), kind="behind") for name, wave, decibels in ways]


def _in_a_room(voice: Wave, random: np.random.Generator) -> Wave:
    """As heard some metres away: half of it straight, half from the walls."""
    t = np.arange(round(REVERBERATION_S * SAMPLE_RATE)) / SAMPLE_RATE
    walls = random.normal(size=t.size) * 10 ** (-3 * t / REVERBERATION_S) * (t > ROOM_S)
    walls[0] = np.sqrt(np.sum(walls**2))
    size = voice.size + walls.size
    return np.fft.irfft(np.fft.rfft(voice, size) * np.fft.rfft(walls, size), size)[: voice.size]


def _come_back(voice: Wave) -> Wave:
    """Over a telephone line, later."""
    narrow = soxr.resample(soxr.resample(voice, SAMPLE_RATE, SAMPLE_RATE // 2), SAMPLE_RATE // 2, SAMPLE_RATE)
    return np.concatenate([np.zeros(round(DELAY_S * SAMPLE_RATE)), narrow])


def _mixed(wave: Wave, decibels: float, random: np.random.Generator) -> NDArray[np.int16]:
    """A wave so far below who speaks into the telephone, with the line's noise."""
    level = 10 ** ((SPOKEN_DB - decibels) / 20) / np.sqrt(np.mean(wave**2))
    noise = random.normal(size=wave.size) * 10 ** (LINE_DB / 20)
    return (np.clip(wave * level + noise, -1, 1) * 32767).astype(np.int16)
