"""Reads the corpus: sentences as spoken and as they should be written, with their entities marked."""

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_MARK = re.compile(r"\{(\w+):([^=}]*)(?:=([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line."""

    spoken: str
    written: str
    entities: list[tuple[str, str, str]]
    """Type, text and value."""


def read(half: str) -> list[Sentence]:
    """The sentences of `fixed` or `unseen`."""
    lines = (HERE / f"{half}.tsv").read_text().splitlines()
    return [_sentence(*line.split("\t")) for line in lines]


def _sentence(spoken: str, marked: str) -> Sentence:
    entities = [(kind, text, value or _value(kind, text)) for kind, text, value in _MARK.findall(marked)]
    return Sentence(spoken, _MARK.sub(r"\2", marked), entities)


def _value(kind: str, text: str) -> str:
    """What is left out of the mark: the digits that are written."""
    if kind in ("email", "plate", "time"):
        return text
    return re.sub(r"[^\d.-]", "", text.replace(".", "").replace(",", "."))
