"""Draws a session's timeline as SVG. Colours are classes, so that the page's style sheet follows its theme."""

from collections.abc import Iterator, Sequence

from django.utils.functional import Promise
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from transcription.audit.layout import LATENCY_STAGES, Bar, Mark, Row
from transcription.audit.words import STAGES

WIDTH, LEFT, RIGHT = 1200, 60, 14
ROW_HEIGHT, AXIS_Y = 92, 62
LANES = {"speech": 22, "silence": 22, "failed": 22, **dict.fromkeys(LATENCY_STAGES, 42)}
"""Where a bar's top is in its row."""
BAR_HEIGHT = 16
PARTIAL_HEIGHT = 16
LANE_CHARS = 9
"""Of the name of who speaks there is room for."""
TICKS = 10
"""Parts of a row that the axis marks."""
LEGEND: tuple[tuple[str, Promise], ...] = (
    ("speech", _("speech")), ("silence", _("silence up to the endpoint")), ("failed", _("speech without a transcript")),
    *STAGES.items(),
    ("partial", _("partial, the taller the later")), ("final", _("final sent")),
    ("error", _("error")), ("event", _("event")),
)  # fmt: skip
"""Classes and what they stand for."""


def draw(rows: Sequence[Row]) -> SafeString:
    """The picture; every bar and mark says what it is when pointed at."""
    called = gettext("Timeline of the session: speech, partials, finals and their latency")
    shapes = "".join(shape for number, row in enumerate(rows) for shape in _row(row, number * ROW_HEIGHT))
    return mark_safe(  # noqa: S308 - labels are escaped where they are put in
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {len(rows) * ROW_HEIGHT}" role="img" '
        f'aria-label="{escape(called)}">{shapes}</svg>'
    )


def swatch(kind: str) -> SafeString:
    """A legend's sample of a bar or mark."""
    shape = (
        f'<rect class="{kind}" width="16" height="12" y="2"/>' if kind in LANES else _shape(Mark(kind, 0, "", 1), 8, 14)
    )
    return mark_safe(f'<svg class="timeline-swatch" viewBox="0 0 16 16" aria-hidden="true">{shape}</svg>')  # noqa: S308


def clock(seconds: float) -> str:
    """Seconds as `m:ss`, or as `h:mm:ss` from an hour on."""
    minutes, whole = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{whole:02}" if minutes >= 60 else f"{minutes}:{whole:02}"


def _row(row: Row, y: int) -> Iterator[str]:
    yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y + AXIS_Y}" y2="{y + AXIS_Y}"/>'
    for part in range(TICKS + 1):
        x = _x(part / TICKS)
        yield f'<line class="axis" x1="{x}" x2="{x}" y1="{y + AXIS_Y}" y2="{y + AXIS_Y + 4}"/>'
        if part % 2 == 0:
            at = clock(row.start_s + row.length_s * part / TICKS)
            yield f'<text x="{x}" y="{y + AXIS_Y + 16}" text-anchor="middle">{at}</text>'
    yield f'<text class="row" x="4" y="{y + LANES["speech"] + 12}">{clock(row.start_s)}</text>'
    if row.lane:
        name = f"{escape(row.lane[:LANE_CHARS])}<title>{escape(row.lane)}</title>"
        yield f'<text class="lane" x="4" y="{y + LANES["speech"] - 10}">{name}</text>'
    if row.skipped_s:
        told = gettext("%(time)s of silence left out") % {"time": clock(row.skipped_s)}
        yield f'<text class="skipped" x="{LEFT}" y="{y + 8}">{escape(told)}</text>'
    yield from (_bar(bar, y) for bar in row.bars)
    yield from (_mark(mark, y) for mark in row.marks)


def _bar(bar: Bar, y: int) -> str:
    width = max(round(bar.width * (WIDTH - LEFT - RIGHT), 1), 0.5)
    place = f'x="{_x(bar.x)}" y="{y + LANES[bar.kind]}" width="{width}" height="{BAR_HEIGHT}"'
    return f'<rect class="{bar.kind}" {place}><title>{escape(bar.label)}</title></rect>'


def _mark(mark: Mark, y: int) -> str:
    base = y + (LANES["speech"] if mark.kind == "partial" else AXIS_Y)
    return f"<g>{_shape(mark, _x(mark.x), base)}<title>{escape(mark.label)}</title></g>"


def _shape(mark: Mark, x: float, base: float) -> str:
    """Shapes differ as colours do: partials are lines, finals ticks, errors diamonds, events circles."""
    match mark.kind:
        case "partial":
            height = round(4 + (PARTIAL_HEIGHT - 4) * mark.level, 1)
            return f'<line class="partial" x1="{x}" x2="{x}" y1="{base}" y2="{base - height}"/>'
        case "final":
            return f'<path class="final" d="M{x} {base - 1} l-4 -7 h8 z"/>'
        case "error":
            return f'<path class="error" d="M{x} {base} l-6 -6 l6 -6 l6 6 z"/>'
    return f'<circle class="event" cx="{x}" cy="{base - 5}" r="4.5"/>'


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)
