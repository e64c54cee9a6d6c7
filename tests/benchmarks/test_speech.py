"""Where speech is, by energy."""

import numpy as np
import pytest

from benchmarks.speech import active_frames, span
from tests.benchmarks.material import silence, sound


def test_speech_between_silences_is_found_to_a_window() -> None:
    """Start and end are exact to 10 ms."""
    pcm = np.concatenate([silence(0.5), sound(1.0), silence(0.7)])

    assert span(active_frames(pcm)) == (8_000, 24_000)


def test_a_soft_last_syllable_is_speech() -> None:
    """20 dB below the rest still counts."""
    pcm = np.concatenate([sound(1.0), sound(0.2, level=300.0), silence(0.5)])

    assert span(active_frames(pcm))[1] == 19_200


def test_background_noise_is_not_speech() -> None:
    """Noise 20 dB below speech does not stretch it."""
    pcm = np.concatenate([sound(1.0, level=200.0), sound(1.0), sound(1.0, level=200.0)])

    assert span(active_frames(pcm)) == (16_000, 32_000)


def test_bursts_of_noise_are_not_speech() -> None:
    """Background noise that comes and goes, window by window, 12 dB below speech at its loudest."""
    burst, lull = sound(0.04, level=700.0), sound(0.03, level=150.0)
    before, after = np.concatenate([burst, lull] * 20), np.concatenate([lull, burst] * 20)
    pcm = np.concatenate([before, sound(1.0), after])

    assert span(active_frames(pcm)) == (len(before), len(before) + 16_000)


def test_a_click_is_not_speech() -> None:
    """20 ms is too short."""
    pcm = np.concatenate([silence(0.5), sound(1.0), silence(0.5), sound(0.02), silence(0.5)])

    assert span(active_frames(pcm))[1] == 24_000


def test_a_clip_without_pauses_is_speech_throughout() -> None:
    """There is no floor to tell speech from."""
    assert active_frames(sound(1.0)).all()


@pytest.mark.parametrize("pcm", [silence(1.0), silence(0.01), silence(0)], ids=["second", "window", "nothing"])
def test_silence_has_no_speech(pcm: np.ndarray) -> None:
    """Nor has a clip too short to hold any."""
    assert span(active_frames(pcm)) == (0, 0)
