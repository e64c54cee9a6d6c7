"""What a final's text is worth without the audio."""

import pytest

from workers.engines.evidence import (
    LEAST,
    OF_A_HABIT,
    OF_A_REPETITION,
    OF_A_SOUND,
    SPEECH,
    excess,
    is_heard_again,
    weighed,
)

ANSWERS = ["Não.", "Não, não quero.", "É.", "Obrigado.", "Tchau!", "A B C", "11", "Legendas em português", "Banana."]
HABITS = ["O que é isso?", "Legendas pela comunidade Amara.org", "E aí?"]
TWICE = ["Sim, sim.", "Não, não.", "nove nove nove oito"]
REPETITIONS = ["Pessoa! Pessoa! Pessoa!", "Sim, sim, sim, sim."]
SOUNDS = [
    "Ah!",
    "Tch!",
    "AAAAA!",
    "Hmmmmmm...",
    "Aaaaah!",
    "Ahahahahahah!",
    "Sussussussuss",
    "Fufufuffufufuf Fafafafaffafafaf",
]


@pytest.mark.parametrize(
    ("texts", "asked"),
    [
        ([*ANSWERS, *TWICE], LEAST),
        (HABITS, LEAST + OF_A_HABIT),
        (SOUNDS, LEAST + OF_A_SOUND),
        (REPETITIONS, LEAST + OF_A_REPETITION),
        (["Ah, ah, ah!"], LEAST + OF_A_SOUND + OF_A_REPETITION),
    ],
)
@pytest.mark.parametrize("no_speech", [0.0, SPEECH])
def test_more_is_asked_of_what_whisper_writes_over_noise(texts: list[str], asked: float, no_speech: float) -> None:
    """It is never too much: people do say these."""
    for text in texts:
        assert excess(text, asked, no_speech) == pytest.approx(0), text


@pytest.mark.parametrize("text", [*ANSWERS, *HABITS, *SOUNDS, *REPETITIONS])
def test_more_is_asked_where_the_model_thinks_that_nobody_speaks(text: str) -> None:
    asked = [-excess(text, 0.0, no_speech) for no_speech in (SPEECH, 0.6, 0.8, 1.0)]

    assert asked == sorted(asked)
    assert asked[1] > asked[0]


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("Sim! Sim! Sim!", "Sim!"),
        ("O que é isso? O que é isto?", "O que é isso? isto?"),
        ("nove nove oito nove", "nove oito"),
        ("AAA", "A"),
        ("Ahahahah!", "Ah!"),
        ("Hmmmm, sim.", "Hm, sim."),
        ("Não, não quero.", "Não, não quero."),
        ("A casa da rua e a casa da praça ficam longe", "A casa da rua e a casa da praça ficam longe"),
    ],
)
def test_of_a_text_that_repeats_itself_each_word_counts_once(text: str, counts: str) -> None:
    """Of others every word counts: prepositions come again in any sentence."""
    assert weighed(text) == counts


@pytest.mark.parametrize(
    ("text", "believed", "again"),
    [
        ("para o próximo, ajudará a enfrentar o vírus, como...", "Para o próximo. Ajudará", True),
        ("quero falar", "quero falar", False),
        ("quero falar com", "quero falar com a Ana", True),
        ("não, não, não, não", "Não, não, não.", False),
        ("o que é isso?", "eu quero falar", False),
        ("o que é isso?", "", False),
    ],
)
def test_what_begins_as_it_was_heard_before_was_said(text: str, believed: str, again: bool) -> None:
    """Three words, all different."""
    assert is_heard_again(text, believed) is again
