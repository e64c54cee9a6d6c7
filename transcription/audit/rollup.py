"""Makes `Usage` of sessions, a day at a time: hours of the last days, and days for good.

A day, by the service's time zone, is made anew while sessions of it go on, so that a roll-up may be run at any time,
twice, or after a pause. One that is over never shrinks: sessions purged or erased since have been counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Max, Min, Sum
from django.utils import timezone

from transcription.audit import histogram
from transcription.audit.histogram import Histogram
from transcription.core.protocol import EndReason
from transcription.models import Refusal, Segment, Session, Usage

HOURS_KEPT = timedelta(days=3)
LATE = timedelta(minutes=2)
"""Records may be written so long after what they tell of."""
FETCHED = 5_000


class Who(NamedTuple):
    """Whose use it is, and of what."""

    api_key_name: str
    language: str
    dialect: str


@dataclass(slots=True)
class Sums:
    """What one hour or day adds up to."""

    sessions: int = 0
    refusals: int = 0
    errors: int = 0
    segments: int = 0
    audio_ms: float = 0.0
    finals: Histogram = field(default_factory=dict)
    first_texts: Histogram = field(default_factory=dict)

    def plus(self, other: "Sums") -> None:
        """Add another's."""
        self.sessions += other.sessions
        self.refusals += other.refusals
        self.errors += other.errors
        self.segments += other.segments
        self.audio_ms += other.audio_ms
        histogram.add(self.finals, other.finals)
        histogram.add(self.first_texts, other.first_texts)


def roll_up(now: datetime) -> int:
    """Make what is missing or has changed; how many days that were."""
    today = timezone.localdate(now)
    days = [day for day in _days(today) if _stale(day, today)]
    for day in days:
        _make(day, now, keeps_hours=day_begins(day) > now - HOURS_KEPT, over=day < today)
    Usage.objects.filter(grain=Usage.Grain.HOUR, start__lt=now - HOURS_KEPT).delete()
    Refusal.objects.filter(at__lt=now - HOURS_KEPT).delete()
    return len(days)


def day_begins(day: date) -> datetime:
    """Its first moment, by the service's time zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


def _days(today: date) -> Iterator[date]:
    """From the day before the last that was made; where none was, from the first session on."""
    last = Usage.objects.filter(grain=Usage.Grain.DAY).aggregate(last=Max("start"))["last"]
    first = last or Session.objects.aggregate(first=Min("started_at"))["first"]
    day = timezone.localdate(first) - timedelta(days=int(last is not None)) if first else today
    while day <= today:
        yield day
        day += timedelta(days=1)


def _stale(day: date, today: date) -> bool:
    begins, ends = _bounds(day)
    made = Usage.objects.filter(grain=Usage.Grain.DAY, start=begins).aggregate(made=Max("made_at"))["made"]
    sessions = Session.objects.filter(started_at__gte=begins, started_at__lt=ends)
    if made is None or day == today:
        return day == today or sessions.exists() or Refusal.objects.filter(at__gte=begins, at__lt=ends).exists()
    return made < ends + LATE or sessions.filter(ended_at__gte=made - LATE).exists()


def _bounds(day: date) -> tuple[datetime, datetime]:
    return day_begins(day), day_begins(day + timedelta(days=1))


def _make(day: date, now: datetime, *, keeps_hours: bool, over: bool) -> None:
    begins, ends = _bounds(day)
    hours = _hours(begins, ends)
    whole: dict[Who, Sums] = {}
    for (_, who), sums in hours.items():
        whole.setdefault(who, Sums()).plus(sums)
    made = Usage.objects.filter(start__gte=begins, start__lt=ends)
    with transaction.atomic():
        if over and _counted(begins) > sum(sums.sessions for sums in whole.values()):
            return
        made.delete()
        rows = [_row(Usage.Grain.DAY, begins, who, sums, now) for who, sums in whole.items()]
        if keeps_hours:
            rows += [_row(Usage.Grain.HOUR, hour, who, sums, now) for (hour, who), sums in hours.items()]
        Usage.objects.bulk_create(rows, batch_size=500)


def _counted(begins: datetime) -> int:
    return Usage.objects.filter(grain=Usage.Grain.DAY, start=begins).aggregate(all=Sum("sessions"))["all"] or 0


def _row(grain: str, start: datetime, who: Who, sums: Sums, now: datetime) -> Usage:
    counts = {name: getattr(sums, name) for name in Sums.__slots__}
    return Usage(grain=grain, start=start, made_at=now, **who._asdict(), **counts)


def _hours(begins: datetime, ends: datetime) -> dict[tuple[datetime, Who], Sums]:
    """A day's sums by the hour, from its records."""
    hours: dict[tuple[datetime, Who], Sums] = {}
    of_session: dict[int, Sums] = {}

    def at(moment: datetime, *who: str) -> Sums:
        hour = timezone.localtime(moment).replace(minute=0, second=0, microsecond=0)
        return hours.setdefault((hour, Who(*who)), Sums())

    whose = ("api_key_name", "language", "dialect")
    sessions = Session.objects.filter(started_at__gte=begins, started_at__lt=ends).order_by()
    rows = sessions.values_list("pk", "started_at", *whose, "reason", "total_audio_ms", "total_segments", "errors")
    for pk, started_at, key, language, dialect, reason, audio_ms, segments, errors in rows.iterator(FETCHED):
        sums = of_session[pk] = at(started_at, key, language, dialect)
        if reason == EndReason.RESUMED:
            continue  # it is counted where it went on, with all its audio
        sums.sessions += 1
        sums.audio_ms += audio_ms
        sums.segments += segments
        sums.errors += errors
    for session, final_ms, first_ms in _latencies(begins, ends):
        if sums_of := of_session.get(session):  # not one that began meanwhile
            histogram.add(sums_of.finals, {histogram.bucket(final_ms): 1})
            histogram.add(sums_of.first_texts, {histogram.bucket(first_ms): 1})
    for moment, *who, count in Refusal.objects.filter(at__gte=begins, at__lt=ends).values_list("at", *whose, "count"):
        at(moment, *who).refusals += count
    return hours


def _latencies(begins: datetime, ends: datetime) -> Iterator[tuple[int, float, float]]:
    """Of each final of the day's sessions: whose it is, its latency, and that of its segment's first text (ms)."""
    finals = Segment.objects.filter(
        session__started_at__gte=begins, session__started_at__lt=ends, failure="", latency_ms__isnull=False
    ).order_by()
    columns = ("session_id", "latency_ms", "start_ms", "duration_ms", "speech_end_ms", "partials")
    for session, final_ms, start_ms, duration_ms, heard_ms, partials in finals.values_list(*columns).iterator(FETCHED):
        spoken_ms = duration_ms if heard_ms is None else heard_ms - start_ms
        shown = ((end_ms - start_ms + took_ms) for end_ms, took_ms, chars in partials if chars)
        yield session, final_ms, next(shown, spoken_ms + final_ms)
