"""How long a window is, and what is not believed."""

import pytest

from transcription.core.contract.jobs import Kind
from workers.engines.windows import FINAL_GRID_S, PARTIAL_GRID_S, is_doubtful, is_silence, is_sparse, window_s


@pytest.mark.parametrize(
    ("audio_s", "partial", "final"),
    [
        (0.1, 2, 10),
        (1.0, 2, 10),
        (1.01, 3, 10),
        (1.6, 3, 10),
        (1.61, 3, 20),
        (4.9, 6, 20),
        (8.5, 10, 20),
        (18.1, 20, 30),
        (29.0, 30, 30),
        (30.0, 30, 30),
        (30.01, None, None),
    ],
)
def test_a_window_holds_the_audio_and_some_silence(audio_s: float, partial: int | None, final: int | None) -> None:
    """The next length of the grid; at 30 s there is no room for silence, beyond it no window."""
    assert (window_s(audio_s, Kind.PARTIAL), window_s(audio_s, Kind.FINAL)) == (partial, final)


@pytest.mark.parametrize(
    ("audio_s", "final"), [(0.1, 10), (1.7, 15), (9.0, 15), (14.0, 20), (18.5, 30), (30.0, 30), (30.01, None)]
)
def test_finals_may_be_given_less_and_partials_go_their_own_way(audio_s: float, final: int | None) -> None:
    """As `STT_MIN_FINAL_WINDOW_S` says, here 12: the next length of the grid."""
    assert window_s(audio_s, Kind.FINAL, 12) == final
    assert window_s(audio_s, Kind.PARTIAL, 12) == window_s(audio_s, Kind.PARTIAL)


def test_no_window_is_of_the_length_ctranslate2_takes_for_features() -> None:
    """Encoder output of as many frames as there are mels would be encoded again: 1.6 s (80 mels), 2.56 s (128)."""
    assert not {50 * length for length in PARTIAL_GRID_S + FINAL_GRID_S} & {80, 128}


@pytest.mark.parametrize(
    ("text", "logprob", "doubtful"),
    [
        ("vire à direita na avenida", -0.3, False),
        ("vire à direita na avenida", -1.1, True),
        ("vire à direita vire à direita", -0.3, True),
        ("O O O O O O O", -0.3, True),
        ("5 5", -0.3, True),
        ("", -0.3, False),
    ],
)
def test_doubt(text: str, logprob: float, doubtful: bool) -> None:
    """Each sign alone is enough."""
    assert is_doubtful(text, logprob) is doubtful


def test_silence_takes_both_signs() -> None:
    """A sure text is kept, however likely silence seemed."""
    assert is_silence(-1.2, 0.7)
    assert not is_silence(-0.5, 0.9)
    assert not is_silence(-1.2, 0.5)


@pytest.mark.parametrize(
    ("text", "audio_s", "sparse"),
    [("a" * 55, 8.0, True), ("a" * 56, 8.0, False), ("a" * 20, 7.9, False), ("", 20.0, False), ("a" * 100, 30.0, True)],
)
def test_little_text_for_much_speech_is_seen(text: str, audio_s: float, sparse: bool) -> None:
    assert is_sparse(text, audio_s) is sparse
