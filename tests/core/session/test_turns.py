"""What a text says of its turn, and the silence that follows from it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription.core.config import VadConfig
from transcription.core.session.turns import Verdict, judge, silence_ms

OPEN = (
    "meu CPF é", "Meu CPF é 529.",
    "meu CPF é cinco dois nove", "o CPF", "meu CPF é 529, 982.", "529", "cinco dois nove",
    "529.982.247-2", "CNPJ onze duzentos e vinte e dois", "o CEP é 01310", "o CEP é zero um três um zero",
    "meu telefone é onze", "o número é um um", "liga no 11 98765", "onze nove oito sete meia cinco", "quatro oito",
    "cartão 4111 1111 1111", "4111 1111 1111", "o protocolo é 472", "zero um",
    "nasci no dia", "nasci no dia cinco",
    "nasci em cinco de março", "minha data de nascimento é cinco de março de", "cinco de",
    "cento e vinte reais e", "três vírgula", "às", "pode ser para",
    "joão ponto", "joão ponto silva", "joão ponto silva arroba", "joão ponto silva arroba gmail ponto",
    "meu e-mail é joão", "meu e-mail é joao.silva@",
    "meu nome é", "meu nome completo é Maria", "é...", "Então, é…", "deixa eu ver", "Só um momento", "eu queria",
    "bom dia, eu gostaria de", "moro na rua das Flores", "eu quero", "Sim,", "não...", "é que", "porque",
)  # fmt: skip
COMPLETE = (
    "meu CPF é 529.982.247-25", "meu CPF é 529, 982, 247, 25.",
    "cinco dois nove nove oito dois dois quatro sete dois cinco",
    "CNPJ 11.222.333/0001-81", "o CEP é 01310-100", "o CEP é zero um três um zero cem", "11 98765-4321",
    "onze nove oito sete meia cinco quatro três dois um", "meu telefone é 11 3456-7890", "4111 1111 1111 1111",
    "joão ponto silva arroba gmail ponto com", "maria@empresa.com.br", "sim", "Não.", "Isso mesmo!", "tá bom",
    "Sim, por favor.", "não, obrigado",
)  # fmt: skip
NEUTRAL = (
    "", "...", "quinze", "quero dois", "são 15", "tenho trinta e cinco anos", "em 1985", "em dois mil e vinte e seis",
    "R$ 120", "cento e vinte reais", "nasci em cinco de março de 1985", "às quinze e trinta", "quanto é?",
    "o que é", "não é", "meu CPF é 529.982.247-26", "meu CPF é 123456789012", "a senha é 1234",
    "98765-4321 é o telefone",
    "meu nome é Maria", "moro na rua das Flores, número 120", "a rua está fechada", "não recebi o e-mail",
    "maria arroba empresa ponto com", "bom dia", "tudo bem", "eu queria falar com o atendente", "sou eu",
    "o ponto de ônibus", "eu nasci em São Paulo", "moro aqui há 10 anos",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        *((text, Verdict.OPEN) for text in OPEN),
        *((text, Verdict.COMPLETE) for text in COMPLETE),
        *((text, Verdict.NEUTRAL) for text in NEUTRAL),
    ],
)
def test_a_text_is_judged(text: str, verdict: Verdict) -> None:
    """By its end, and by what it says of it."""
    assert judge(text) is verdict


@given(
    st.text(), st.lists(st.sampled_from("meu cpf é 529 982,247-25 arroba ponto rua nasci . , … é três meia R$".split()))
)
def test_any_text_is_judged(text: str, words: list[str]) -> None:
    """However little sense it makes."""
    assert judge(text) in Verdict
    assert judge(" ".join(words)) in Verdict


@pytest.mark.parametrize(
    ("text", "probability", "verdict"),
    [
        ("meu nome é Maria", 0.49, Verdict.DOUBTFUL), ("meu nome é Maria", 0.5, Verdict.NEUTRAL),
        ("", 0.0, Verdict.DOUBTFUL), ("sim", 0.0, Verdict.COMPLETE), ("meu CPF é", 1.0, Verdict.OPEN),
    ],
)  # fmt: skip
def test_how_it_sounds_counts_where_the_text_says_nothing(text: str, probability: float, verdict: Verdict) -> None:
    """And holds it; what sounds over is judged as if nobody had listened."""
    assert judge(text, probability) is verdict


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("fixed", (500, 500, 500, 500)),
        ("auto", (2500, 500, 300, 1500)),
        ("dictation", (2500, 2500, 300, 2500)),
        ("short", (2500, 300, 300, 1500)),
    ],
)
def test_the_silence_follows_from_verdict_and_mode(mode: str, expected: tuple[int, int, int]) -> None:
    """Open, neutral, complete, doubtful."""
    vad = VadConfig(turn_mode=mode)
    verdicts = (Verdict.OPEN, Verdict.NEUTRAL, Verdict.COMPLETE, Verdict.DOUBTFUL)

    assert tuple(silence_ms(verdict, vad) for verdict in verdicts) == expected


def test_holding_is_never_shorter_and_closing_early_never_later_than_the_fixed_silence() -> None:
    """Whatever a client asks for."""
    vad = VadConfig(turn_mode="auto", min_silence_ms=1000)
    slow, hasty = replace(vad, max_hold_ms=0), replace(vad, min_silence_early_ms=5000)

    assert silence_ms(Verdict.OPEN, slow) == silence_ms(Verdict.DOUBTFUL, slow) == 1000
    assert silence_ms(Verdict.DOUBTFUL, replace(vad, max_hold_ms=1200)) == 1200
    assert silence_ms(Verdict.COMPLETE, hasty) == 1000
