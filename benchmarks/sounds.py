"""Sounds in which nobody speaks, made: what a telephone line carries besides speech. int16, 16 kHz, always the same."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SAMPLE_RATE

Wave = NDArray[np.float64]
"""Full scale is 1."""

SECONDS = 12.0
LOUD, QUIET = 0.1, 0.01
"""Root mean square: -20 and -40 dB of full scale."""


def sounds(seed: int = 0) -> dict[str, NDArray[np.int16]]:
    """Each sound by its name, shape `(samples,)`; with another seed each is another of its kind."""
    made = {}
    for number, (name, (make, level)) in enumerate(_SOUNDS.items()):
        random = np.random.default_rng([number, seed] if seed else number)
        wave = make(np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE, random)
        wave *= level / np.sqrt(np.mean(wave**2))
        made[name] = (np.clip(wave, -1, 1) * 32767).astype(np.int16)
    return made


def traffic(t: Wave, random: np.random.Generator) -> Wave:
    """A street: rumble that swells as cars pass."""
    swell = 1 + 0.8 * np.sin(2 * np.pi * t / 5 + random.uniform(0, 6)) * np.sin(2 * np.pi * t / 3.3)
    return _band(random.normal(size=t.size), 40, 1_500) * swell


def _tone(t: Wave, *hertz: float) -> Wave:
    return np.sum([np.sin(2 * np.pi * each * t) for each in hertz], axis=0)


def _every(t: Wave, period_s: float, on_s: float, after_s: float = 0.0) -> Wave:
    """1 for `on_s` of every period, else 0."""
    return ((t - after_s) % period_s < on_s).astype(np.float64)


def _band(wave: Wave, low: float, high: float) -> Wave:
    """Of a wave what lies between two frequencies, Hz."""
    spectrum = np.fft.rfft(wave)
    hertz = np.fft.rfftfreq(wave.size, 1 / SAMPLE_RATE)
    return np.fft.irfft(spectrum * ((hertz >= low) & (hertz <= high)), wave.size)


def _bursts(t: Wave, random: np.random.Generator, a_second: float, lasts_s: float) -> Wave:
    """How loud it is of sudden sounds, at random, that die away in `lasts_s`."""
    level = np.zeros_like(t)
    for start in np.sort(random.uniform(0, t[-1], round(a_second * t[-1]))):
        level += (t >= start) * random.uniform(0.3, 1) * np.exp(-np.maximum(t - start, 0) / lasts_s * 5)
    return level


def _dtmf(t: Wave, random: np.random.Generator) -> Wave:
    """A digit of 0.1 s every 0.25 s."""
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    wave = np.zeros_like(t)
    for start in np.arange(0.5, t[-1], 0.25):
        here = (t >= start) & (t < start + 0.1)
        wave[here] = _tone(t[here], random.choice(rows), random.choice(columns))
    return wave


def _breathing(t: Wave, random: np.random.Generator) -> Wave:
    """In and out, every four seconds, into the microphone."""
    breath = np.maximum(np.sin(2 * np.pi * t / 2), 0) ** 2
    return _band(random.normal(size=t.size), 200, 2_500) * breath


def _cough(t: Wave, random: np.random.Generator) -> Wave:
    """Two in a row, every three seconds."""
    level = sum(np.exp(-((t - start) % 3) * 12) for start in (0.0, 0.4))
    return _band(random.normal(size=t.size), 150, 3_000) * level


def _voice(pitch: Wave, overtones: int = 12) -> Wave:
    """An "a" of some pitch (Hz, a value a sample)."""
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    return np.sum([_vowel(n * pitch) * np.sin(n * phase) for n in range(1, overtones)], axis=0)


def _laughter(t: Wave, random: np.random.Generator) -> Wave:
    """A bout of "ha" every three seconds: calls of 0.1 s, 4.5 a second, of falling pitch.

    As in Bachorowski, Smoski and Owren (2001), The acoustic features of human laughter, JASA 110.
    """
    bout = t % 3
    call = bout * 4.5 % 1
    voice = _voice(random.uniform(250, 350) * (1.15 - 0.3 * call) * (1 - 0.1 * bout))
    breath = 0.3 * _band(random.normal(size=t.size), 500, 4_000)
    return np.where(bout < 1.5, voice * np.maximum(np.sin(2 * np.pi * call), 0) + breath * call, 0)


def _crying(t: Wave, random: np.random.Generator) -> Wave:
    """An infant: a cry of 0.9 s and a breath, at 350 to 550 Hz (LaGasse, Neal and Lester, 2005)."""
    pitch = random.uniform(380, 500) * (1 + 0.1 * np.sin(2 * np.pi * t / 1.2))
    return _voice(pitch) * _every(t, 1.2, 0.9)


def _barking(t: Wave, random: np.random.Generator) -> Wave:
    """Barks of 0.2 s, of falling pitch, at least half a second apart (as in Yin, 2002)."""
    bark = t % random.uniform(0.5, 1.2)
    return _voice(250 + 600 * np.exp(-4 * bark), 8) * np.sin(np.pi * np.minimum(bark / 0.2, 1))


def _lowing(t: Wave, random: np.random.Generator) -> Wave:
    """A cow every three seconds, at some 150 Hz (Padilla de la Torre and others, 2015)."""
    pitch = random.uniform(120, 200) * (1 + 0.3 * np.sin(2 * np.pi * t / 3))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    return np.sum([np.sin(n * phase) / n for n in range(1, 15)], axis=0) * np.maximum(np.sin(2 * np.pi * t / 3), 0)


def _vowel(hertz: Wave) -> Wave:
    """How loud an "a" is at a frequency: formants at 750 and 1300 Hz, and less and less above."""
    return 1 / (1 + ((hertz - 750) / 150) ** 2) + 0.6 / (1 + ((hertz - 1_300) / 200) ** 2) + 20 / (hertz + 100)


def _music(t: Wave, random: np.random.Generator) -> Wave:
    """Hold music: a chord a second, its notes with overtones."""
    wave = np.zeros_like(t)
    for start, root in enumerate(random.choice([220, 247, 262, 294, 330, 349], int(t[-1]) + 1)):
        here = (t >= start) & (t < start + 1)
        notes = [root * ratio * overtone for ratio in (1, 1.26, 1.5) for overtone in (1, 2, 3)]
        wave[here] = _tone(t[here], *notes) * np.exp(-2 * (t[here] - start))
    return wave


_SOUNDS: dict[str, tuple[Callable[[Wave, np.random.Generator], Wave], float]] = {
    # Brazil's tones are all of 425 Hz (Anatel)
    "dial tone": (lambda t, _: _tone(t, 425), LOUD),
    "ringing tone": (lambda t, _: _tone(t, 425) * _every(t, 5, 1), LOUD),
    "busy tone": (lambda t, _: _tone(t, 425) * _every(t, 0.5, 0.25), LOUD),
    "DTMF": (_dtmf, LOUD),
    "keyboard": (lambda t, random: _band(random.normal(size=t.size), 1_000, 7_000) * _bursts(t, random, 6, 0.05), 0.03),
    "clicks": (lambda t, random: _band(random.normal(size=t.size), 50, 7_900) * _bursts(t, random, 2, 0.005), 0.02),
    "knocks": (lambda t, random: _band(random.normal(size=t.size), 60, 400) * _bursts(t, random, 1.5, 0.2), LOUD),
    "fan": (lambda t, random: _band(random.normal(size=t.size), 50, 1_000) + 0.1 * _tone(t, 118, 236), 0.03),
    "hum": (lambda t, _: _tone(t, 60, 120, 180, 300), 0.03),
    "line noise": (lambda t, random: _band(random.normal(size=t.size), 300, 3_400), QUIET),
    "line noise, loud": (lambda t, random: _band(random.normal(size=t.size), 300, 3_400), LOUD),
    "breathing": (_breathing, 0.03),
    "cough": (_cough, LOUD),
    "hold music": (_music, LOUD),
    "hold music, quiet": (_music, QUIET),
    "traffic": (traffic, LOUD),
    "laughter": (_laughter, LOUD),
    "crying": (_crying, LOUD),
    "barking": (_barking, LOUD),
    "lowing": (_lowing, LOUD),
    "claps": (lambda t, random: _band(random.normal(size=t.size), 500, 5_000) * _bursts(t, random, 3, 0.05), 0.03),
    "sniffing": (
        lambda t, random: _band(random.normal(size=t.size), 1_500, 6_000) * np.maximum(np.sin(4 * t), 0) ** 4,
        0.03,
    ),
}
