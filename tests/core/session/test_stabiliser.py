"""Which words of growing hypotheses are agreed on, and which of those are told as stable."""

from hypothesis import given
from hypothesis import strategies as st

from transcription.core.session.stabiliser import Stabiliser

words = st.sampled_from(["um", "dois", "três"])
hypotheses = st.lists(st.tuples(st.lists(words, max_size=6), st.integers(0, 6), st.booleans()), max_size=12)


def fed(*hypotheses: tuple[str, int | None]) -> Stabiliser:
    stabiliser = Stabiliser()
    for text, sure in hypotheses:
        stabiliser.feed(text, sure)
    return stabiliser


def test_a_word_that_the_model_doubts_is_agreed_on_and_not_stable() -> None:
    """Nor is what comes after it, however sure the model is of that."""
    stabiliser = fed(("vire à direita na", 1), ("vire à direita na rua", 1))

    assert stabiliser.agreed == ["vire", "à", "direita"]
    assert stabiliser.stable == ["vire"]


def test_a_word_becomes_stable_once_the_model_is_sure_of_it() -> None:
    stabiliser = fed(("vire à direita na", 1), ("vire à direita na rua", 1), ("vire à direita na rua", 5))

    assert stabiliser.stable == ["vire", "à", "direita", "na"]


def test_what_was_told_as_stable_stays_so() -> None:
    """The decoder is held to it; that the model has its doubts later makes it no better to take it back."""
    stabiliser = fed(("vire à direita na", 4), ("vire à direita na rua", 4), ("vire à direita na rua um", 0))

    assert stabiliser.stable == ["vire", "à", "direita"]


def test_a_doubted_word_that_the_window_has_left_ends_what_is_stable() -> None:
    """Nothing will be heard of it again."""
    stabiliser = fed(("vire à direita na", 1), ("vire à direita na rua", 1))
    assert stabiliser.commit() == ["vire", "à", "direita"]
    for _ in range(2):
        stabiliser.feed("na rua das flores", 4)

    assert stabiliser.agreed == ["na", "rua", "das"]
    assert stabiliser.stable == ["vire"]


def test_words_that_the_window_has_left_stay_stable() -> None:
    stabiliser = fed(("vire à direita na", 4), ("vire à direita na rua", 4))
    stabiliser.commit()
    for sure in (1, 2):
        stabiliser.feed("na rua das flores", sure)

    assert stabiliser.stable == ["vire", "à", "direita", "na", "rua"]


def test_all_that_is_agreed_on_is_stable_where_the_worker_does_not_say() -> None:
    """An older worker's answers, and those of an engine without probabilities."""
    assert fed(("vire à direita", None), ("vire à direita", None)).stable == ["vire", "à"]


@given(hypotheses)
def test_stable_words_only_grow_and_begin_the_agreed_text(hypotheses: list[tuple[list[str], int, bool]]) -> None:
    stabiliser = Stabiliser()
    committed: list[str] = []
    before: list[str] = []
    for said, sure, commits in hypotheses:
        stabiliser.feed(" ".join([*stabiliser.agreed, *said]), sure)
        stable = stabiliser.stable
        assert stable[: len(before)] == before
        assert [*committed, *stabiliser.agreed][: len(stable)] == stable
        before = stable
        if commits:
            committed += stabiliser.commit()


def test_settled_words_are_stable_and_hypotheses_come_after_them() -> None:
    """What was agreed on before is among them."""
    stabiliser = fed(("um dois três", None), ("um dois três", None))
    assert stabiliser.settle(["um", "dois", "mais", "quatro"])
    stabiliser.feed("cinco seis sete")
    stabiliser.feed("cinco seis oito")

    assert stabiliser.stable == ["um", "dois", "mais", "quatro", "cinco", "seis"]
    assert stabiliser.agreed == ["cinco", "seis"]


def test_words_that_are_not_what_was_stable_are_not_settled() -> None:
    """Nothing changes."""
    stabiliser = fed(("um dois três", None), ("um dois três", None))

    assert not stabiliser.settle(["um", "doze", "três"])
    assert (stabiliser.stable, stabiliser.agreed) == (["um", "dois"], ["um", "dois"])
