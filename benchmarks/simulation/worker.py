"""A worker: jobs from the broker into hand, batches by the service's own rule, lanes that take a card's time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.simulation.clock import Clock, Server
from benchmarks.simulation.service import Service
from transcription.core.contract.heartbeat import SETTLED_S, Cost
from transcription.core.contract.jobs import Job, Kind
from workers.batching import Ticket, pick
from workers.costs import CostFit, Rate, Typical
from workers.decoder import PROOF_S
from workers.engines.echo import batch_key, batch_ms, window_s
from workers.engines.engine import Request
from workers.engines.pace import Pace

NO_AUDIO = np.zeros(0, np.float32)


@dataclass(slots=True, eq=False)
class Task:
    """A job on its way."""

    job: Job
    audio_s: Callable[[], float]
    """How much audio there is for it, when it is fetched."""
    answered: Callable[[], None]
    overtaken: bool = False
    """Whether nobody wants it any more."""
    fetched_s: float = 0.0


class Worker:
    """One process: `threads` jobs in hand, `lanes` batches at a time."""

    def __init__(
        self, clock: Clock, pace: Pace, service: Service, redis: Server,
        *, lanes: int, threads: int, max_batch: int, least_final_window_s: int,
    ) -> None:  # fmt: skip
        self.lanes, self.threads, self.max_batch = lanes, threads, max_batch
        self.costs = {Kind.PARTIAL: CostFit(), Kind.FINAL: CostFit()}
        self.handling = Typical()
        self.finals = Rate(SETTLED_S)
        self.host = Server(clock)
        self.running = {Kind.PARTIAL: 0, Kind.FINAL: 0}
        self.decode_s = 0.0
        """In which a lane was busy, over all lanes."""
        self.batches: list[int] = []
        self._clock, self._pace, self._service, self._redis = clock, pace, service, redis
        self._least = least_final_window_s
        self._waiting: list[Ticket] = []
        self._tasks: dict[str, Task] = {}
        self._busy = 0
        self._take: Callable[[], Task | None] = lambda: None
        proof = Job(
            job_id="", group="", segment_id="", kind=Kind.PARTIAL, audio_key="", overtaken_key="", number=0, start=0,
            end=None, language="pt", beam_size=1, word_timestamps=False,
        )  # fmt: skip
        for fit in self.costs.values():
            fit.add(batch_ms(pace, [(proof, float(PROOF_S))]), 1, PROOF_S, 0.0)

    def draw_from(self, take: Callable[[], Task | None]) -> None:
        """Where jobs come from: the next one, or none."""
        self._take = take

    @property
    def in_hand(self) -> int:
        """Jobs fetched or about to be."""
        return self.running[Kind.PARTIAL] + self.running[Kind.FINAL]

    def cost(self, kind: Kind) -> Cost:
        """What it has learnt of a kind's decodes."""
        return self.costs[kind].cost()

    def look(self) -> None:
        """Take what waits in the broker while there are threads for it."""
        while self.in_hand < self.threads and (task := self._take()):
            self.running[task.job.kind] += 1
            # half of what a job costs the interpreter comes before the model, half after
            self.host.serve(self._service.worker_job_ms / 2000, lambda task=task: self._fetched(task))  # type: ignore[misc]

    def _fetched(self, task: Task) -> None:
        if task.overtaken:
            self._done(task)
            return
        task.fetched_s = max(task.audio_s(), 0.1)
        # on another core: NumPy lets go of the interpreter meanwhile
        preparing_ms = self._pace.preparing_ms(window_s(task.fetched_s, task.job, self._least))
        self._clock.after(preparing_ms / 1000, lambda: self._prepared(task))

    def _prepared(self, task: Task) -> None:
        request = Request(task.job, NO_AUDIO, key=batch_key(task.job, task.fetched_s, self._least))
        self._tasks[task.job.job_id] = task
        self._waiting.append(Ticket(request, self._clock.now))
        self._decode()

    def _decode(self) -> None:
        while self._busy < self.lanes and (batch := pick(self._waiting, self.max_batch)):
            chosen = set(map(id, batch))
            self._waiting = [ticket for ticket in self._waiting if id(ticket) not in chosen]
            self._busy += 1
            tasks = [self._tasks.pop(ticket.request.job.job_id) for ticket in batch]
            alone_ms = batch_ms(self._pace, [(t.job, t.fetched_s) for t in tasks], self._least)
            took_s = alone_ms * self._pace.slowed(self._busy) / 1000
            self.decode_s += took_s
            self.batches.append(len(batch))
            self._clock.after(took_s, lambda tasks=tasks, took_s=took_s: self._decoded(tasks, took_s))  # type: ignore[misc]

    def _decoded(self, tasks: list[Task], took_s: float) -> None:
        self._busy -= 1
        for task in tasks:
            self.costs[task.job.kind].add(took_s * 1000, len(tasks), task.fetched_s, self._clock.now)
            if task.job.kind is Kind.FINAL:
                self.finals.add(self._clock.now)
            self.host.serve(self._service.worker_job_ms / 2000, lambda task=task: self._sent(task))  # type: ignore[misc]
        self._decode()

    def _sent(self, task: Task) -> None:
        if task.job.kind is Kind.FINAL:
            self.handling.add(self._service.worker_job_ms, self._clock.now)
        self._redis.serve(self._service.redis_job_ms / 2000, task.answered)
        self._done(task)

    def _done(self, task: Task) -> None:
        self.running[task.job.kind] -= 1
        self.look()
