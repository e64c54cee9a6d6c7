"""The same numbers as NeMo's Portuguese grammars read (by itntext), where these are known to be right.

Not compared: what they do not know ("meio por cento", "meia" among digits, single digits) or get wrong (a CPF read out
becomes a telephone number).
"""

import random
import re

import pytest
from itntext import Normalizer

from tests.core.text import generate
from transcription.core.text.formatting import format_text


@pytest.fixture(scope="module")
def nemo() -> Normalizer:
    return Normalizer(lang="pt", operator="itn")


def digits(text: str) -> str:
    """Without leading zeros, which NeMo writes in days, and points."""
    return " ".join(part.lstrip("0") or "0" for part in re.findall(r"\d+", text.replace(".", "")))


@pytest.mark.parametrize("kind", ["money", "percent", "number", "ordinal", "date"])
def test_numbers_are_read_as_nemo_reads_them(kind: str, nemo: Normalizer) -> None:
    """By the rules the corpus was made with, but not from it; no dates with months in numbers."""
    rng = random.Random(23)
    said = [generate.MAKERS[kind](rng)[0] for _ in range(200)]
    said = [text for text in said if " do " not in text]

    assert len(said) > 100
    assert {text: digits(format_text(text).text) for text in said} == {
        text: digits(nemo.normalize(text)) for text in said
    }
