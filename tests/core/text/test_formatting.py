"""What the corpus does not show: places, times, cards, check digits."""

import pytest

from transcription.core.protocol import Word
from transcription.core.text.check_digits import is_card, is_cnpj, is_cpf
from transcription.core.text.formatting import format_text
from transcription.core.text.phones import is_national


def words(text: str) -> list[Word]:
    """A word every half second."""
    return [Word(word=word, start=at / 2, end=at / 2 + 0.4, probability=1.0) for at, word in enumerate(text.split(" "))]


def test_entities_have_the_times_of_their_words() -> None:
    """From the first to the last."""
    text = "custa cento e vinte reais, e vinte e cinco por cento a menos"
    money, percent = format_text(text, words(text)).entities

    assert (money.start_s, money.end_s) == (0.5, 2.4)
    assert (percent.start_s, percent.end_s) == (3.0, 5.4)
    assert text[money.spoken_start : money.spoken_end] == "cento e vinte reais"


def test_words_in_parts_have_their_times_too() -> None:
    """As the model gives them; one that is not in the text costs no other its time."""
    pieces = ["ao", " meio", "-dia", " outra", " e", " meia"]
    spoken = [Word(word=piece, start=float(at), end=at + 1.0, probability=1.0) for at, piece in enumerate(pieces)]
    (time,) = format_text("ao meio-dia e meia", spoken).entities

    assert (time.value, time.start_s, time.end_s) == ("12:30", 1.0, 6.0)


def test_without_words_there_are_no_times() -> None:
    """But places."""
    (entity,) = format_text("são dez por cento").entities

    assert "start_s" not in str(entity) or entity.start_s is not None
    assert (entity.start, entity.end, entity.spoken_start, entity.spoken_end) == (4, 7, 4, 17)


def test_places_count_code_points() -> None:
    """Not bytes, nor UTF-16."""
    (entity,) = format_text("🙂 são dez por cento").entities

    assert entity.start == entity.spoken_start == 6


@pytest.mark.parametrize("spoken", ["4111 1111 1111 1111", "quatro" + " um" * 15])
def test_cards_show_their_last_digits_unless_asked(spoken: str) -> None:
    """In the text and in the value."""
    masked, whole = format_text(f"cartão {spoken}"), format_text(f"cartão {spoken}", whole_cards=True)

    assert masked.text == "cartão **** **** **** 1111"
    assert masked.entities[0].value == "1111"
    assert whole.text == "cartão 4111 1111 1111 1111"
    assert whole.entities[0].value == "4111111111111111"


def test_whole_cards_stay_whole() -> None:
    """Formatted again."""
    assert format_text("cartão 4111 1111 1111 1111", whole_cards=True).text == "cartão 4111 1111 1111 1111"


@pytest.mark.parametrize(
    ("digits", "kind"),
    [("52998224725", is_cpf), ("11222333000181", is_cnpj), ("4111111111111111", is_card), ("378282246310005", is_card)],
)
def test_a_wrong_digit_is_found(digits: str, kind: object) -> None:
    """Anywhere."""
    assert kind(digits)
    for at, digit in enumerate(digits):
        assert not kind(digits[:at] + str((int(digit) + 1) % 10) + digits[at + 1 :])


def test_documents_of_one_digit_are_none() -> None:
    """Their check digits are right."""
    assert not any(is_cpf(digit * 11) or is_cnpj(digit * 14) for digit in "0123456789")


def test_cnpj_with_letters() -> None:
    """Given out since July 2026; the example of the Receita Federal."""
    (entity,) = format_text("o CNPJ é 12.ABC.345/01DE-35").entities

    assert (entity.type, entity.value) == ("cnpj", "12ABC34501DE35")


def test_area_codes_that_do_not_exist() -> None:
    """No telephone number has them."""
    assert is_national("11987654321")
    assert not is_national("23987654321")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("11987654321", ["phone"]),
        ("meu cpf é 11987654321", ["number"]),
        ("protocolo 11987654321", ["number"]),
        ("01310100", ["number"]),
        ("cep 01310100", ["cep"]),
        ("52998224725", ["cpf"]),
        ("celular 52998224725", ["number"]),
        ("1134567890", ["number"]),
        ("11 3456-7890", ["phone"]),
        ("123.456.789-00", []),
        ("31/02/2026", []),
        ("29/02/2024", ["date"]),
        ("25:30", []),
        ("processo 0001234-56.2024.8.26.0100", []),
        ("versão 2.0.1", []),
        ("www.exemplo.com.br/123", []),
        ("3/4 dos votos", []),
    ],
)
def test_what_digits_are(text: str, kinds: list[str]) -> None:
    """By their check digits, and by what they are called."""
    assert [entity.type for entity in format_text(text).entities] == kinds


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "...", "e", "vírgula", "meia", "mil", "por cento", "R$", "@", "arroba"]
)
def test_scraps_stay_as_they_are(text: str) -> None:
    """And are no entities."""
    formatted = format_text(text)

    assert (formatted.text, formatted.entities) == (text, [])
