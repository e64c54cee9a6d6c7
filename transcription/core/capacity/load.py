"""The cluster's load at one moment, and what it makes of a final: the one model behind every figure of admission.

Finals overtake partials, in the broker and in the workers' batchers. So a final submitted now waits for a lane to be
free, and for the finals before it, which go in batches; partials delay it only by what is being decoded already, and
by the task threads they occupy.

A queue tells of overload when it is too late: sessions are let in while they are still silent. So there is a second
look ahead, by what those inside have been asking for: how long a final waits, nineteen times in twenty, when finals
come at random at that rate.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, field

from transcription.core.config import Limits
from transcription.core.contract.heartbeat import Cost
from transcription.core.contract.jobs import RECORDED_TURN_S

MOST_FINALS = 100_000
"""Where counting finals ends, for a cluster that could take any number."""
RARE = 0.05
"""How often a final may wait longer than `ClusterLoad.tail_ms`."""
NO_END_MS = 60_000.0
"""What `tail_ms` is of a wait that only grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLoad:
    """The cluster as it was read from Redis (`cluster/capacity.py`); all zero before the first reading."""

    sessions: int = 0
    starting: int = 0
    """Sessions admitted so lately that their jobs cannot be seen yet."""
    settled: int = 0
    """Sessions admitted so long ago that `final_rate` knows them."""
    waiting_finals: int = 0
    waiting_partials: int = 0
    waiting_recorded: int = 0
    """Jobs in the broker; `recorded` are finals of recordings."""
    running_finals: int = 0
    running_partials: int = 0
    running_recorded: int = 0
    """Jobs that workers have in hand, decoding or about to."""
    workers: int = 0
    """Live workers with a loaded model; the rest of them together, or on average."""
    lanes: int = 0
    threads: int = 0
    max_batch: int = 1
    partial_cost: Cost = field(default_factory=Cost)
    final_cost: Cost = field(default_factory=Cost)
    handling_ms: float = 0.0
    final_rate: float = 0.0
    """Finals decoded a second, lately."""
    avg_partial_ms: float = 0.0
    avg_final_ms: float = 0.0
    """What a decode usually costs, as the workers say."""
    memory: float = 0.0
    """Share of Redis' `maxmemory` in use; 0 where there is no limit."""
    step: int = 0
    """The step of `core/capacity/shedding.py` that holds."""
    step_held_s: float = 0.0
    """Since the pressure last called for that step."""

    @property
    def depth(self) -> int:
        """How many jobs of people who speak wait and run, of both kinds; what recordings have yields to them."""
        return self.waiting_finals + self.waiting_partials + self.running_finals + self.running_partials

    @property
    def recorded_wait_s(self) -> float:
        """The pauses before a recording's final (s) if there were no more than turns for it; 0 without a worker."""
        return self.waiting_recorded * RECORDED_TURN_S / self.workers if self.workers else 0.0

    @property
    def idle_ms(self) -> float:
        """What a final takes that waits for nothing: the model, alone in its batch, and handling."""
        return self.handling_ms + self.final_cost.batch_ms()

    @property
    def estimated_server_total_ms(self) -> float:
        """What a final submitted now would take, from dispatch to answer."""
        return round(self.estimate_ms(), 1)

    def estimate_ms(self, more: int = 0) -> float:
        """What a final submitted now would take (ms) if so many `more` were before it; 0 without a worker."""
        if not self.workers:
            return 0.0
        queued = max(self.waiting_finals + self.running_finals + more - self.lanes, 0)
        turns, rest = divmod(queued, self.lanes * self.max_batch)
        before_ms = turns * self.final_cost.batch_ms(self.max_batch)
        own_ms = self.final_cost.batch_ms(min(1 + rest / self.lanes, self.max_batch))
        return self.handling_ms + self._lane_ms(more) + before_ms + own_ms

    def finals_within(self, limit_ms: float) -> int:
        """How many more finals may be before one until it takes longer than `limit_ms`; 0 without a worker."""
        if not self.workers:
            return 0
        return bisect_right(range(MOST_FINALS), limit_ms, key=self.estimate_ms)

    def tail_ms(self, sessions: int) -> float:
        """What a final would wait, nineteen times in twenty, with so many sessions like those inside; 0 if unknown.

        Finals come at random (M), decodes take about as long each (D), on c lanes. In heavy traffic waits are then
        exponential with mean decode / (2 c (1 - share)), and a final waits at all with probability `share` (Kingman,
        1961; Kleinrock, Queueing Systems II, 2.1): P(wait > t) = share exp(-2 c (1 - share) t / decode) is `RARE`.
        `share` is of the most that full batches can do.
        """
        if not self.settled or not self.workers:
            return 0.0
        # nobody speaks faster than time: a second of a session is at most a second of its finals
        most = 1 / self.final_cost.audio_s if self.final_cost.audio_s else math.inf
        rate = min(self.final_rate / self.settled, most) * sessions
        share = rate * self.final_cost.batch_ms(self.max_batch) / 1000 / (self.max_batch * self.lanes)
        if share >= 1:
            return NO_END_MS
        if share <= RARE:
            return 0.0
        return min(self.final_cost.batch_ms() * math.log(share / RARE) / (2 * self.lanes * (1 - share)), NO_END_MS)

    def sessions_within(self, limit_ms: float, most: int) -> int:
        """How many sessions, of `most`, may be inside before their finals take longer than `limit_ms`."""
        return bisect_right(range(1, most + 1), limit_ms - self.idle_ms, key=self.tail_ms)

    def _lane_ms(self, more: int) -> float:
        """Until the first lane is free, and a task thread before it (ms), with so many `more` finals before.

        Of n decodes that began at random moments the first ends after 1 / (n + 1) of one, on average: that is the mean
        of the least of n uniform numbers. Where partials hold all task threads one of them must end before.
        """
        in_hand = self.running_finals + self.running_partials
        if in_hand + self.waiting_finals + more < self.lanes:
            return 0.0
        partials_ms = self.partial_cost.batch_ms(min(max(self.running_partials / self.lanes, 1.0), self.max_batch))
        running = min(self.running_partials, max(self.lanes - self.running_finals - self.waiting_finals - more, 0))
        share = running / self.lanes
        first_ms = (share * partials_ms + (1 - share) * self.final_cost.batch_ms()) / (self.lanes + 1)
        return first_ms + (partials_ms / self.lanes if in_hand >= self.threads else 0.0)


def estimated_max_concurrent(load: ClusterLoad, limits: Limits) -> int:
    """How many jobs may wait and run before a final would take longer than allowed; 0 without a worker."""
    if not load.workers:
        return 0
    empty = ClusterLoad(
        workers=load.workers,
        lanes=load.lanes,
        threads=load.threads,
        max_batch=load.max_batch,
        final_cost=load.final_cost,
        handling_ms=load.handling_ms,
    )
    return max(min(empty.finals_within(limits.max_estimated_server_total_ms), limits.max_queue_depth), 1)


def load_percent(load: ClusterLoad, capacity: int) -> float:
    """How much of `estimated_max_concurrent` waits and runs; 100 where there is none."""
    return 100 * load.depth / capacity if capacity else 100.0
