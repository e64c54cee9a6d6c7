"""What stands in a text for what is redacted from it (`redaction.py`)."""

from typing import get_args

from transcription.core.protocol import RedactType
from transcription.core.text.items import Item

PLACEHOLDERS: dict[RedactType, str] = {kind: f"[{kind.upper()}]" for kind in get_args(RedactType)}
DIGITS = "[NUMBER]"
"""For digits of which nobody knows what they belong to."""
_KINDS = {text: kind for kind, text in PLACEHOLDERS.items()}
PATTERN = "|".join(rf"\[{text[1:-1]}\]" for text in (*PLACEHOLDERS.values(), DIGITS))


def placeholder(text: str, start: int, end: int) -> Item:
    """An entity without its value; digits are a word like others."""
    if text == DIGITS:
        return Item("word", text, start, end, key=text)
    return Item("entity", text, start, end, type=_KINDS[text])


def is_placeholder(text: str) -> bool:
    """Whether it is one that stands for an entity."""
    return text in _KINDS
