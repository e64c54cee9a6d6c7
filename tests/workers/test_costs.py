"""What is learnt of a decode's cost."""

import numpy as np
import pytest

from workers.costs import Average, CostFit


def learn(fit: CostFit, cost_ms: float, requests: int, audio_s: float) -> None:
    """A batch, as the worker tells of it: once a request."""
    for _ in range(requests):
        fit.add(cost_ms, requests, audio_s)


def test_an_average_begins_with_its_first_value() -> None:
    """Not with zero."""
    average = Average()
    average.add(100.0)
    average.add(200.0)

    assert average.value == pytest.approx(120.0)


def test_nothing_seen_costs_nothing() -> None:
    """No division by zero."""
    assert CostFit().cost().batch_ms(3) == 0.0


@pytest.mark.parametrize("audio_s", [1.0, 4.0, 20.0])
def test_batches_that_are_all_alike_cost_what_they_cost(audio_s: float) -> None:
    """And more requests cost more, but less than in proportion."""
    fit = CostFit()
    for _ in range(30):
        learn(fit, 200.0, 1, audio_s)
    cost = fit.cost()

    assert cost.batch_ms(1) == pytest.approx(200.0, rel=0.02)
    assert 210 < cost.batch_ms(2) < 400


def test_the_line_is_found_in_varied_batches() -> None:
    """Sizes and lengths as they come, with noise: base, request and audio apart."""
    random, fit = np.random.default_rng(0), CostFit()
    for _ in range(200):
        requests, audio_s = int(random.integers(1, 9)), float(random.uniform(1, 15))
        learn(fit, (60 + 25 * requests + 4 * requests * audio_s) * random.normal(1, 0.05), requests, audio_s)
    cost = fit.cost()

    assert cost.base_ms == pytest.approx(60, abs=30)
    assert cost.request_ms == pytest.approx(25, rel=0.4)
    assert cost.audio_ms == pytest.approx(4, rel=0.2)
    for requests in (1, 4, 8):
        expected = 60 + 25 * requests + 4 * requests * cost.audio_s
        assert cost.batch_ms(requests) == pytest.approx(expected, rel=0.15)


def test_a_change_of_speed_is_followed() -> None:
    """Within a few dozen batches, whatever was learnt before."""
    fit = CostFit()
    for _ in range(200):
        learn(fit, 500.0, 1, 4.0)
    for _ in range(60):
        learn(fit, 100.0, 1, 4.0)

    assert fit.cost().batch_ms() == pytest.approx(100.0, rel=0.2)


def test_no_coefficient_is_negative() -> None:
    """Where longer audio happened to be faster, length costs nothing."""
    fit = CostFit()
    for audio_s, cost_ms in ((1.0, 300.0), (10.0, 200.0)) * 20:
        learn(fit, cost_ms, 1, audio_s)
    cost = fit.cost()

    assert min(cost.base_ms, cost.request_ms, cost.audio_ms) >= 0
    assert 180 < cost.batch_ms() < 320
