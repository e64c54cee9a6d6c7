"""Task threads hand in requests; a few lanes take what waits, finals first, decode it together and answer each alone.

No lane waits for a batch to fill: what has come while the model was busy goes next, so batches grow with the load.
Finals of recordings come last, and not at once (`yielding.py`).
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from transcription.core.contract.jobs import Kind
from workers.engines.engine import EngineError, Hypothesis, Request
from workers.yielding import Yielding

LOOK_S = 0.05
"""How late a recording's final may begin, once it may."""

Decode = Callable[[list[Request]], list[Hypothesis | EngineError]]


@dataclass(slots=True)
class Decoded:
    """An answer with what it cost."""

    hypothesis: Hypothesis
    waited_s: float
    """From the request's arrival to its batch."""
    decode_s: float
    """The whole batch's decode."""
    batch_size: int
    """0 where the model was not needed."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A request that waits for a lane, and the future that its sender waits for.

    It is itself alone: a job that was sent again may wait beside its first copy, and arrays have no one equality.
    """

    request: Request
    arrived: float
    answer: "Future[Decoded]" = field(default_factory=Future)


def pick(waiting: Sequence[Ticket], max_batch: int, recorded: int = 0, *, due: bool = False) -> list[Ticket]:
    """The next batch: finals before partials, the oldest first, and with it what has the same key, in that order.

    `recorded`: how many finals of recordings may be in a batch, 0 where none may begin. They share it with nobody else,
    and come last; before partials if they are `due`.
    """

    def rank(ticket: Ticket) -> int:
        job = ticket.request.job
        return (1 if due else 3) if job.recorded else 0 if job.kind is Kind.FINAL else 2

    able = [ticket for ticket in waiting if recorded or not ticket.request.job.recorded]
    if not able:
        return []
    first, *rest = sorted(able, key=lambda t: (rank(t), t.arrived))
    alone = first.request.job.recorded
    alike = [t for t in rest if t.request.key == first.request.key and t.request.job.recorded is alone]
    return [first, *alike][: recorded if alone else max_batch]


class Batcher:
    """Requests in, futures out; `decode` is called from `lanes` threads."""

    def __init__(self, decode: Decode, max_batch: int, lanes: int = 1) -> None:
        self._decode = decode
        self._max_batch = max_batch
        self._waiting: list[Ticket] = []
        self._changed = threading.Condition()
        self._closed = False
        self.yielding = Yielding(lanes, max_batch)
        self._recorded = 0
        """Lanes that decode finals of recordings."""
        self._busy_since: dict[str, float] = {}
        """When each lane that decodes began to."""
        self._threads = [threading.Thread(target=self._run, name=f"lane-{i}", daemon=True) for i in range(lanes)]
        for thread in self._threads:
            thread.start()

    def submit(self, request: Request) -> "Future[Decoded]":
        """Queue a request. The future raises `EngineError` where the engine cannot do it, or what decoding raised."""
        ticket = Ticket(request, time.perf_counter())
        with self._changed:
            if not request.job.recorded:
                self.yielding.live(ticket.arrived)
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket.answer

    def busy_s(self) -> float:
        """How long the longest decode has been going on; 0 when there is none."""
        return time.perf_counter() - min(self._busy_since.copy().values(), default=time.perf_counter())

    def whole(self) -> bool:
        """Whether all lanes are there; one that ended takes its batch with it, and leaves its share undone."""
        return all(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Stop after the batches in hand."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (batch := self._next()) and not self._closed:
                    self._changed.wait(LOOK_S if self._waiting else None)
                if self._closed:
                    return
            lane = threading.current_thread().name
            self._busy_since[lane] = time.perf_counter()
            self._answer(batch)
            del self._busy_since[lane]
            with self._changed:
                self._done(batch)

    def _next(self) -> list[Ticket]:
        """Take the next batch out of what waits, if any may begin."""
        now = time.perf_counter()
        may = self.yielding.max_batch if self._recorded < self.yielding.lanes(now) else 0
        batch = pick(self._waiting, self._max_batch, may, due=self.yielding.due(now))
        self._waiting = [ticket for ticket in self._waiting if ticket not in batch]
        if batch and batch[0].request.job.recorded:
            self._recorded += 1
            self.yielding.recorded(now)
        return batch

    def _done(self, batch: list[Ticket]) -> None:
        now = time.perf_counter()
        if batch[0].request.job.recorded:
            self._recorded -= 1
            self.yielding.recorded(now)
        else:
            self.yielding.live(now)

    def _answer(self, batch: list[Ticket]) -> None:
        started = time.perf_counter()
        try:
            hypotheses = self._decode([ticket.request for ticket in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
            else:  # one of them may be the cause, or all together took too much memory
                for ticket in batch:
                    self._answer([ticket])
            return
        decode_s = time.perf_counter() - started
        for ticket, hypothesis in zip(batch, hypotheses, strict=True):
            if isinstance(hypothesis, EngineError):
                ticket.answer.set_exception(hypothesis)
            else:
                ticket.answer.set_result(Decoded(hypothesis, started - ticket.arrived, decode_s, len(batch)))
