"""Counts of milliseconds by size: what is kept of an hour's latencies, so that those of a month can be added up.

A bucket is 5 % wide, so that a percentile read from one is within 2.5 % of what a list of all values would give.
"""

import math
from collections.abc import Iterable, Mapping

GROWTH = math.log(1.05)
MOST_MS = 3_600_000.0

Histogram = dict[str, int]
"""How many values each bucket has, by its number; text, as JSON has no other keys."""


def bucket(ms: float) -> str:
    """The bucket of a value; what is under 1 ms is in the first."""
    return str(int(math.log(min(max(ms, 1.0), MOST_MS)) / GROWTH))


def add(into: Histogram, others: Mapping[str, int]) -> None:
    """Add one histogram's counts to another's."""
    for number, count in others.items():
        into[number] = into.get(number, 0) + count


def merged(histograms: Iterable[Mapping[str, int]]) -> Histogram:
    """All of them as one."""
    whole: Histogram = {}
    for histogram in histograms:
        add(whole, histogram)
    return whole


def percentile(histogram: Mapping[str, int], share: float) -> float | None:
    """The value that a share (0 to 1) of all do not exceed (ms): the middle of its bucket; `None` without values."""
    wanted = share * sum(histogram.values())
    seen = 0
    for number, count in sorted((int(number), count) for number, count in histogram.items()):
        seen += count
        if seen >= wanted:
            return math.exp((number + 0.5) * GROWTH)
    return None
