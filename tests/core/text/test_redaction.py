"""What is kept out of a session's texts, and what holds of any text."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from tests.core.text.corpus import Sentence, read
from transcription.core.protocol import RedactType, Word
from transcription.core.text.check_digits import is_cpf
from transcription.core.text.formatting import format_text
from transcription.core.text.redaction import Redaction

KINDS = get_args(RedactType)
CORPUS = [*read("fixed"), *read("unseen")]
ALL = Redaction(KINDS)
NUMBER_WORDS = frozenset(
    "zero um dois três quatro cinco seis meia sete oito nove dez onze doze treze quatorze quinze dezesseis dezessete"
    " dezoito dezenove vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem cento duzentos trezentos"
    " quatrocentos quinhentos seiscentos setecentos oitocentos novecentos".split()
)


def final(text: str, *kinds: RedactType, after: str = "") -> str:
    return Redaction(kinds or KINDS, after).final(text, ())[0]


def prefixes(text: str) -> list[str]:
    """What partials may show of it, word by word."""
    words = text.split()
    return [" ".join(words[:count]) for count in range(1, len(words) + 1)]


def tells_a_number(text: str) -> bool:
    return any(sign.isdecimal() for sign in text) or bool(NUMBER_WORDS & set(re.findall(r"\w+", text)))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("meu CPF é 529.982.247-25, viu", "meu CPF é [CPF], viu"),
        ("cinco dois nove, nove oito dois, dois quatro sete, vinte e cinco", "[CPF]"),
        ("5-2-9-9-8-2-2-4-7-2-5", "[CPF]"),
        ("liga no onze nove oito sete meia cinco quatro três dois um tá", "liga no [PHONE] tá"),
        ("é maria ponto silva arroba gmail ponto com e moro lá", "é [EMAIL] e moro lá"),
        ("cartão 4111 1111 1111 1111", "cartão [CARD]"),
        ("cartão **** **** **** 1111", "cartão [CARD]"),
    ],
)
def test_what_the_finder_recognises_is_replaced(said: str, shown: str) -> None:
    """Spoken or written."""
    assert final(said) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("meu CPF é 529.982.247-26 viu", "meu CPF é [NUMBER] viu"),  # misheard
        ("meu CPF é 529 viu", "meu CPF é [NUMBER] viu"),
        ("anota 529982247 por favor", "anota [NUMBER] por favor"),
        ("529, 982.", "[NUMBER]."),
        ("529.982.247", "[NUMBER]"),
        ("529.", "[NUMBER]."),
        ("uns 52998224 ou então 7", "uns [NUMBER] ou então 7"),
    ],
)
def test_digits_that_may_be_a_part_of_one_are_replaced_too(said: str, shown: str) -> None:
    """A pause or a mistake must not make a CPF readable."""
    assert final(said, "cpf") == shown


@pytest.mark.parametrize(
    "said",
    [
        "tenho dois filhos e três gatos",
        "nasci em 1985",
        "no dia 05/03/2026 às 15:30",
        "são R$ 120,50 ou 10% de 2,5 milhões",
        "15.000.000 de habitantes",
        "rua quinze de novembro, trezentos e cinco",
        "o protocolo é 12345678901",
        "a senha é um dois três quatro",
        "CNPJ 11.222.333/0001-81",
        "a placa é BRA2E19",
        "",
    ],
)
def test_what_is_none_of_them_stays(said: str) -> None:
    """A program still has use for it."""
    assert final(said) == said


def test_only_what_is_asked_for_is_replaced() -> None:
    """But what may be that as well as something else is."""
    assert final("é maria@gmail.com, CPF 529.982.247-25", "email") == "é [EMAIL], CPF 529.982.247-25"
    assert final("é maria@gmail.com, CPF 529.982.247-25", "cpf") == "é maria@gmail.com, CPF [CPF]"
    assert [format_text(said).entities[0].type for said in ("51945813601", "(51) 94581-3601")] == ["cpf", "phone"]
    assert [final("51945813601", kind) for kind in ("cpf", "phone", "email")] == ["[CPF]", "[PHONE]", "51945813601"]
    assert final("(51) 94581-3601", "cpf") == "[CPF]"


def test_digits_go_on_in_the_next_final() -> None:
    """Until something else is said."""
    assert final("247, 25, isso", "cpf", after="Meu CPF é [NUMBER].") == "[NUMBER], isso"
    assert final("25", "cpf", after="[NUMBER]") == "[NUMBER]"
    assert final("isso, 25", "cpf", after="[NUMBER]") == "isso, 25"
    assert final("25 anos", "cpf", after="[CPF]") == "25 anos"


def test_the_words_of_what_is_hidden_become_one_with_their_times() -> None:
    """The others stay as they are."""
    text = "meu CPF é cinco dois nove, nove oito dois, dois quatro sete, vinte e cinco, viu"
    words = [
        Word(word=f" {word}", start=at, end=at + 0.5, probability=at / 100) for at, word in enumerate(text.split())
    ]
    shown, left = ALL.final(text, words)

    assert shown == "meu CPF é [CPF], viu"
    assert left == [
        *words[:3],
        Word(word=" [CPF],", start=words[3].start, end=words[-2].end, probability=words[3].probability),
        words[-1],
    ]


def test_formatted_text_has_an_entity_without_value() -> None:
    """It says where one was, and of what kind."""
    (entity,) = format_text(final("meu CPF é 529.982.247-25")).entities

    assert (entity.type, entity.text, entity.value) == ("cpf", "[CPF]", "")


def with_check_digits(digits: str) -> str:
    for weight in (10, 11):
        rest = sum(int(digit) * (weight - at) for at, digit in enumerate(digits)) * 10 % 11
        digits += str(rest % 10)
    return digits


cpfs = st.text("0123456789", min_size=9, max_size=9).map(with_check_digits).filter(is_cpf)
"""As digits."""
Saying = Callable[[str], str]
SAYINGS: tuple[Saying, ...] = (
    lambda cpf: cpf,
    lambda cpf: f"{cpf[:3]}.{cpf[3:6]}.{cpf[6:9]}-{cpf[9:]}",
    lambda cpf: f"{cpf[:3]} {cpf[3:6]} {cpf[6:9]} {cpf[9:]}",
    " ".join,
    lambda cpf: ", ".join(num2words(int(digit), lang="pt_BR") for digit in cpf),
    lambda cpf: " ".join(num2words(int(digit), lang="pt_BR") for digit in cpf).replace("seis", "meia"),
    lambda cpf: " ".join(num2words(int(digit), lang="pt_BR") for digit in cpf[:9]) + " traço " + " ".join(cpf[9:]),
)
around = st.sampled_from(
    ["{}", "meu CPF é {}", "anota aí, {}, por favor", "o CPF do meu pai é o {} tá bom", "{}. Isso."]
)


@settings(deadline=None)
@given(cpfs, st.sampled_from(SAYINGS), around)
def test_neither_the_final_nor_a_partial_tells_a_digit_of_a_cpf(cpf: str, saying: Saying, sentence: str) -> None:
    """However it is said, wherever the partial ends."""
    said = sentence.format(saying(cpf))
    redaction = Redaction(("cpf",))

    assert not tells_a_number(redaction.final(said, ())[0])
    for before, heard in pairwise(["", *prefixes(said)]):
        assert not tells_a_number(" ".join(redaction.partial(heard, before)))


@settings(deadline=None)
@given(cpfs, st.lists(st.integers(1, 10), max_size=4).map(sorted), st.sampled_from(SAYINGS[3:6]))
def test_pauses_do_not_make_it_readable(cpf: str, pauses: list[int], saying: Saying) -> None:
    """Cut into finals anywhere, once more than two digits were said: of less nobody can tell."""
    places = [place for place in pauses if place > 2]
    after = ""
    for first, last in pairwise([0, *places, len(cpf)]):
        if part := saying(cpf[first:last]):
            after = final(part, "cpf", after=after) or after
            assert not tells_a_number(after)


talk = st.lists(st.sampled_from([sentence.spoken for sentence in CORPUS]), max_size=3).map(", ".join)
anything = st.text(max_size=60) | st.text("0123456789.,/-:()%$R ºª@[]", max_size=40)
wanted = st.sets(st.sampled_from(KINDS))


@settings(deadline=None)
@given(talk | anything, wanted)
def test_redacting_what_is_redacted_changes_nothing(text: str, kinds: set[RedactType]) -> None:
    """Nor does redacting what was formatted of it."""
    redaction = Redaction(kinds)
    once, _ = redaction.final(text, ())

    assert redaction.final(once, ())[0] == once


@given(talk | anything)
def test_without_being_asked_it_changes_nothing(text: str) -> None:
    """Not even words that are not in the text."""
    words = [Word(word="x", start=0.0, end=1.0, probability=1.0)]

    assert Redaction().final(text, words) == (text, words)
    assert Redaction().partial(text, "y") == (text, "y")


@settings(deadline=None)
@given(talk | anything, wanted)
def test_stable_text_begins_the_text_of_a_partial(text: str, kinds: set[RedactType]) -> None:
    """And both grow into the same."""
    for before, heard in pairwise(["", *prefixes(text)]):
        shown, stable = Redaction(kinds).partial(heard, before)
        assert shown.startswith(stable)


@pytest.mark.parametrize("sentence", [s for s in CORPUS if {kind for kind, _, _ in s.entities} & {*KINDS}])
def test_what_the_corpus_has_is_hidden(sentence: Sentence) -> None:
    """In the final, in what formatting makes of it, and in every partial before."""
    formatted = format_text(final(sentence.spoken))
    hidden = [(kind, value) for kind, _, value in sentence.entities if kind in KINDS]

    assert [entity.type for entity in formatted.entities if entity.type in KINDS] == [kind for kind, _ in hidden]
    shown = [formatted.text, *(format_text(ALL.partial(heard, "")[0]).text for heard in prefixes(sentence.spoken))]
    for kind, value in hidden:
        for text in shown:
            assert (value.partition("@")[2] if kind == "email" else value) not in re.sub(r"[^\w@.]", "", text)
