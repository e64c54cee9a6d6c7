"""What is learnt of a decode's cost."""

import itertools

import numpy as np
import pytest

from workers.costs import FORGET_S, CostFit, Typical


class Machine:
    """A model that is used, a decode right after the other."""

    def __init__(self) -> None:
        self.fit, self.now = CostFit(), 0.0

    def decode(self, cost_ms: float, requests: int = 1, audio_s: float = 4.0) -> None:
        """A batch, as the worker tells of it: once a request."""
        self.now += cost_ms / 1000
        for _ in range(requests):
            self.fit.add(cost_ms, requests, audio_s, self.now)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_typical_value_is_one_of_those_seen() -> None:
    """Not pulled to zero by a beginning; of none it is zero."""
    value = Typical()
    assert value.value == 0.0
    value.add(100.0, 0.0)

    assert value.value == pytest.approx(100.0)


def test_a_typical_value_is_not_what_one_of_them_was() -> None:
    """A machine that stood still for a minute is not slow."""
    value = Typical()
    for n in range(20):
        value.add(60_000.0 if n == 15 else 100.0, float(n))

    assert value.value == pytest.approx(100.0, rel=0.05)


def test_nothing_seen_costs_nothing(machine: Machine) -> None:
    """No division by zero."""
    assert machine.fit.cost().batch_ms(3) == machine.fit.average_ms == 0.0


@pytest.mark.parametrize("audio_s", [1.0, 4.0, 20.0])
def test_batches_that_are_all_alike_cost_what_they_cost(machine: Machine, audio_s: float) -> None:
    """And more requests cost more, but less than in proportion."""
    for _ in range(30):
        machine.decode(200.0, 1, audio_s)
    cost = machine.fit.cost()

    assert cost.batch_ms(1) == pytest.approx(200.0, rel=0.02)
    assert 210 < cost.batch_ms(2) < 400


def test_the_line_is_found_in_varied_batches(machine: Machine) -> None:
    """Sizes and lengths as they come, with noise: base, request and audio apart."""
    random = np.random.default_rng(0)
    for _ in range(200):
        requests, audio_s = int(random.integers(1, 9)), float(random.uniform(1, 15))
        machine.decode((60 + 25 * requests + 4 * requests * audio_s) * random.normal(1, 0.05), requests, audio_s)
    cost = machine.fit.cost()

    assert cost.base_ms == pytest.approx(60, abs=30)
    assert cost.request_ms == pytest.approx(25, rel=0.4)
    assert cost.audio_ms == pytest.approx(4, rel=0.2)
    for requests in (1, 4, 8):
        expected = 60 + 25 * requests + 4 * requests * cost.audio_s
        assert cost.batch_ms(requests) == pytest.approx(expected, rel=0.15)


def test_a_change_of_speed_is_followed(machine: Machine) -> None:
    """Within a few dozen batches, whatever was learnt before."""
    for _ in range(200):
        machine.decode(500.0)
    for _ in range(60):
        machine.decode(100.0)

    assert machine.fit.cost().batch_ms() == pytest.approx(100.0, rel=0.2)


@pytest.mark.parametrize(("freaks", "since"), [(1, 0), (1, 5), (3, 5), (6, 10), (8, 20)])
def test_freak_decodes_do_not_set_the_price(machine: Machine, freaks: int, since: int) -> None:
    """Many times as long as the rest, one or several in a row, at any place: within a quarter of what the last took."""
    random = np.random.default_rng(1)
    usual = (float(ms) for ms in random.normal(1_000, 80, 200))
    for ms in itertools.islice(usual, 30):
        machine.decode(ms, 1, float(random.uniform(2, 8)))
    for n in range(freaks):
        machine.decode(8_700.0 + 2_000 * n, 1, float(random.uniform(1, 20)))
    for ms in itertools.islice(usual, since):
        machine.decode(ms, 1, float(random.uniform(2, 8)))

    assert machine.fit.cost().batch_ms() == pytest.approx(1_000, rel=0.25)
    assert machine.fit.average_ms == pytest.approx(1_000, rel=0.25)


def test_a_machine_that_became_slow_is_believed(machine: Machine) -> None:
    """What is usual is what most of the last decodes took."""
    for _ in range(100):
        machine.decode(100.0)
    for _ in range(20):
        machine.decode(900.0)

    assert machine.fit.cost().batch_ms() == pytest.approx(900.0, rel=0.25)


def test_time_forgets(machine: Machine) -> None:
    """After a rest three decodes say more than a hundred before."""
    for _ in range(100):
        machine.decode(4_000.0)
    machine.now += 10 * FORGET_S
    for _ in range(3):
        machine.decode(1_000.0)

    assert machine.fit.cost().batch_ms() == pytest.approx(1_000.0, rel=0.25)


def test_no_coefficient_is_negative(machine: Machine) -> None:
    """Where longer audio happened to be faster, length costs nothing."""
    for audio_s, cost_ms in ((1.0, 300.0), (10.0, 200.0)) * 20:
        machine.decode(cost_ms, 1, audio_s)
    cost = machine.fit.cost()

    assert min(cost.base_ms, cost.request_ms, cost.audio_ms) >= 0
    assert 180 < cost.batch_ms() < 320
