"""Normalisation and word error rate."""

import pytest

from benchmarks.scoring import normalise, score


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Olá, como vai?", "olá como vai"),
        ("guarda-chuva", "guarda chuva"),
        ("há 10 minutos", "há dez minutos"),
        ("R$ 1.200,50", "r mil e duzentos vírgula cinco"),
        ("em 1839", "em mil oitocentos e trinta e nove"),
        ("2,5 litros", "dois vírgula cinco litros"),
        ("1.000.000", "um milhão"),
        ("o 1º e a 2ª", "o primeiro e a segunda"),
        ("a 22ª", "a vigésima segunda"),
        ("10h30", "dez h trinta"),
        ("linha 3.", "linha três"),
        ("é pê e pe", "é pê e pe"),
        ("a\u0301gua", "água"),
        ("“Sim” – disse…", "sim disse"),
        ("1234567890123456", "um dois três quatro cinco seis sete oito nove zero um dois três quatro cinco seis"),
        ("  ", ""),
    ],
)
def test_normalisation(text: str, normal: str) -> None:
    """Lower case, numbers in words, no punctuation; accents stay."""
    assert normalise(text) == normal


def test_numbers_and_punctuation_do_not_count() -> None:
    """Digits on one side, words on the other."""
    assert score(["Há dez minutos."], ["há 10 minutos"]).wer == 0.0


def test_accents_count() -> None:
    """They change words."""
    assert score(["avó"], ["avô"]).wer == 1.0


def test_errors_are_pooled_over_clips() -> None:
    """By words, not by clips."""
    result = score(["um dois três quatro", "cinco"], ["um dois tres", "cinco seis"])

    assert (result.words, result.substitutions, result.deletions, result.insertions) == (5, 1, 1, 1)
    assert result.wer == pytest.approx(0.6)


def test_what_was_invented_over_silence_is_inserted() -> None:
    """A clip where nothing is said has no rate of its own."""
    result = score(["", "sim"], ["obrigado por assistir", "sim"])

    assert (result.words, result.insertions) == (1, 3)


def test_nothing_said_nothing_heard() -> None:
    """No words, no errors."""
    assert score([], []).wer == 0.0
