"""Draws usage as bars, in SVG. Colours are classes, so that the page's style sheet follows its theme."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

WIDTH, HEIGHT = 560, 150
LEFT, RIGHT, TOP, BOTTOM = 44, 6, 10, 22
STEPS = (1, 2, 2.5, 5, 10)
LABELS = 6
"""Names under the bars, at most and one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One place of the axis: one value, or a greater one with a lesser one before it."""

    name: str
    values: Sequence[float]
    told: str
    """What it says when it is pointed at, or read out."""
    link: str


def draw(title: str, bars: Sequence[Bar]) -> SafeString:
    """The chart: bars from 0 to a round number, each a link."""
    top = _round_up(max((value for bar in bars for value in bar.values), default=0.0))
    shapes = "".join([*_axis(top), *(shape for at, bar in enumerate(bars) for shape in _bar(bar, at, len(bars), top))])
    return mark_safe(  # noqa: S308 - what is not ours is escaped where it is put in
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{escape(title)}">{shapes}</svg>'
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5, 10, 20, 25, …"""
    size = 1.0
    while size * 10 <= value:
        size *= 10
    return next((step * size for step in STEPS if step * size >= value), size)


def _axis(top: float) -> Iterator[str]:
    for share in (0.0, 0.5, 1.0):
        y = _y(share)
        yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{LEFT - 5}" y="{y + 4}" text-anchor="end">{top * share:g}</text>'


def _bar(bar: Bar, at: int, of: int, top: float) -> Iterator[str]:
    place = (WIDTH - LEFT - RIGHT) / of
    x, width = LEFT + at * place, place * 0.8
    yield f'<a href="{escape(bar.link)}" aria-label="{escape(bar.told)}"><title>{escape(bar.told)}</title>'
    yield f'<rect class="place" x="{x:.1f}" y="{TOP}" width="{place:.1f}" height="{HEIGHT - TOP - BOTTOM}"/>'
    for number, value in enumerate(sorted(bar.values, reverse=True)):
        y = _y(value / top)
        height = HEIGHT - BOTTOM - y
        yield f'<rect class="bar bar{number}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height:.1f}"/>'
    yield "</a>"
    if at % -(-of // LABELS) == 0:
        yield f'<text x="{x + width / 2:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(bar.name)}</text>'


def _y(share: float) -> float:
    return round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM), 1)
