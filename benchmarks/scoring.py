"""Word error rate of Portuguese transcripts, after the usual normalisation on both sides."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
from num2words import num2words

_ORDINAL = re.compile(r"(?<!\d)(\d{1,3})\s?([ºª])")
_THOUSANDS = re.compile(r"(?<=\d)\.(?=\d{3}(?!\d))")
_NUMBER = re.compile(r"\d+(?:,\d+)?")
_PUNCTUATION = re.compile(r"[^\w\s]|_")

SPELLED_WHOLE = 15
"""Digits up to which a number is one number; longer strings (cards, barcodes) are read digit by digit."""


@dataclass(frozen=True, slots=True)
class Score:
    """Word errors over a set of clips."""

    words: int
    """Words in the references."""
    substitutions: int
    deletions: int
    insertions: int

    @property
    def wer(self) -> float:
        """Word error rate, 0 to 1 (and above, when much is invented)."""
        return (self.substitutions + self.deletions + self.insertions) / max(1, self.words)


def normalise(text: str) -> str:
    """Lower case, numbers spelled out, hyphens opened, punctuation dropped; accents stay."""
    text = unicodedata.normalize("NFC", text).lower()
    text = _ORDINAL.sub(_ordinal, text)
    text = _NUMBER.sub(_cardinal, _THOUSANDS.sub("", text))
    return " ".join(_PUNCTUATION.sub(" ", text).split())


def score(references: Sequence[str], hypotheses: Sequence[str]) -> Score:
    """Score transcripts against what was said, pair by pair, words pooled."""
    pairs = [(normalise(said), normalise(heard)) for said, heard in zip(references, hypotheses, strict=True)]
    spoken = [(said, heard) for said, heard in pairs if said]
    invented = sum(len(heard.split()) for said, heard in pairs if not said)
    if not spoken:
        return Score(words=0, substitutions=0, deletions=0, insertions=invented)
    output = jiwer.process_words([said for said, _ in spoken], [heard for _, heard in spoken])
    return Score(
        words=output.hits + output.substitutions + output.deletions,
        substitutions=output.substitutions,
        deletions=output.deletions,
        insertions=output.insertions + invented,
    )


def _ordinal(match: re.Match[str]) -> str:
    words = num2words(int(match[1]), lang="pt_BR", to="ordinal")
    return _feminine(words) if match[2] == "ª" else words


def _feminine(ordinal: str) -> str:
    return re.sub(r"o\b", "a", ordinal)


def _cardinal(match: re.Match[str]) -> str:
    digits = match[0]
    if len(digits) > SPELLED_WHOLE:
        return " ".join(num2words(int(digit), lang="pt_BR") for digit in digits if digit.isdigit())
    number = float(digits.replace(",", ".")) if "," in digits else int(digits)
    return f" {num2words(number, lang='pt_BR')} "
