"""Cuts a sentence into words, signs, numbers in digits, and what is written as an entity already."""

import re
from collections.abc import Iterator
from decimal import Decimal

from transcription.core.protocol import EntityType
from transcription.core.text import placeholders
from transcription.core.text.items import Item

NUMBER = r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:,\d+)?"
_FREE = r"(?![\w/]|[.,:]\d|-[^\W\d])"
"""What a number may not be followed by: it would be part of something longer."""

_WRITTEN: dict[EntityType, str] = {
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "cnpj": r"[\dA-Z]{2}\.[\dA-Z]{3}\.[\dA-Z]{3}/[\dA-Z]{4}-\d{2}(?![\d-])",
    "cpf": r"\d{3}\.\d{3}\.\d{3}[.-]\d{2}(?![\d-])",
    "phone": r"(?:\+55 ?)?\(\d{2}\) ?9?\d{4}-\d{4}(?!\d)|0[358]00 \d{3} ?\d{3,4}(?![\d-])",
    "card": r"(?:\*{4} ){3}\d{4}(?!\d)",
    "date": r"\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})(?![\d/])|\d{2}\.\d{2}\.\d{4}(?![\d.])|\d{4}-\d{2}-\d{2}(?![\d-])",
    "time": r"\d{1,2}:\d{2}(?![\d:])|\d{1,2}h(?:\d{2}(?:min)?)?(?!\w)",
    "percent": rf"-?(?:{NUMBER}) ?%",
    "ordinal": r"\d+[ºª](?!\w)",
}
_TOKEN = re.compile(
    rf"(?P<hidden>{placeholders.PATTERN})|"
    r"(?P<plain>[^\W\d_]+(?=[\s,;:!?]|\.?(?:\s|$)))|(?P<symbol>R\$|US\$)|(?P<opaque>https?://\S*[\w/]|www\.\S*[\w/])|"
    + "|".join(rf"(?P<{kind}>(?<![\w,.*+-])(?:{pattern}))" for kind, pattern in _WRITTEN.items())
    + r"|(?P<long>(?!\d(?:-\d)+(?!\d))\d+(?:[./-]\d+){4,})"
    + rf"|(?P<number>(?:(?<!\S)-)?(?<![\w.,:/])(?:{NUMBER}){_FREE})"
    r"|(?P<word>[^\W\d_](?:[\w'\u2019.-]*\w)?|\d(?:[\w'\u2019.,:/-]*\w)?|_)"
    r"|(?P<sign>\S)"
)


def tokens(sentence: str) -> Iterator[Item]:
    """A sentence's items, the numbers in words not found yet."""
    for found in _TOKEN.finditer(sentence):
        text, (start, end) = found[0], found.span()
        match found.lastgroup:
            case "plain" | "word" | "opaque" | "long":
                yield Item("word", text, start, end, text.lower())
            case "sign" | "symbol":
                yield Item("sign", text, start, end, text)
            case "number":
                yield Item("number", text, start, end, digits=text, value=decimal(text))
            case "ordinal":
                yield Item("ordinal", text, start, end, digits=text, value=Decimal(text[:-1]), words=2)
            case "hidden":
                yield placeholders.placeholder(text, start, end)
            case kind:
                assert kind in _WRITTEN
                yield Item("entity", text, start, end, type=kind)


def decimal(written: str) -> Decimal:
    """The value of digits as Brazilians write them."""
    return Decimal(written.replace(".", "").replace(",", "."))
