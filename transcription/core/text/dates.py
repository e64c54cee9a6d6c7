"""Dates: `cinco de março de dois mil e vinte e seis` is 5 de março de 2026, `quinze do três de …` is 15/03/…

Values are ISO 8601: 2026-03-05; 2026-03 where no day was said, --03-05 where no year was.
"""

from transcription.core.text.items import Items, Match
from transcription.core.text.numbers import FEMININE

MONTHS = {
    name: number
    for number, name in enumerate(
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split(), 1
    )
}
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_STREETS = frozenset(
    "rua avenida av praça travessa alameda largo vila bairro escola colégio hospital rodovia estação metrô viaduto"
    " ponte parque".split()
)
_OF = frozenset({"de", "do", "/", "barra", "-"})


def date(items: Items, at: int) -> Match | None:
    """A day and a month, a month and a year, or all three; not in a street's name."""
    if items[at].key in MONTHS:
        year = _year(items, at + 2) if items[at + 1].key in {"de", "do"} else None
        value = f"{year}-{MONTHS[items[at].key]:02}"
        return Match(at + 3, "date", f"{items[at].text} de {year}", value) if year else None
    day = _day(items, at)
    if not day or items[at - 1].key in _STREETS:
        return None
    if items[at + 1].key == "de" and items[at + 2].key in MONTHS:
        return _in_words(items, at, day)
    return _in_numbers(items, at, day)


def from_digits(text: str) -> str | None:
    """The value of a date written in digits, 05/03/2026 or 2026-03-05; `None` where there is no such day."""
    if "-" in text:
        year, month, day = (int(part) for part in text.split("-"))
    else:
        day, month, year = (int(part) for part in text.replace(".", "/").split("/"))
    full = _full_year(year) if year < 100 else year
    return f"{full:04}-{month:02}-{day:02}" if full and _exists(day, month, full) else None


def _day(items: Items, at: int) -> int:
    """The day of a month said here; 0 for none."""
    item = items[at]
    if item.kind == "ordinal":
        return int(item.value == 1)
    return int(item.value) if item.is_integer and 1 <= item.value <= 31 and item.key not in FEMININE else 0


def _in_words(items: Items, at: int, day: int) -> Match | None:
    month = MONTHS[items[at + 2].key]
    said = items[at].digits if items[at].kind == "ordinal" or not items[at].spoken else str(day)
    text = f"{said} de {items[at + 2].text}"
    year = _year(items, at + 4) if items[at + 3].key in {"de", "do"} else None
    if year and _exists(day, month, year):
        return Match(at + 5, "date", f"{text} de {year}", f"{year}-{month:02}-{day:02}")
    if year or day > _DAYS[month - 1]:
        return None
    return Match(at + 3, "date", text, f"--{month:02}-{day:02}")


def _in_numbers(items: Items, at: int, day: int) -> Match | None:
    month, year = items[at + 2], items[at + 4]
    spoken = {items[at + 1].key, items[at + 3].key}
    if not spoken <= _OF or "de" in {items[at + 1].key} or not month.is_integer or not year.is_integer:
        return None
    if not 1 <= month.value <= 12 or not (10 <= year.value <= 99 or year.value >= 1900):
        return None
    full = int(year.value) if year.value > 99 else _full_year(int(year.value))
    if not full or full > 2100 or not _exists(day, int(month.value), full):
        return None
    shown = full if year.value > 99 else int(year.value)
    number = int(month.value)
    return Match(at + 5, "date", f"{day:02}/{number:02}/{shown}", f"{full}-{number:02}-{day:02}")


def _year(items: Items, at: int) -> int | None:
    """The year of four digits said here."""
    item = items[at]
    whole = item.kind == "number" and item.digits.replace(".", "").isdecimal() and len(item.text) >= 4
    return int(item.value) if whole and 1000 <= item.value <= 2999 else None


def _full_year(year: int) -> int | None:
    """Of two digits; `None` where they may be of either century."""
    return 2000 + year if year <= 30 else 1900 + year if year >= 40 else None


def _exists(day: int, month: int, year: int) -> bool:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] - (month == 2 and not leap)
