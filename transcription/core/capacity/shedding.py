"""How admitted sessions give way under load, in steps: rarer partials, none, a smaller beam; then others are refused.

Finals decoded ahead of the endpoint go with the second step: most of them are in vain, and they are dear.

The step is one for the cluster: it lies in Redis, and every web process moves it by these rules
(`cluster/capacity.py`).
"""

from transcription.core.capacity.load import ClusterLoad
from transcription.core.config import Limits

RISE_AT = (0.4, 0.55, 0.7, 0.85, 1.0)
"""Pressure from which each step holds: even steps from where a queue is felt to the limit itself.

Partials go first because they are most of the work and the least missed (docs/performance.md has what `benchmarks
overload` made of these values)."""
FALL_BELOW = 0.7
"""A step lasts until the pressure has been below this share of its own for `HOLD_S`; then the next lower one holds.

That share of each threshold lies below the threshold before, so a step that is left is not called for at once."""
HOLD_S = 2.0
"""Twenty readings of the load in a row (`READ_S`): a queue that is short for a moment does not lower the step."""

FEWER, FEWEST, NO_PARTIALS, SMALL_BEAM, REFUSING = range(1, 6)
"""The steps; 0 is none."""


def pressure(load: ClusterLoad, limits: Limits) -> float:
    """How near the cluster is to refusing: 1 is at a limit, 0 is idle."""
    queue = load.depth / limits.max_queue_depth
    waited = max(load.estimate_ms() - load.idle_ms, load.tail_ms(load.sessions))
    if not load.workers or waited <= 0:
        return queue
    room = limits.max_estimated_server_total_ms - load.idle_ms
    return max(queue, waited / room if room > 0 else 1.0)


def next_step(step: int, held_s: float, pressure: float) -> int:
    """Where the step moves: up at once, as far as need be; down one at a time, after a while of less pressure.

    `held_s`: since the pressure last called for this step (`calls_for`), or the step last changed.
    """
    wanted = sum(pressure >= threshold for threshold in RISE_AT)
    if wanted > step:
        return wanted
    return step - 1 if step and held_s >= HOLD_S and not calls_for(step, pressure) else step


def calls_for(step: int, pressure: float) -> bool:
    """Whether the pressure is still such that a step is not to be left."""
    return step > 0 and pressure >= FALL_BELOW * RISE_AT[step - 1]
