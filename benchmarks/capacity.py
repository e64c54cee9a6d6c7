"""`capacity`: the largest number of talkers served within the targets, found by ramping."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.figures import shortfalls
from benchmarks.results import Run


@dataclass(slots=True)
class Capacity:
    """What the ramp of talkers found: a run for each number, and why it was not within the targets."""

    runs: dict[int, Run] = field(default_factory=dict)
    """By number of talkers."""
    reasons: dict[int, list[str]] = field(default_factory=dict)
    """What each run fell short of; empty when it was within."""

    @property
    def within(self) -> dict[int, bool]:
        """Which numbers of talkers were served within the targets."""
        return {talkers: not reasons for talkers, reasons in self.reasons.items()}

    @property
    def talkers(self) -> int:
        """The largest number within the targets; 0 when not even one is."""
        return largest(self.within)


def ramp(trial: Callable[[int], Run], most: int) -> Capacity:
    """Double the talkers until a run falls short, then halve the gap."""
    found = Capacity()
    while (talkers := next_trial(found.within, most)) is not None:
        found.runs[talkers] = trial(talkers)
        found.reasons[talkers] = shortfalls(found.runs[talkers].figures)
    return found


def next_trial(within: Mapping[int, bool], most: int) -> int | None:
    """The number of talkers to try next, given which numbers were within; `None` when the answer is known."""
    good = largest(within)
    bad = min((talkers for talkers, passed in within.items() if not passed), default=None)
    if bad is None:
        return None if good >= most else min(2 * good or 1, most)
    return (good + bad) // 2 if bad - good > 1 else None


def largest(within: Mapping[int, bool]) -> int:
    """The largest number within, or 0."""
    return max((talkers for talkers, passed in within.items() if passed), default=0)
