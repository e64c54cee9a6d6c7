"""How much of the cluster's work a session is given at each step of load shedding (`core/capacity/shedding.py`)."""

from dataclasses import dataclass

from transcription.core.capacity.shedding import FEWER, FEWEST, NO_PARTIALS, SMALL_BEAM
from transcription.core.config import SessionConfig

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
    at_ease: bool
    """Whether there is time for what makes texts a little better: the segment before, and no cut in a breath."""


def effort(step: int, config: SessionConfig) -> Effort:
    """A session's share at a step, given its own options."""
    times = 4 if step >= FEWEST else 2 if step == FEWER else 1
    return Effort(
        partial_interval_ms=config.partial_interval_ms * times,
        partials=config.partial_results and step < NO_PARTIALS,
        speculates=step < FEWEST,
        beam_size=min(config.beam_size, SMALL) if step >= SMALL_BEAM else config.beam_size,
        at_ease=step < FEWER,
    )
