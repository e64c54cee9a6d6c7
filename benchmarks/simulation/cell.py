"""A cell: web processes, one Redis, workers, and the service's own admission over them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from benchmarks.simulation.clock import Clock, Server
from benchmarks.simulation.service import Service
from benchmarks.simulation.worker import Task, Worker
from transcription.core.capacity import shedding
from transcription.core.capacity.admission import Refusal, congested, decide, most_sessions, room
from transcription.core.capacity.load import ClusterLoad
from transcription.core.config import Limits
from transcription.core.contract.heartbeat import HEARTBEAT_S, READ_S, SETTLED_S, STARTING_S, Cost
from transcription.core.contract.jobs import Kind
from workers.engines.pace import Pace
from workers.engines.windows import LEAST_FINAL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a cell is made of."""

    webs: int = 1
    cards: int = 1
    lanes: int = 1
    threads: int = 16
    max_batch: int = 16
    least_final_window_s: int = LEAST_FINAL_S
    limits: Limits = field(default_factory=Limits)


class Cell:
    """One whole service."""

    def __init__(self, clock: Clock, plan: Plan, pace: Pace, service: Service) -> None:
        self.plan, self.service = plan, service
        self.webs = [Server(clock) for _ in range(plan.webs)]
        self.redis = Server(clock)
        self.workers = [
            Worker(
                clock, pace, service, self.redis,
                lanes=plan.lanes, threads=plan.threads, max_batch=plan.max_batch,
                least_final_window_s=plan.least_final_window_s,
            )
            for _ in range(plan.cards)
        ]  # fmt: skip
        self.lost = False
        self.refused = 0
        self.load = ClusterLoad()
        self.steps: set[int] = set()
        self._clock = clock
        self._queues: dict[Kind, deque[Task]] = {Kind.FINAL: deque(), Kind.PARTIAL: deque()}
        self._admitted: dict[object, float] = {}
        """When each session was."""
        self._web_of: dict[object, Server] = {}
        self._step_at = 0.0
        self._costs: list[tuple[Cost, Cost]] = []
        self._turn = 0
        for worker in self.workers:
            worker.draw_from(self._take)
        self._beat()
        self._read()

    @property
    def sessions(self) -> int:
        """How many are inside."""
        return len(self._admitted)

    @property
    def step(self) -> int:
        """Of shedding."""
        return self.load.step

    # Places

    def admit(self, session: object) -> Refusal | None:
        """Take a place, by the rule, and by the counts as they are: `cluster/lua/acquire.lua`."""
        limits, load = self.plan.limits, self.load
        refusal = decide(self._fresh(), limits)
        if refusal is None:
            starting = self._since(STARTING_S)
            if self.sessions >= most_sessions(load, limits) or starting >= room(load, limits):
                refusal = congested(load, limits)
        if refusal:
            self.refused += 1
            return refusal
        web = min(self.webs, key=lambda one: one.always)
        web.always += self.service.web_session
        self.redis.always += self.service.redis_session
        self._admitted[session], self._web_of[session] = self._clock.now, web
        return None

    def leave(self, session: object) -> None:
        """Give it back."""
        if self._admitted.pop(session, None) is not None:
            self._web_of.pop(session).always -= self.service.web_session
            self.redis.always -= self.service.redis_session

    def lose(self) -> list[object]:
        """All of it is gone; those who were inside."""
        self.lost = True
        inside = list(self._admitted)
        for session in inside:
            self.leave(session)
        return inside

    # Jobs

    def submit(self, session: object, task: Task) -> None:
        """From the session's web process to the broker."""
        web, service = self._web_of[session], self.service

        def published() -> None:
            self.redis.serve(service.redis_job_ms / 2000, lambda: self._queue(task))

        web.serve(service.web_job_ms / 2000, published)

    def answer(self, session: object, then: Callable[[], None]) -> None:
        """From Redis by the session's web process to the client."""
        web = self._web_of.get(session)
        if web is None or self.lost:
            return
        work_s = self.service.web_job_ms / 2000
        self._clock.after(self.service.ways_ms / 1000, lambda: web.serve(work_s, then))

    def _queue(self, task: Task) -> None:
        self._queues[task.job.kind].append(task)
        # whichever worker's BRPOP has waited longest is served first
        for number in range(len(self.workers)):
            worker = self.workers[(self._turn + number) % len(self.workers)]
            if worker.in_hand < worker.threads:
                self._turn = (self._turn + number + 1) % len(self.workers)
                worker.look()
                return

    def _take(self) -> Task | None:
        queue = self._queues[Kind.FINAL] or self._queues[Kind.PARTIAL]
        return queue.popleft() if queue and not self.lost else None

    # Load

    def _since(self, seconds: float) -> int:
        return sum(self._clock.now - at < seconds for at in self._admitted.values())

    def _beat(self) -> None:
        self._costs = [(worker.cost(Kind.PARTIAL), worker.cost(Kind.FINAL)) for worker in self.workers]
        if not self.lost:
            self._clock.after(HEARTBEAT_S, self._beat)

    def _fresh(self) -> ClusterLoad:
        workers, now = self.workers, self._clock.now
        partial, final = (_mean([costs[which] for costs in self._costs]) for which in (0, 1))
        return replace(
            self.load,
            sessions=self.sessions,
            starting=self._since(STARTING_S),
            settled=self.sessions - self._since(SETTLED_S),
            waiting_finals=len(self._queues[Kind.FINAL]),
            waiting_partials=len(self._queues[Kind.PARTIAL]),
            running_finals=sum(worker.running[Kind.FINAL] for worker in workers),
            running_partials=sum(worker.running[Kind.PARTIAL] for worker in workers),
            workers=len(workers),
            lanes=sum(worker.lanes for worker in workers),
            threads=sum(worker.threads for worker in workers),
            max_batch=self.plan.max_batch,
            partial_cost=partial,
            final_cost=final,
            handling_ms=sum(worker.handling.value for worker in workers) / len(workers),
            final_rate=sum(worker.finals.at(now) for worker in workers),
            step_held_s=now - self._step_at,
        )

    def _read(self) -> None:
        """As `cluster/capacity.py` does, which moves the step, too."""
        load = self._fresh()
        pressure = shedding.pressure(load, self.plan.limits)
        step = shedding.next_step(load.step, load.step_held_s, pressure)
        if step != load.step or shedding.calls_for(step, pressure):
            self._step_at = self._clock.now
        self.load = replace(load, step=step, step_held_s=self._clock.now - self._step_at)
        self.steps.add(step)
        if not self.lost:
            self._clock.after(READ_S, self._read)


def _mean(costs: list[Cost]) -> Cost:
    count = len(costs)
    return Cost(
        base_ms=sum(cost.base_ms for cost in costs) / count,
        request_ms=sum(cost.each_ms for cost in costs) / count,
        audio_s=sum(cost.audio_s for cost in costs) / count,
    )
