"""The ramp."""

import pytest

from benchmarks.capacity import next_trial


def ramp(true_capacity: int, most: int) -> tuple[int, list[int]]:
    """What the ramp answers, and what it tried."""
    within: dict[int, bool] = {}
    while (talkers := next_trial(within, most)) is not None:
        within[talkers] = talkers <= true_capacity
    return max((talkers for talkers, passed in within.items() if passed), default=0), list(within)


@pytest.mark.parametrize("true_capacity", range(21))
def test_the_ramp_finds_the_capacity(true_capacity: int) -> None:
    """Up to its end."""
    found, tried = ramp(true_capacity, most=20)

    assert found == true_capacity
    assert len(tried) == len(set(tried))


def test_the_ramp_doubles_then_halves() -> None:
    """Few runs, each of which costs a minute."""
    assert ramp(11, most=64)[1] == [1, 2, 4, 8, 16, 12, 10, 11]


def test_the_ramp_ends_at_the_most_asked_for() -> None:
    """And takes it for the answer."""
    assert ramp(100, most=6) == (6, [1, 2, 4, 6])
