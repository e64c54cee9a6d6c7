"""Where a text sounds like a term, and when the term is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.engines.keyterms import MOST, Place, heard, places, with_terms, written
from workers.engines.phonetics import coarse, sounds


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Thayná", "tainá"), ("Sicoob", "sicob"), ("Jéssyka", "gésica"), ("Wesley", "uesley"),
        ("Luiz", "Luís"), ("Quaresma", "Kuaresma"), ("Schmidt", "chmidt"), ("Conta Fácil", "contafácil"),
    ],
)  # fmt: skip
def test_what_sounds_the_same_has_the_same_signs(one: str, other: str) -> None:
    """But for voice and some vowels, however it is spelt."""
    assert coarse(sounds(one)) == coarse(sounds(other))


@pytest.mark.parametrize("word", ["", "120", "...", "♪"])
def test_what_is_no_word_has_no_sound(word: str) -> None:
    """Figures are not spelt out."""
    assert sounds(word) == ""


@pytest.mark.parametrize(
    ("text", "term", "written"),
    [
        ("Minha conta na se cobe, por favor.", "Sicoob", "Minha conta na Sicoob, por favor."),
        ("O médico receitou de pirona.", "Dipirona", "O médico receitou Dipirona."),
        ("Quem atendeu foi a tainá?", "Thayná", "Quem atendeu foi a Thayná?"),
        ("quero o turbo e fibra hoje", "Turbo Fibra", "quero o Turbo Fibra hoje"),
        ("moro em (piracicava)", "Piracicaba", "moro em (Piracicaba)"),
    ],
)
def test_a_term_takes_the_place_of_what_sounds_like_it(text: str, term: str, written: str) -> None:
    """With the signs around it; the place that sounds most like it comes first."""
    best, *_ = places(text, [term])

    assert with_terms(text, [best]) == written


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("falei com a Sicoob ontem", "Sicoob"), ("claro que sim", "Claro"), ("são 120 reais", "Sicoob"), ("", "Sicoob"),
        ("bom dia", "Vasconcelos"), ("Com a unha. Mede o pano.", "Unimed"), ("...", "Sicoob"),
    ],
)  # fmt: skip
def test_there_is_no_place_for_a_term(text: str, term: str) -> None:
    """Where it is written already, where nothing sounds like it, and where a sentence ends in between."""
    assert not places(text, [term])


def test_what_is_known_stays() -> None:
    """A partial's prefix is what the decoder was held to."""
    assert places("se cobe e se cobe", ["Sicoob"], known=2)[0].first >= 2


def test_of_places_that_overlap_the_likelier_one_is_taken() -> None:
    """And none of which the model is too sure that it is not there."""
    near, same, far = Place(0, 2, "Ana", 5.0), Place(1, 3, "Bruna", 5.0), Place(4, 5, "Caio", 2.0)

    assert heard([near, same, far], [-3.0, -2.0, -2.1]) == [same]
    assert heard([near, far], [-3.0, -1.9]) == [near, far]


def test_a_short_term_is_forgiven_less() -> None:
    """More words sound like it; and less, the less it sounds like what is written."""
    (long,), (short,) = places("o itapeserica", ["Itapecerica"])[:1], places("o meu", ["Mel"])[:1]
    (unlike,) = places("o itapezeriga", ["Itapecerica"])[:1]

    assert long.forgiven > unlike.forgiven > short.forgiven > 0


WORDS = st.text(alphabet="abcdeghilmnoprstuvxzãçéqw .,!?-1", max_size=60)


@given(WORDS, st.lists(st.text(alphabet="abceilmorstuz ", min_size=1).filter(str.strip), min_size=1, max_size=8))
def test_only_places_change(text: str, terms: list[str]) -> None:
    """Whatever is written: what is before and after a place is as it was, and there are not too many places."""
    found = places(text, terms)

    assert len(found) <= MOST
    for place in found:
        words = text.split()
        changed = with_terms(text, [place]).split(" ")
        assert changed[: place.first] == words[: place.first]
        assert not words[place.after :] or changed[-len(words[place.after :]) :] == words[place.after :]
    assert with_terms(text, []) == " ".join(text.split())


def test_the_words_of_terms_that_are_written_are_known() -> None:
    """In capitals or not, with punctuation around them; words of which a term has more than these are none of it."""
    text = "bom dia, conta fácil. Aqui é a Thayná da conta, tá?"

    assert written(text, ["Conta Fácil", "Thayná", "tá bom"]) == {2, 3, 7}
    assert written(text, []) == written("", ["Thayná"]) == set()
