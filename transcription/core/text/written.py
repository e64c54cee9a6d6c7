"""What is written as an entity already: it stays, if it can be what it looks like."""

from transcription.core.protocol import EntityType
from transcription.core.text import check_digits, dates, digit_kinds
from transcription.core.text.amounts import plain
from transcription.core.text.items import Items, Match
from transcription.core.text.placeholders import is_placeholder
from transcription.core.text.tokens import decimal


def written(items: Items, at: int) -> Match | None:
    """An entity that needs no other item."""
    item = items[at]
    kind, text = item.type, item.text
    if kind is None or kind == "time":
        return None
    if is_placeholder(text):
        return Match(at + 1, kind, text, "")
    value = _value(kind, text)
    if kind == "cpf" and value:
        text, _ = digit_kinds.written(kind, value)
    return Match(at + 1, kind, text, value) if value else None


def _value(kind: EntityType, text: str) -> str | None:
    digits = "".join(sign for sign in text if sign.isalnum())
    match kind:
        case "cpf":
            return digits if check_digits.is_cpf(digits) else None
        case "cnpj":
            return digits if check_digits.is_cnpj(digits) else None
        case "date":
            return dates.from_digits(text)
        case "percent":
            return plain(decimal(text.rstrip("% ")))
        case "email":
            return text.lower()
    return digits
