"""How admitted sessions give way under load, in steps: rarer partials, none, a smaller beam; then others are refused.

Finals decoded ahead of the endpoint go with the second step: most of them are in vain, and they are dear.

The step is one for the cluster: it lies in Redis, and every web process moves it by these rules (`capacity.py`).
"""

from dataclasses import dataclass

from transcription.core.config import Limits, SessionConfig
from transcription.core.load import ClusterLoad

RISE_AT = (0.4, 0.55, 0.7, 0.85, 1.0)
"""Pressure from which each step holds."""
FALL_BELOW = 0.7
"""A step lasts until the pressure has been below this share of its own for `HOLD_S`; then the next lower one holds."""
HOLD_S = 2.0

FEWER, FEWEST, NO_PARTIALS, SMALL_BEAM, REFUSING = range(1, 6)
"""The steps; 0 is none."""
SMALL = 1
"""Beam size of finals from `SMALL_BEAM` on."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a session is given at a step."""

    partial_interval_ms: int
    partials: bool
    speculates: bool
    """Whether finals are decoded ahead of the endpoint."""
    beam_size: int


def effort(step: int, config: SessionConfig) -> Effort:
    """A session's share at a step, given its own options."""
    times = 4 if step >= FEWEST else 2 if step == FEWER else 1
    return Effort(
        partial_interval_ms=config.partial_interval_ms * times,
        partials=config.partial_results and step < NO_PARTIALS,
        speculates=step < FEWEST,
        beam_size=min(config.beam_size, SMALL) if step >= SMALL_BEAM else config.beam_size,
    )


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
