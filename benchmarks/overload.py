"""`overload`: from one talker to three times capacity and back, with talkers that come again when they are refused."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from websockets.exceptions import WebSocketException

from benchmarks import observe
from benchmarks.clips import Recording
from benchmarks.figures import Percentiles, percentiles
from benchmarks.matching import bounds, segments
from benchmarks.options import Options
from benchmarks.record import Record
from benchmarks.schedule import conversation
from benchmarks.talker import CONFIG, talk
from harness.talker import Talker, sleep_until

TIMES = 3
"""How often capacity is offered at the top."""
LOOK_S = 0.5
AT_CAPACITY = 1
"""The phase that the others are measured against."""
LEAST_S = 3.0
"""Nobody comes for less."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run in which the number of talkers goes evenly from one to another."""

    name: str
    begins_s: float
    ends_s: float
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A start that was not accepted."""

    at: float
    answer_ms: float
    message: dict[str, Any]


@dataclass(slots=True)
class Visit:
    """Everything one talker went through. Times are `time.perf_counter` seconds."""

    records: list[Record] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Look:
    """The server's own figures at one moment."""

    at: float
    sessions: int
    step: int
    predicted: observe.Prediction


@dataclass(frozen=True, slots=True)
class PhaseFigures:
    """The figures of one phase."""

    phase: Phase
    sessions: int
    """Most at a time."""
    steps: tuple[int, int]
    """Lowest and highest step of shedding."""
    final: Percentiles
    """After the end of speech, by when the speech ended."""
    partials: int
    refused: Percentiles
    """How long refusals took."""
    predicted_ms: float | None
    actual_ms: float | None
    """Means of the server's pair of histograms."""


@dataclass(frozen=True, slots=True)
class Overload:
    """The figures of a whole run."""

    phases: list[PhaseFigures]
    lost: int
    """Segments without a final: unanswered, or answered by an error."""
    broken: int
    last_step: int
    codes: dict[str, int]
    """Refusals by code."""

    @property
    def times_worse(self) -> float | None:
        """The worst p95 of a final after capacity was reached, in multiples of the one at capacity."""
        base = self.phases[AT_CAPACITY].final["p95"]
        later = [p.final["p95"] for p in self.phases[AT_CAPACITY + 1 :] if p.final["p95"] is not None]
        return round(max(later) / base, 2) if base and later else None

    @property
    def refused_p95_ms(self) -> float | None:
        """Of all refusals: the worst phase's."""
        return max((p.refused["p95"] for p in self.phases if p.refused["p95"] is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        """The figures as built-in types, those made of others included."""
        return asdict(self) | {"times_worse": self.times_worse, "refused_p95_ms": self.refused_p95_ms}


def phases(capacity: int, seconds: float) -> list[Phase]:
    """Holds of `seconds` at capacity and at three times that, ramps of half as long, and one talker at the end."""
    top, half = TIMES * capacity, seconds / 2
    shape = [
        ("to capacity", half, 1, capacity),
        ("at capacity", seconds, capacity, capacity),
        (f"to {TIMES} ×", half, capacity, top),
        (f"at {TIMES} ×", seconds, top, top),
        ("back to capacity", half, top, capacity),
        ("at capacity again", seconds, capacity, capacity),
        ("down to one", half, capacity, 1),
        ("at one", half, 1, 1),
    ]
    found, begins_s = [], 0.0
    for name, lasts_s, first, last in shape:
        found.append(Phase(name, begins_s, begins_s + lasts_s, first, last))
        begins_s += lasts_s
    return found


def presence(plan: Sequence[Phase], talker: int) -> tuple[float, float]:
    """When a talker (from 0) comes and goes, in seconds of the run: the last to come is the first to go."""
    comes_s = goes_s = 0.0
    for phase in plan:
        low, high = sorted((phase.first, phase.last))
        if phase.first < phase.last and low <= talker < high:
            comes_s = phase.begins_s + (talker - low + 1) / (high - low) * (phase.ends_s - phase.begins_s)
        if phase.first > phase.last and low <= talker < high:
            goes_s = phase.begins_s + (high - talker) / (high - low) * (phase.ends_s - phase.begins_s)
    return comes_s, goes_s or plan[-1].ends_s


def overload(options: Options, pool: Sequence[Recording], capacity: int) -> Overload:
    """One run against the service at `options.url`."""
    plan = phases(capacity, options.seconds)
    return asyncio.run(_run(options, pool, plan))


async def _run(options: Options, pool: Sequence[Recording], plan: list[Phase]) -> Overload:
    began = time.perf_counter()
    looking = asyncio.create_task(_look(options.url, began + plan[-1].ends_s))
    most = max(phase.last for phase in plan)
    visits = await asyncio.gather(*(_visit(options, pool, plan, began, seat) for seat in range(most)))
    looks = await looking
    return summary(plan, began, visits, looks)


async def _visit(options: Options, pool: Sequence[Recording], plan: list[Phase], began: float, seat: int) -> Visit:
    """Come, ask again while refused, talk until it is time to go; a connection that breaks is made again."""
    comes_s, goes_s = presence(plan, seat)
    until, visit = began + goes_s, Visit()
    await sleep_until(began + comes_s)
    jitter = random.Random(seat)  # noqa: S311 - spreads retries
    while until - time.perf_counter() > LEAST_S:
        record = None
        try:
            async with Talker(options.url, headers=options.headers) as talker:
                if not await _admitted(talker, visit, jitter, until):
                    break
                script = conversation(pool, until - time.perf_counter(), options.seed, seat)
                record = Record(script, lags_ms=talker.lags_ms, received=talker.received)
                visit.records.append(record)
                await talk(talker, record, options.drain_s)
        except (OSError, WebSocketException, TimeoutError) as error:
            if record:
                record.failure = f"{type(error).__name__}: {error}"
            await asyncio.sleep(1.0)
    return visit


async def _admitted(talker: Talker, visit: Visit, jitter: random.Random, until: float) -> bool:
    """Whether it was let in before its time was over."""
    while until - time.perf_counter() > LEAST_S:
        asked = time.perf_counter()
        answer = await talker.start(config=CONFIG)
        if answer["type"] == "session_started":
            return True
        answered = talker.received[-1].at
        visit.refused.append(Refused(answered, (answered - asked) * 1000, answer))
        await asyncio.sleep(answer.get("retry_after_ms", 1000) / 1000 * jitter.uniform(1.0, 1.5))
    return False


async def _look(url: str, until: float) -> list[Look]:
    """The server's figures every half second."""
    looks = []
    while time.perf_counter() < until:
        status = await asyncio.to_thread(observe.status, url)
        predicted = await asyncio.to_thread(observe.prediction, url)
        if status and predicted:
            step = status["capacity"].get("step", 0)
            looks.append(Look(time.perf_counter(), status["sessions"]["active"], step, predicted))
        await asyncio.sleep(LOOK_S)
    return looks


def summary(plan: Sequence[Phase], began: float, visits: Sequence[Visit], looks: Sequence[Look]) -> Overload:
    """The figures of each phase and of the whole."""
    records = [record for visit in visits for record in visit.records]
    refused = [refusal for visit in visits for refusal in visit.refused]
    found = [segment for record in records for segment in segments(record.received).values()]
    codes = [refusal.message["code"] for refusal in refused]
    finals = [timed for record in records for timed in _finals(record)]
    partials = [partial.at for segment in found for partial in segment.partials]
    return Overload(
        phases=[_figures(phase, began, finals, partials, refused, looks) for phase in plan],
        lost=sum(segment.final is None for segment in found),
        broken=sum(not record.completed for record in records),
        last_step=looks[-1].step if looks else 0,
        codes={code: codes.count(code) for code in sorted(set(codes))},
    )


def _figures(
    phase: Phase,
    began: float,
    finals: Sequence[tuple[float, float]],
    partials: Sequence[float],
    refused: Sequence[Refused],
    looks: Sequence[Look],
) -> PhaseFigures:
    def within(at: float) -> bool:
        return phase.begins_s <= at - began < phase.ends_s

    seen = [look for look in looks if within(look.at)]
    steps = [look.step for look in seen]
    pair = seen[-1].predicted.since(seen[0].predicted) if seen else None
    return PhaseFigures(
        phase=phase,
        sessions=max((look.sessions for look in seen), default=0),
        steps=(min(steps, default=0), max(steps, default=0)),
        final=percentiles([late_ms for at, late_ms in finals if within(at)]),
        partials=sum(map(within, partials)),
        refused=percentiles([refusal.answer_ms for refusal in refused if within(refusal.at)]),
        predicted_ms=pair.predicted_ms if pair else None,
        actual_ms=pair.actual_ms if pair else None,
    )


def _finals(record: Record) -> list[tuple[float, float]]:
    """When speech ended, and how long after (ms) its final came."""
    found = []
    for segment in segments(record.received).values():
        speech = record.script.speech_between(*bounds(segment.final.message)) if segment.final else None
        if segment.final and speech:
            ended = record.due(speech[1])
            found.append((ended, (segment.final.at - ended) * 1000))
    return found
