"""What holds of any text."""

import re
from datetime import date
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st
from num2words import num2words

from tests.core.text.corpus import read
from transcription.core.text import formatting, numbers
from transcription.core.text.formatting import Formatted, format_text

SPOKEN = [sentence.spoken for sentence in read("fixed")]
JOINTS = (" ", ", ", ". ", " e ", " ou ")
talk = st.builds(
    lambda joint, parts: joint.join(parts), st.sampled_from(JOINTS), st.lists(st.sampled_from(SPOKEN), max_size=3)
)
anything = st.text(max_size=80) | st.text("0123456789.,/-:()%$R ºª@", max_size=40)
WORDS = sorted({word for sentence in SPOKEN for word in sentence.split()})
jumble = st.builds(" ".join, st.lists(st.sampled_from(WORDS), max_size=12))


class Everything:
    """Has whatever is looked for."""

    def __contains__(self, _: object) -> bool:
        return True


def found(formatted: Formatted) -> list[tuple[str, str, str]]:
    return [(entity.type, entity.text, entity.value) for entity in formatted.entities]


def spelt(number: int) -> str:
    return num2words(number, lang="pt_BR").replace(",", "")


@settings(deadline=None)
@given(talk)
def test_formatting_formatted_text_changes_nothing(text: str) -> None:
    """And finds the same entities in it."""
    once = format_text(text)
    twice = format_text(once.text)

    assert twice.text == once.text
    assert found(twice) == found(once)


@settings(deadline=None)
@given(talk | anything)
@example("²³ ½ ٣٤ 五")
def test_entities_lie_where_they_say(text: str) -> None:
    """In the formatted text, in order, apart; and what is between them is as it was spoken."""
    formatted = format_text(text)
    written = said = 0
    for entity in formatted.entities:
        assert formatted.text[entity.start : entity.end] == entity.text
        assert formatted.text[written : entity.start] == text[said : entity.spoken_start]
        assert entity.start < entity.end
        assert entity.spoken_start < entity.spoken_end
        written, said = entity.end, entity.spoken_end
    assert formatted.text[written:] == text[said:]


@settings(deadline=None)
@given(st.integers(11, 999_999).filter(lambda number: number != 1_000))
def test_numbers_spelt_out_come_back(number: int) -> None:
    """Alone, as money, as a percentage: the words of the formatted number are the words that were said.

    A thousand by itself is a manner of speaking, and stays a word.
    """
    said = spelt(number)
    for template in ("{} pessoas", "{} reais", "{} por cento"):
        text = template.format(said)
        (entity,) = format_text(text).entities
        assert int(entity.value) == number
        assert spelt(int(re.sub(r"\D", "", entity.text))) == said


@settings(deadline=None)
@given(st.integers(1, 9_999), st.integers(1, 99))
def test_money_spelt_out_comes_back(reais: int, cents: int) -> None:
    """With its cents."""
    units = ("real" if reais == 1 else "reais", "centavo" if cents == 1 else "centavos")
    said = f"{spelt(reais)} {units[0]} e {spelt(cents)} {units[1]}"
    (entity,) = format_text(said).entities
    whole, _, hundredths = entity.text.removeprefix("R$ ").replace(".", "").partition(",")

    assert f"{spelt(int(whole))} {units[0]} e {spelt(int(hundredths))} {units[1]}" == said


@settings(deadline=None)
@given(st.dates(date(1001, 1, 1), date(2999, 12, 31)))
def test_dates_spelt_out_come_back(day: date) -> None:
    """And are told as in ISO 8601."""
    months = "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split()
    said = f"{spelt(day.day)} de {months[day.month - 1]} de {spelt(day.year)}"
    (entity,) = format_text(said).entities
    first, month, year = entity.text.split(" de ")

    assert entity.value == day.isoformat()
    assert f"{spelt(int(first))} de {month} de {spelt(int(year))}" == said


@settings(deadline=None)
@given(st.text("0123456789", min_size=3, max_size=20))
def test_digits_spelt_out_come_back(digits: str) -> None:
    """One by one, whatever they turn out to be, none is lost or made up; but a card's."""
    said = " ".join(spelt(int(digit)) for digit in digits)
    formatted = format_text(f"o protocolo é {said}")

    assert re.sub(r"\D", "", formatted.text) == digits


@settings(deadline=None)
@given(st.lists(st.sampled_from(SPOKEN), min_size=1, max_size=3))
def test_no_word_is_lost_that_means_nothing(parts: list[str]) -> None:
    """A sentence without numbers, in any company, comes out as it went in."""
    plain = "bom dia, eu queria falar com o atendente"

    assert format_text(". ".join([*parts, plain])).text.endswith(plain)


@settings(deadline=None)
@given(talk | jumble)
@example("menos cinco graus")
@example("mais cinco cinco onze nove oito sete seis cinco quatro três dois um")
@example("mil reais, ao meio dia, março de dois mil e vinte")
def test_what_is_not_tried_would_find_nothing(text: str) -> None:
    """Rules at words that begin nothing, and numbers beside nothing that belongs to them."""
    with patch.object(formatting, "_BEGINNINGS", Everything()), patch.object(numbers, "_may_grow", lambda *_: True):
        all_tried = format_text(text)

    assert format_text(text) == all_tried
