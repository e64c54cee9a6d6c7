"""Times of day: `às quinze e trinta` is às 15:30, `às duas e meia da tarde` is às 2:30 da tarde.

Hours are times after "às" and the like or before "da tarde"; otherwise they may be a length of time, and stay numbers.
Values are of 24 hours: 14:30.
"""

from dataclasses import dataclass

from transcription.core.text.follow import goes_on
from transcription.core.text.items import Items, Match

_AT = frozenset({"às", "à"})
_FROM = frozenset({"das", "pelas", "até", "são", "eram", "umas", "as", "é", "era", "da"})
"""Before a time, but before other things too."""
_NOON = 12
_OF_HOURS = frozenset({"das", "pelas"})
_TO = frozenset({"às", "as", "até", "à", "ao"})
_HOURS = frozenset({"hora", "horas", "h"})
_MINUTES = frozenset({"minuto", "minutos"})
_PARTS = frozenset("manhã tarde noite madrugada".split())
NOONS = {"meio-dia": 12, "meia-noite": 0}
_TO_THE = frozenset({"pras", "pra"})
_TWENTY_AND = range(25, 30)
"""`às vinte e cinco` is 20:05: no clock shows 25."""
_LEFT = frozenset({5, 10, 15, 20, 25})


@dataclass(frozen=True, slots=True)
class _Clock:
    """What a clock shows."""

    hour: int
    minute: int
    stop: int
    hours_said: bool = False
    minutes_said: bool = False


def time(items: Items, at: int) -> Match | None:
    """A time of day."""
    if items[at].type == "time":
        return _written(items, at)
    if items[at].key in NOONS:
        return _noon(items, at)
    if items[at - 1].key in {"ao", "à"} and (noon := f"{items[at].key}-{items[at + 1].key}") in NOONS:
        return Match(at + 2, "time", f"{items[at].text} {items[at + 1].text}", _value(NOONS[noon], 0, ""))
    if clock := _before_the_hour(items, at):
        return _match(clock, *_part(items, clock.stop))
    clock = _clock(items, at)
    if clock is None:
        return None
    part, stop = _part(items, clock.stop)
    return _match(clock, part, stop) if part or _is_told(items, at, clock) else None


def from_digits(text: str) -> tuple[int, int] | None:
    """Hour and minute of a time written in digits, 15:30 or 15h30; `None` where no clock shows it."""
    hours, _, minutes = text.rstrip("min").replace("h", ":").partition(":")
    hour, minute = int(hours), int(minutes or 0)
    return (hour, minute) if _shows(hour, minute) else None


def _written(items: Items, at: int) -> Match | None:
    found = from_digits(items[at].text)
    if found is None:
        return None
    part, stop = _part(items, at + 1)
    text = f"{items[at].text} {part}".strip()
    return Match(stop, "time", text, _value(*found, part))


def _match(clock: _Clock, part: str, stop: int) -> Match:
    text = f"{clock.hour}:{clock.minute:02} {part}".strip()
    return Match(stop, "time", text, _value(clock.hour, clock.minute, part))


def _clock(items: Items, at: int) -> _Clock | None:
    """An hour, and minutes if they follow."""
    hour = items[at]
    if hour.spoken and hour.value in _TWENTY_AND:
        return _Clock(20, int(hour.value) - 20, at + 1)
    if not hour.is_integer or not 0 <= hour.value <= 24 or len(hour.digits) > 2:
        return None
    said = items[at + 1].key in _HOURS
    clock = _Clock(int(hour.value), 0, at + 1 + said, hours_said=said)
    minutes = items[clock.stop + 1]
    if items[clock.stop].key != "e":
        return clock
    if minutes.key == "meia":
        return _Clock(clock.hour, 30, clock.stop + 2, said, minutes_said=True)
    if not minutes.is_integer or not 0 < minutes.value < 60 or not _shows(clock.hour, int(minutes.value)):
        return clock
    stop = clock.stop + 2 + (items[clock.stop + 2].key in _MINUTES)
    return _Clock(clock.hour, int(minutes.value), stop, said, minutes_said=True)


def _before_the_hour(items: Items, at: int) -> _Clock | None:
    """`quinze para as três`."""
    left = items[at]
    if not left.is_integer or left.value not in _LEFT or items[at - 1].key in {"faltam", "falta"}:
        return None
    to = at + 1 + (items[at + 1].key in _MINUTES)
    if items[to].key in _TO_THE:
        to += 1
    elif items.keys(to, frozenset({"para", "pra"}), frozenset({"as", "às", "a", "à", "o"})):
        to += 2
    else:
        return None
    hour = items[to]
    if not hour.is_integer or not 1 <= hour.value <= 12 or (not _part(items, to + 1)[0] and goes_on(items, to + 1)):
        return None
    return _Clock((int(hour.value) - 2) % 12 + 1, 60 - int(left.value), to + 1)


def _noon(items: Items, at: int) -> Match | None:
    """`meio-dia`, `meio-dia e meia`."""
    hour, minutes = NOONS[items[at].key], items[at + 2]
    if items[at + 1].key == "e":
        if minutes.key == "meia":
            return _match(_Clock(hour, 30, at + 3), "", at + 3)
        if minutes.is_integer and 0 < minutes.value < 60 and not goes_on(items, at + 3):
            return _match(_Clock(hour, int(minutes.value), at + 3), "", at + 3)
    return Match(at + 1, "time", items[at].text, _value(hour, 0, ""))


def _part(items: Items, at: int) -> tuple[str, int]:
    """`da tarde`, and the item after it."""
    if items[at].key == "da" and items[at + 1].key in _PARTS:
        return f"da {items[at + 1].key}", at + 2
    return "", at


def _is_told(items: Items, at: int, clock: _Clock) -> bool:
    """Whether what stands around says that it is a time of day."""
    before = items[at - 1].key
    ends = not goes_on(items, clock.stop)
    if before in _AT:
        return clock.hours_said or clock.minutes_said or ends
    if before in _FROM and (clock.minutes_said or clock.hours_said):
        return items[clock.stop].key in _TO or (ends and (clock.minutes_said or before in _OF_HOURS))
    past_noon = clock.hours_said and clock.minutes_said and clock.hour > _NOON and ends
    return past_noon or (before == "das" and items[clock.stop].key in _TO)


def _value(hour: int, minute: int, part: str) -> str:
    """By a clock of 24 hours."""
    if part in {"da tarde", "da noite"} and 1 <= hour < 12:
        hour += 12
    elif part in {"da noite", "da madrugada"} and hour == 12:
        hour = 0
    return f"{hour:02}:{minute:02}"


def _shows(hour: int, minute: int) -> bool:
    return (hour <= 23 and minute <= 59) or (hour == 24 and minute == 0)
