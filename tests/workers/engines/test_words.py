"""Pieces to words."""

from typing import Any

import pytest

from workers.engines.words import words


def pieces(*texts: str) -> list[dict[str, Any]]:
    """Half a second each."""
    return [
        {"word": text, "start": n / 2, "end": n / 2 + 0.5, "probability": 0.9 - n / 10} for n, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    ("texts", "written"),
    [
        ([" Vou", " dar", "-lhe", " isso", "."], ["Vou", "dar-lhe", "isso."]),
        ([" São", " 3", ",5", " quilos"], ["São", "3,5", "quilos"]),
        ([" R", "$", " 50"], ["R$", "50"]),
        ([" (", "sim", ")"], ["(sim)"]),
        ([" às", " 10", ":30", "!"], ["às", "10:30!"]),
        ([], []),
    ],
)
def test_a_word_is_what_is_written_between_spaces(texts: list[str], written: list[str]) -> None:
    assert [word.word for word in words(pieces(*texts), "pt", 60)] == written


def test_a_word_lasts_from_its_first_piece_to_its_last() -> None:
    """And is believed as little as the worst of them; punctuation has no say."""
    (word,) = words(pieces(" (", "dar", "-lhe", ")", "."), "pt", 60)

    assert (word.word, word.start, word.end) == ("(dar-lhe).", 0.5, 1.5)
    assert word.probability == pytest.approx(0.7)


def test_a_dash_between_words_is_a_word() -> None:
    assert [word.word for word in words(pieces(" sim", " —", " não"), "pt", 60)] == ["sim", "—", "não"]


def test_languages_without_spaces_keep_their_pieces() -> None:
    assert [word.word for word in words(pieces("你", "好", "。"), "zh", 60)] == ["你", "好。"]


def test_no_word_is_longer_than_its_audio() -> None:
    assert [word.end for word in words(pieces(" a", " b"), "pt", 0.7)] == [0.5, 0.7]
