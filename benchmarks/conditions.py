"""What lies between a speaker and the service: the same recordings, over a telephone, in a street, with frames lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from benchmarks.clips import FRAME, SAMPLE_RATE, Recording, recording
from benchmarks.sounds import traffic
from benchmarks.speech import WINDOW

Samples = NDArray[np.float64]
"""At 16 kHz; full scale is 32768."""

TELEPHONE_RATE = 8_000
TALKERS_OF_A_CROWD = 6
LOSSES_A_FRAME, FRAMES_A_LOSS = 0.01, 2.0
"""Of all frames 2 % are lost, two in a row on average."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a condition is made with."""

    pool: Sequence[Recording]
    """Speech, of which a crowd is made."""
    street: Sequence[Recording]
    """Recordings of streets; without any, traffic is made."""
    seed: int


@dataclass(frozen=True, slots=True)
class Condition:
    """One way to spoil speech."""

    name: str
    alter: Callable[[Recording, Surroundings, np.random.Generator], Samples]
    rate: int = SAMPLE_RATE
    """Samples a second on the wire."""

    def apply(self, around: Surroundings) -> list[Recording]:
        """Each recording of the pool, spoilt the same way each time."""
        spoilt = []
        for number, clean in enumerate(around.pool):
            samples = self.alter(clean, around, np.random.default_rng([around.seed, number]))
            spoilt.append(recording(clean.clip, np.clip(np.round(samples), -32768, 32767).astype(np.int16)))
        return spoilt


def _as_it_is(clean: Recording, _: Surroundings, __: np.random.Generator) -> Samples:
    return clean.pcm.astype(np.float64)


def _telephone(clean: Recording, _: Surroundings, __: np.random.Generator) -> Samples:
    """8 kHz, and A-law's steps: a sign, three bits of exponent, four of mantissa, of 13 (ITU-T G.711)."""
    narrow = soxr.resample(clean.pcm.astype(np.float64), SAMPLE_RATE, TELEPHONE_RATE) / 8
    step = 2.0 ** np.maximum(np.frexp(np.abs(narrow))[1] - 5, 1)
    coarse = np.sign(narrow) * (np.floor(np.abs(narrow) / step) + 0.5) * step
    return np.asarray(soxr.resample(np.clip(coarse, -4032, 4032) * 8, TELEPHONE_RATE, SAMPLE_RATE), dtype=np.float64)


def _mixed(decibels: float, noise: Callable[..., Samples]) -> Callable[..., Samples]:
    """So much louder than the noise is the speech, where there is any."""

    def alter(clean: Recording, around: Surroundings, random: np.random.Generator) -> Samples:
        speech, other = clean.pcm.astype(np.float64), noise(clean, around, random)
        active = np.repeat(clean.active, WINDOW)
        loud = np.mean(speech[: active.size][active] ** 2) if active.any() else np.mean(speech**2)
        return speech + other * np.sqrt(loud / np.mean(other**2) / 10 ** (decibels / 10))

    return alter


def _street(clean: Recording, around: Surroundings, random: np.random.Generator) -> Samples:
    if not around.street:
        return traffic(np.arange(clean.pcm.size) / SAMPLE_RATE, random)
    return _looped(around.street[int(random.integers(len(around.street)))].pcm, clean.pcm.size, random)


def _crowd(clean: Recording, around: Surroundings, random: np.random.Generator) -> Samples:
    """Others of the pool at once, all as loud."""
    others = [other for other in around.pool if other.clip.speaker != clean.clip.speaker] or list(around.pool)
    talkers = [others[which].pcm for which in random.integers(len(others), size=TALKERS_OF_A_CROWD)]
    voices = [_looped(pcm, clean.pcm.size, random) for pcm in talkers]
    return np.sum([voice / np.sqrt(np.mean(voice**2) + 1) for voice in voices], axis=0)


def _looped(pcm: NDArray[np.int16], samples: int, random: np.random.Generator) -> Samples:
    start = random.integers(pcm.size)
    return np.take(pcm, np.arange(start, start + samples), mode="wrap").astype(np.float64)


def _frames_lost(clean: Recording, _: Surroundings, random: np.random.Generator) -> Samples:
    """The rest closes up, as where a client sends on what it got."""
    kept, lost = [], False
    for frame in clean.pcm.reshape(-1, FRAME):
        lost = random.random() < (1 - 1 / FRAMES_A_LOSS if lost else LOSSES_A_FRAME)
        if not lost:
            kept.append(frame)
    return np.concatenate(kept).astype(np.float64) if kept else clean.pcm.astype(np.float64)


def _levelled(decibels: float) -> Callable[..., Samples]:
    """Speech so far below full scale (root mean square)."""

    def alter(clean: Recording, _: Surroundings, __: np.random.Generator) -> Samples:
        speech = clean.pcm.astype(np.float64)
        active = np.repeat(clean.active, WINDOW)
        loud = np.mean(speech[: active.size][active] ** 2) if active.any() else np.mean(speech**2) + 1
        return speech * 32768 * 10 ** (decibels / 20) / np.sqrt(loud)

    return alter


def _offset(clean: Recording, _: Surroundings, __: np.random.Generator) -> Samples:
    return clean.pcm + 0.1 * 32768


CONDITIONS = {
    condition.name: condition
    for condition in (
        Condition("clean", _as_it_is),
        Condition("phone", _telephone, TELEPHONE_RATE),
        Condition("street10", _mixed(10, _street)),
        Condition("street5", _mixed(5, _street)),
        Condition("crowd10", _mixed(10, _crowd)),
        Condition("crowd5", _mixed(5, _crowd)),
        Condition("loss2", _frames_lost),
        Condition("quiet", _levelled(-50)),
        Condition("loud", _levelled(-3)),
        Condition("offset", _offset),
    )
}
"""By name. `quiet` is at -50 dB, `loud` is clipped, `offset` has a tenth of full scale added."""
