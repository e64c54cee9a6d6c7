"""How numbers are written: 2026, 15.000, 2,5 milhões."""

from decimal import Decimal

from transcription.core.text.items import Item

LONGEST_UNDIVIDED = 4
"""Digits that are written without points, as years and house numbers are."""


def shown(item: Item, *, divided: bool = False) -> str:
    """A number's digits with points between thousands, from five digits on or from four (`divided`).

    What is in digits already stays as it is.
    """
    digits = item.digits
    if not item.spoken or not digits.isdecimal() or digits.startswith("0"):
        return digits
    return grouped(int(digits)) if divided or len(digits) > LONGEST_UNDIVIDED else digits


def grouped(number: int) -> str:
    """With points between thousands."""
    return f"{number:,}".replace(",", ".")


def plain(value: Decimal) -> str:
    """For programs: 2500000, 0.5."""
    return f"{value:f}" if has_decimals(value) else f"{value:.0f}"


def has_decimals(value: Decimal) -> bool:
    """Whether it is not a whole number."""
    return value != value.to_integral_value()
