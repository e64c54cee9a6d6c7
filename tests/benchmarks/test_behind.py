"""Speech that is not the caller's."""

import numpy as np
import pytest

from benchmarks.behind import LASTS_S, SPOKEN_DB, behind
from benchmarks.clips import made
from tests.benchmarks.material import silence

TONE = made("said", np.concatenate([(8_000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000)).astype(np.int16),
                                    silence(2.0)]))  # fmt: skip


def test_it_is_as_far_below_who_speaks_as_it_says() -> None:
    """The line's noise hides nothing of it."""
    for recording in behind([TONE]):
        decibels = float(recording.clip.name.split(", ")[1].split()[0])
        level = 10 * np.log10(np.mean((recording.pcm / 32768.0) ** 2))
        assert level == pytest.approx(SPOKEN_DB - decibels, abs=1.5), recording.clip.name


def test_a_room_goes_on_after_the_sound_and_an_echo_comes_later() -> None:
    """Walls are heard for a while; a line delays."""
    found = {recording.clip.name.split("/")[1]: recording.pcm / 32768.0 for recording in behind([TONE])}
    television, echo = found["television, 20 dB below"], found["echo, 20 dB below"]

    after, line = television[48_160:49_600], television[-16_000:]
    assert np.std(after) > 3 * np.std(line)
    assert np.std(echo[:2_000]) < 0.3 * np.std(echo[4_000:20_000])


def test_a_television_does_not_go_on_for_ever() -> None:
    assert max(recording.seconds for recording in behind([TONE] * 20)) <= LASTS_S + 0.2
