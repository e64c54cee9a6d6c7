"""Licence plates, after the word "placa": three letters, then 1A23 (Mercosul) or 1234."""

import re

from transcription.core.text.items import Items, Match
from transcription.core.text.letters import NAMES

_LABELS = frozenset({"placa", "placas"})
_REACH = 8
_LENGTH = 7
_PLATE = re.compile(r"[A-Z]{3}\d[A-Z\d]\d{2}")
_WRITTEN = re.compile(r"([A-Z]{3})-?(\d[A-Z\d]\d{2})")
_THREE = re.compile("[A-Za-z]{3}")
_BEGIN = re.compile(r"[A-Za-z]{3}(?:-?\d|$)")


def plate(items: Items, at: int) -> Match | None:
    """Letters and digits written together, one by one, or by their names."""
    if items.said.isdisjoint(_LABELS):
        return None
    item = items[at]
    if item.kind != "word" or not (item.key in NAMES or _BEGIN.match(item.text)):
        return None
    if not items.before(at, _LABELS, _REACH):
        return None
    if found := _WRITTEN.fullmatch(item.text.upper()):
        return _match(found[1] + found[2], at + 1)
    signs, stop = "", at
    if _THREE.fullmatch(item.text):
        signs, stop = items[at].text, at + 1 + (items[at + 1].key == "-")
    while len(signs) < _LENGTH and (sign := _sign(items, stop)):
        signs, stop = signs + sign, stop + 1
    return _match(signs.upper(), stop) if _PLATE.fullmatch(signs.upper()) else None


def _sign(items: Items, at: int) -> str:
    """A letter, or the digits of a number."""
    item = items[at]
    return item.digits if item.is_integer else NAMES.get(item.key, "")


def _match(signs: str, stop: int) -> Match:
    mercosul = signs[4].isalpha()
    return Match(stop, "plate", signs if mercosul else f"{signs[:3]}-{signs[3:]}", signs)
