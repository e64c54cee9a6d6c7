"""Finding out what is spoken: decided on the first seconds, changed on strong evidence only."""

import pytest

from transcription.core.languages import MOST_EVIDENCE, evidence, likeliest
from transcription.core.session.language import SpokenLanguage

AMONG = ("pt", "es", "en")


def heard(code: str, by: float = MOST_EVIDENCE) -> dict[str, float]:
    """An utterance that speaks for one language."""
    return {each: 0.0 if each == code else -by for each in AMONG}


def test_the_expected_language_wins_where_little_is_heard() -> None:
    """Half a second that is a bit likelier in another."""
    said = evidence({"pt": 0.4, "es": 0.5, "en": 0.1}, seconds=0.5)

    assert likeliest(SpokenLanguage("pt", AMONG).known, said) == "pt"
    assert likeliest(SpokenLanguage("es", AMONG).known, said) == "es"


def test_the_first_clear_utterance_decides() -> None:
    """And a single one that is clearly in another language changes nothing, however early."""
    spoken = SpokenLanguage("pt", AMONG)
    assert likeliest(spoken.known, heard("es")) == "es", "it is written in its own language already"

    spoken.hear(heard("es"))
    assert spoken.code == "es"
    assert likeliest(spoken.known, heard("en")) == "es"
    spoken.hear(heard("en"))
    assert spoken.code == "es"


@pytest.mark.parametrize("before", [1, 20])
def test_another_language_takes_over_after_two_or_three_utterances(before: int) -> None:
    """Also after a long conversation."""
    spoken = SpokenLanguage("pt", AMONG)
    for _ in range(before):
        spoken.hear(heard("pt"))
    utterances = 0
    while spoken.code == "pt":
        utterances += 1
        spoken.hear(heard("en"))

    assert utterances in (2, 3)
    assert likeliest(spoken.known, heard("pt")) == "en", "and that is decided on, too"


def test_weak_evidence_never_adds_up_to_a_change_while_both_are_heard() -> None:
    """Utterances that speak for the one and the other in turn."""
    spoken = SpokenLanguage("pt", AMONG)
    spoken.hear(heard("pt"))
    for _ in range(50):
        spoken.hear(heard("es", 1.0))
        spoken.hear(heard("pt", 1.0))

    assert spoken.code == "pt"


def test_a_given_language_is_not_asked_for() -> None:
    """Nor changed."""
    spoken = SpokenLanguage("pt")
    spoken.hear(heard("en"))

    assert (spoken.code, spoken.known, spoken.detected) == ("pt", {}, False)


def test_one_that_was_found_out_before_is_held() -> None:
    """By the session that this one goes on from."""
    spoken = SpokenLanguage("es", AMONG, decided=True)

    assert likeliest(spoken.known, heard("pt")) == "es"
