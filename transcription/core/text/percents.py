"""Percentages: `vinte e cinco por cento` is 25%."""

from decimal import Decimal

from transcription.core.text.amounts import plain, shown
from transcription.core.text.items import Items, Match

_HALF = Decimal("0.5")


def percent(items: Items, at: int) -> Match | None:
    """A number, or "meio", and "por cento"; "menos" before it."""
    negative = items[at].key == "menos"
    number = at + negative
    stop = number + 3 if items.keys(number + 1, "por", "cento") else number + 2
    if stop == number + 2 and items[number + 1].key not in {"porcento", "%"}:
        return None
    sign = "-" * negative
    if items[number].key == "meio":
        return Match(stop, "percent", f"{sign}0,5%", f"{sign}{plain(_HALF)}")
    if items[number].kind != "number":
        return None
    return Match(stop, "percent", f"{sign}{shown(items[number])}%", f"{sign}{plain(items[number].value)}")
