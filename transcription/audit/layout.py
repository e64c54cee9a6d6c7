"""Where everything of a session goes in its picture: rows of audio time, with bars, ticks and marks on them.

Pure layout: records in, coordinates out; `transcription/audit/svg.py` draws it. The horizontal axis is the session's
audio. What took time after speech (the final's latency, by stage) is drawn from where speech ended, which for a client
that streams in real time is also when it happened.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from transcription.audit.words import STAGES

LATENCY_STAGES = tuple(STAGES)
"""The fields of `core/session/trace.py` `Latency`, in order."""
ROW_SECONDS = (10, 20, 30, 60, 120, 300)
MAX_ROWS = 24


@dataclass(frozen=True, slots=True)
class TimelineSegment:
    """A segment as the timeline needs it (ms)."""

    segment_id: str
    start_ms: float
    duration_ms: float
    speech_end_ms: float | None = None
    latency: Mapping[str, float] = field(default_factory=dict)
    partials: Sequence[Sequence[float]] = ()
    failure: str = ""
    lane: str = ""
    """Who speaks, where several do: each has rows of their own."""

    @property
    def end_ms(self) -> float:
        """Where its endpoint is (ms of the session's audio)."""
        return self.start_ms + self.duration_ms

    @property
    def heard_ms(self) -> float:
        """Where speech was last heard in it (ms); its endpoint where that is not known."""
        return self.end_ms if self.speech_end_ms is None else self.speech_end_ms

    @property
    def answered_at_ms(self) -> float:
        """Where the bars of its latency end, which begin where speech ended (ms)."""
        return self.heard_ms + sum(self.latency.get(stage, 0.0) for stage in LATENCY_STAGES)


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """An event of the session, as `core/session/trace.py` keeps it."""

    t_ms: float
    what: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Bar:
    """What is drawn over a stretch of a row, in one lane by its kind."""

    kind: str
    """`speech`, `silence` (inside a segment, after speech), `failed`, or one of `LATENCY_STAGES`."""
    x: float
    """Share of the row, 0 to 1."""
    width: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What is drawn at a point of a row."""

    kind: str
    """`partial`, `final`, `error` or `event`."""
    x: float
    label: str
    level: float = 0.0
    """For a partial: its latency as a share of the row's slowest, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stretch of the session with what lies on it (s)."""

    start_s: float
    length_s: float
    skipped_s: float
    """Silence left out before it."""
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    lane: str = ""


def layout(segments: Sequence[TimelineSegment], events: Sequence[TimelineEvent]) -> list[Row]:
    """Rows of one length, as short as gives no more than `MAX_ROWS` stretches of time; those with nothing on them are
    left out. A stretch has a row a lane, the events on the first."""
    busy = [(segment.start_ms, segment.answered_at_ms) for segment in segments]
    busy += [(event.t_ms, event.t_ms) for event in events]
    numbers: list[int] = []
    for row_s in ROW_SECONDS:
        length_ms = row_s * 1000.0
        numbers = sorted({n for a, b in busy for n in range(int(a // length_ms), int(b // length_ms) + 1)})
        if len(numbers) <= MAX_ROWS:
            break
    skipped = [(then - now - 1) * row_s for now, then in pairwise(numbers)]
    lanes = sorted({segment.lane for segment in segments}) or [""]
    drawn = {}
    for lane in lanes:
        mine = [segment for segment in segments if segment.lane == lane]
        bars, marks = [bar for each in mine for bar in _bars(each)], [mark for each in mine for mark in _marks(each)]
        drawn[lane] = bars, marks + [_event(each) for each in events if lane == lanes[0]]
    rows = []
    for number, gap in zip(numbers, [0.0, *skipped], strict=False):
        for lane in lanes:
            bars, marks = drawn[lane]
            parts = tuple(part for bar in bars if (part := _part(bar, number * length_ms, length_ms)))
            here = [mark for mark in marks if int(mark.x // length_ms) == number]
            placed = tuple(replace(mark, x=mark.x / length_ms - number) for mark in here)
            rows.append(Row(number * row_s, row_s, gap if lane == lanes[0] else 0.0, parts, placed, lane))
    return rows


# Until they are put on a row, bars and marks lie at ms of the session.


def _bars(segment: TimelineSegment) -> Iterator[Bar]:
    name = segment.segment_id
    spoken = f"{name}, {segment.duration_ms / 1000:.1f} s"
    yield Bar("failed" if segment.failure else "speech", segment.start_ms, segment.heard_ms - segment.start_ms, spoken)
    silent = _("{name}, silence before the endpoint").format(name=name)
    yield Bar("silence", segment.heard_ms, segment.end_ms - segment.heard_ms, silent)
    at_ms = segment.heard_ms
    for stage in LATENCY_STAGES:
        took_ms = segment.latency.get(stage, 0.0)
        yield Bar(stage, at_ms, took_ms, f"{name}, {STAGES[stage]} {took_ms:.0f} ms")
        at_ms += took_ms


def _marks(segment: TimelineSegment) -> Iterator[Mark]:
    name = segment.segment_id
    slowest = max((partial[1] for partial in segment.partials), default=0.0)
    for audio_end_ms, latency_ms, chars in segment.partials:
        label = ngettext(
            "{name}, partial of {chars:g} character after {ms:.0f} ms",
            "{name}, partial of {chars:g} characters after {ms:.0f} ms",
            int(chars),
        ).format(name=name, chars=chars, ms=latency_ms)
        yield Mark("partial", audio_end_ms, label, latency_ms / slowest if slowest else 0.0)
    waited_ms = segment.answered_at_ms - segment.heard_ms
    if segment.failure:
        told = _("{name}, no transcript after {ms:.0f} ms: {failure}")
        label = told.format(name=name, ms=waited_ms, failure=segment.failure)
        yield Mark("error", segment.answered_at_ms, label)
    elif segment.latency:
        label = _("{name}, final after {ms:.0f} ms").format(name=name, ms=waited_ms)
        yield Mark("final", segment.answered_at_ms, label)


def _event(event: TimelineEvent) -> Mark:
    times = f" ({event.times}×)" if event.times > 1 else ""
    is_error = event.what.split()[0].strip(":").isupper()  # error codes are, see core/session/trace.py
    return Mark("error" if is_error else "event", event.t_ms, f"{event.what}{times}")


def _part(bar: Bar, start_ms: float, length_ms: float) -> Bar | None:
    """What of a bar lies on a row."""
    left, right = max(bar.x, start_ms), min(bar.x + bar.width, start_ms + length_ms)
    return replace(bar, x=(left - start_ms) / length_ms, width=(right - left) / length_ms) if right > left else None
