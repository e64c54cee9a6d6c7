"""One run of the simulation, and what it came to."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.figures import Percentiles, percentiles
from benchmarks.simulation.cell import Cell, Plan
from benchmarks.simulation.clock import Clock
from benchmarks.simulation.service import Service
from benchmarks.simulation.speech import Speech
from benchmarks.simulation.talkers import Balancer, Talker, Tally
from transcription.core.config import SessionConfig
from workers.engines.pace import Pace

SETTLE_S = 10.0
"""What talkers get in a run's first seconds does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Figures of a run; latencies in milliseconds."""

    talkers: int
    cells: int
    cards: int
    inside: int
    """Sessions that had a place at the end."""
    refused: int
    """Refusals, of clients that ask again."""
    final: Percentiles
    """After the endpoint."""
    partial: Percentiles
    """After its last sample."""
    partials_per_speech_s: float
    steps: list[int]
    """Of shedding, that held at some time."""
    batch: float
    """How many a decode took, on average."""
    shares: dict[str, float]
    """Of their time, how much the busiest web process, Redis, worker's interpreter and card were at work."""
    moved: Percentiles
    """Of those whose cell was lost, until they had another place (ms)."""
    simulated_s: float
    took_s: float
    events: int

    @property
    def tightest(self) -> str:
        """What would break first."""
        return max(self.shares, key=lambda name: self.shares[name])


def run(
    talkers: int, cells: int, plan: Plan, pace: Pace, service: Service, speech: Sequence[Speech], config: SessionConfig,
    *, seconds: float, spread: str = "least", lose_at: float | None = None, seed: int = 0, once: bool = False,
    arrive_s: float = 5.0,
) -> Outcome:  # fmt: skip
    """So many talkers, who come within `arrive_s`; with `lose_at` one cell is lost then. `once`: all is said once."""
    began, clock = time.perf_counter(), Clock()
    places = [Cell(clock, plan, pace, service) for _ in range(cells)]
    balancer, tally = Balancer(places, spread, seed), Tally(since=0.0 if once else arrive_s + SETTLE_S)
    random = np.random.default_rng(seed)
    for number in range(talkers):
        said = speech[number % len(speech)]
        talker = Talker(clock, balancer, said, config, tally, str(number), once=once)
        at = said.starts_after_s if once else float(random.uniform(0, arrive_s))
        clock.at(at, lambda talker=talker, at=at: talker.connect(at))  # type: ignore[misc]
    if lose_at is not None:
        clock.at(lose_at, lambda: _lose(places[0]))
    ends = seconds if once else arrive_s + SETTLE_S + seconds
    clock.run(ends)
    batches = [size for cell in places for worker in cell.workers for size in worker.batches]
    alive = [cell for cell in places if not cell.lost]
    return Outcome(
        talkers=talkers,
        cells=cells,
        cards=cells * plan.cards,
        inside=sum(cell.sessions for cell in places),
        refused=sum(cell.refused for cell in places),
        final=percentiles(tally.finals),
        partial=percentiles(tally.partials),
        partials_per_speech_s=round(len(tally.partials) / tally.speech_s, 2) if tally.speech_s else 0.0,
        steps=sorted(set().union(*(cell.steps for cell in alive))),
        batch=round(float(np.mean(batches)), 2) if batches else 0.0,
        shares=_shares(alive, ends),
        moved=percentiles([wait * 1000 for wait in tally.moved]),
        simulated_s=ends,
        took_s=round(time.perf_counter() - began, 1),
        events=clock.events,
    )


def _lose(cell: Cell) -> None:
    for talker in cell.lose():
        assert isinstance(talker, Talker)
        talker.lost()


def as_json(outcome: Outcome) -> dict[str, Any]:
    """All of it, and what is tightest."""
    return {name: getattr(outcome, name) for name in outcome.__slots__} | {"tightest": outcome.tightest}


def _shares(cells: Sequence[Cell], over_s: float) -> dict[str, float]:
    workers = [worker for cell in cells for worker in cell.workers]
    shares = {
        "web": max(web.share(over_s) for cell in cells for web in cell.webs),
        "Redis": max(cell.redis.share(over_s) for cell in cells),
        "worker's interpreter": max(worker.host.share(over_s) for worker in workers),
        "card": max(worker.decode_s / worker.lanes / over_s for worker in workers),
    }
    return {name: round(share, 3) for name, share in shares.items()}
