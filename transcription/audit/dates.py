"""The years, months and days that a list may be narrowed to, without reading the table for them.

Django's own `date_hierarchy` tag truncates the date of every row; on SQLite that is a call into Python each.
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext


@dataclass(frozen=True, slots=True)
class Choices:
    """What to offer: each a label and the lookups it stands for, and the way back."""

    choices: list[tuple[str, dict[str, int]]]
    back: tuple[str, dict[str, int]] | None


def choices(field: str, chosen: Mapping[str, str], first: date, last: date) -> Choices:
    """The level below what is chosen (`<field>__year` and so on), between the table's first and last date."""
    names = [f"{field}__{part}" for part in ("year", "month", "day")]
    parts = [int(chosen[name]) for name in names if chosen.get(name, "").isdigit()]
    below = [dict(zip(names, [*parts, value], strict=False)) for value in _values(parts, first, last)]
    labelled = [(_label(list(lookups.values())), lookups) for lookups in below]
    if not parts:
        return Choices(labelled, None)
    above = dict(zip(names, parts[:-1], strict=False))
    return Choices(labelled, (_label(parts[:-1]), above))


def _values(parts: list[int], first: date, last: date) -> list[int]:
    match parts:
        case []:
            return list(range(first.year, last.year + 1))
        case [year]:
            return [
                month for month in range(1, 13) if (first.year, first.month) <= (year, month) <= (last.year, last.month)
            ]
        case [year, month] if 1 <= month <= 12 and 1 <= year <= 9999:
            days = calendar.monthrange(year, month)[1]
            return [day for day in range(1, days + 1) if first <= date(year, month, day) <= last]
    return []


def _label(parts: list[int]) -> str:
    """`All dates`, `2026`, `2026-11`, `2026-11-22`."""
    return "-".join(f"{part:02}" for part in parts) or gettext("All dates")
