"""What is worth decoding."""

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio import SAMPLE_RATE, noise, silence, speech
from workers.engines.gate import has_speech, is_silent

TIME = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE


def samples(pcm: bytes) -> NDArray[np.float32]:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0


def at(dbfs: float, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brought to a level and to 16 bits."""
    level = 10 ** (dbfs / 20) / np.sqrt(np.mean(audio**2))
    return (np.round(audio * level * 32768) / 32768).clip(-1, 1).astype(np.float32)


def hiss(seed: int = 0) -> NDArray[np.float32]:
    return samples(noise(5, seed))


def tone(*hertz: float) -> NDArray[np.float32]:
    return sum((np.sin(2 * np.pi * f * TIME) for f in hertz), np.zeros(TIME.size)).astype(np.float32)


@pytest.mark.parametrize("clip", ["s07_pm_alex", "s13_pm_alex", "s18_pf_dora", "s24_pf_dora"])
@pytest.mark.parametrize("dbfs", [-70, -50, -20, 0])
def test_speech_is_heard_whispered_or_clipped(clip: str, dbfs: float) -> None:
    audio = at(dbfs, samples(speech(clip)))

    assert has_speech(audio)
    assert not is_silent(audio)


def test_a_word_in_a_minute_is_heard() -> None:
    word = samples(speech("s13_pm_alex"))[: SAMPLE_RATE // 2]
    minute = np.concatenate([at(-50, hiss()), np.zeros(25 * SAMPLE_RATE, np.float32), word, at(-50, hiss(1))])

    assert has_speech(minute)


@pytest.mark.parametrize(
    "audio",
    [samples(silence(5)), at(-20, hiss()), at(-60, hiss()), at(-30, tone(60, 120, 180)), at(-20, tone(425)),
     at(-15, tone(697, 1209)), at(-20, hiss().cumsum() % 1 - 0.5), samples(b""), samples(silence(0.01))],
    ids=["zeros", "hiss", "quiet hiss", "hum", "dial tone", "key", "buzz", "nothing", "a moment"],
)  # fmt: skip
def test_what_nobody_says_is_not_speech(audio: NDArray[np.float32]) -> None:
    assert not has_speech(audio)


@pytest.mark.parametrize("dbfs", [-90, -84])
def test_a_line_s_own_noise_is_silence(dbfs: float) -> None:
    assert is_silent(at(dbfs, hiss()))
    assert not is_silent(at(-75, hiss()))


def test_the_audio_is_left_as_it_is() -> None:
    """It is decoded next."""
    audio = samples(speech("s13_pm_alex"))[: 512 * 40]
    before = audio.copy()
    has_speech(audio)

    assert (audio == before).all()
