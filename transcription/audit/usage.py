"""Reads `Usage`: what the home of the admin, its CSV and `/api/usage` show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from django.db.models import Max, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from transcription.audit import histogram
from transcription.audit.histogram import Histogram
from transcription.audit.rollup import Sums, day_begins
from transcription.models import Usage

DAYS, MOST_DAYS = 30, 366
PARTS = {"key": "api_key_name", "language": "language", "dialect": "dialect"}
"""What usage is split by, and may be narrowed to: the name in addresses, and the column."""
FIGURES = (
    "calls", "minutes", "refusals", "errors", "segments", "final_p50_ms", "final_p95_ms", "first_text_p50_ms",
    "first_text_p95_ms",
)  # fmt: skip
COUNTS, HISTOGRAMS = ("sessions", "refusals", "errors", "segments", "audio_ms"), ("finals", "first_texts")
"""The fields of `Sums`, in order."""

_decoder = msgspec.json.Decoder(Histogram)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of figures."""

    name: str
    sums: Sums
    begins: datetime | None = None
    ends: datetime | None = None

    @property
    def figures(self) -> dict[str, float | None]:
        """`FIGURES`: counts, minutes to a tenth, milliseconds whole; `None` where nothing was measured."""
        sums = self.sums
        counts: list[float | None] = [sums.sessions, round(sums.audio_ms / 60_000, 1)]
        counts += [sums.refusals, sums.errors, sums.segments]
        for latencies in (sums.finals, sums.first_texts):
            for share in (0.5, 0.95):
                ms = histogram.percentile(latencies, share)
                counts.append(None if ms is None else round(ms))
        return dict(zip(FIGURES, counts, strict=True))


@dataclass(frozen=True, slots=True)
class Report:
    """Days up to today, by the service's time zone."""

    made_at: datetime | None
    """When the latest of it was rolled up."""
    total: Line
    today: Line
    days: list[Line]
    hours: list[Line]
    """Of today."""
    parts: dict[str, list[Line]]
    """By what `PARTS` names, the most calls first."""

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "from": self.days[0].name,
            "to": self.days[-1].name,
            "time_zone": timezone.get_default_timezone_name(),
            "rolled_up_at": self.made_at.isoformat() if self.made_at else None,
            "total": self.total.figures,
            "today": self.today.figures,
            "days": _told("day", self.days),
            "hours": _told("hour", self.hours),
            **{f"{part}s": _told(part, lines) for part, lines in self.parts.items()},
        }

    def lines(self) -> Iterable[tuple[str, Line]]:
        """All of it, each line with what it is of: as CSV has it."""
        yield "total", self.total
        for kind, lines in (("day", self.days), ("hour", self.hours), *self.parts.items()):
            yield from ((kind, line) for line in lines)


def read(now: datetime, days: int = DAYS, narrowed: Mapping[str, str] | None = None) -> Report:
    """The last days, today included; `narrowed` to a key, a language, a dialect, by the names of `PARTS`."""
    today = timezone.localdate(now)
    dates = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    columns = {PARTS[part]: value for part, value in (narrowed or {}).items()}
    rows = Usage.objects.filter(start__gte=day_begins(dates[0]), **columns).order_by()
    by_day = {day: Sums() for day in dates}
    by_hour: dict[int, Sums] = {}
    by_who: dict[tuple[str, ...], Sums] = {}
    histograms = {f"{name}_text": Cast(name, TextField()) for name in HISTOGRAMS}  # Django's own decoder is slow
    columns_read = ("grain", "start", *PARTS.values(), *COUNTS, *histograms)
    for grain, start, *values in rows.annotate(**histograms).values_list(*columns_read):
        who, counts = tuple(values[: len(PARTS)]), values[len(PARTS) : -len(HISTOGRAMS)]
        sums = Sums(*counts, *map(_decoder.decode, values[-len(HISTOGRAMS) :]))
        local = timezone.localtime(start)
        if grain == Usage.Grain.DAY:
            by_who.setdefault(who, Sums()).plus(sums)
            if local.date() in by_day:
                by_day[local.date()].plus(sums)
        elif local.date() == today:
            by_hour.setdefault(local.hour, Sums()).plus(sums)
    total = Sums()
    by_part: dict[str, dict[str, Sums]] = {part: {} for part in PARTS}
    for who, sums in by_who.items():
        total.plus(sums)
        for part, name in zip(PARTS, who, strict=True):
            by_part[part].setdefault(name, Sums()).plus(sums)
    return Report(
        made_at=rows.aggregate(latest=Max("made_at"))["latest"],
        total=Line("", total),
        today=_day(today, by_day[today]),
        days=[_day(day, sums) for day, sums in by_day.items()],
        hours=[_hour(today, hour, by_hour.get(hour, Sums())) for hour in range(timezone.localtime(now).hour + 1)],
        parts={
            part: [Line(name, sums) for name, sums in sorted(names.items(), key=lambda item: -item[1].sessions)]
            for part, names in by_part.items()
        },
    )


def _day(day: date, sums: Sums) -> Line:
    return Line(day.isoformat(), sums, day_begins(day), day_begins(day + timedelta(days=1)))


def _hour(day: date, hour: int, sums: Sums) -> Line:
    begins = day_begins(day).replace(hour=hour)
    return Line(f"{hour:02}:00", sums, begins, begins + timedelta(hours=1))


def _told(kind: str, lines: Iterable[Line]) -> list[dict[str, Any]]:
    return [{kind: line.name, **line.figures} for line in lines]
