"""Talkers, whose utterances ask for partials and finals when the service's sessions do, and what they get."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from benchmarks.clips import SAMPLE_RATE
from benchmarks.schedule import FRAME_S
from benchmarks.simulation.cell import Cell
from benchmarks.simulation.clock import Clock
from benchmarks.simulation.speech import Speech, Utterance
from benchmarks.simulation.worker import Task
from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Job, Kind, nothing
from transcription.core.session.effort import effort
from transcription.core.session.endpointing import WINDOW
from transcription.core.session.pieces import Piece, Pieces
from transcription.core.session.utterance import SLIDE_AT, STORE_MS

WINDOW_S = WINDOW / SAMPLE_RATE
FRAME_NOISE_S = 0.0005
"""A frame is served a hair before or after its time: an interval of whole frames is over with this one or the next."""
STORED_S = -(-STORE_MS // (WINDOW_S * 1000)) * WINDOW_S
"""Audio goes to Redis in pieces of so much: the VAD's windows that make `STORE_MS`."""
NOTICED_S = 1.0
"""After how long a client knows that its cell is lost, at most: a closed connection is seen at once."""
OWED_S = 10.0
"""How long one who has said all waits for what is owed."""
BACKED_OFF = (1.0, 1.5)
"""A refused client waits so many times what it is told to."""


@dataclass(slots=True)
class Tally:
    """What all talkers got, milliseconds; only what ends after `since` counts."""

    since: float = 0.0
    finals: list[float] = field(default_factory=list)
    """From the endpoint to the final."""
    partials: list[float] = field(default_factory=list)
    """From the last sample to the partial, that of a final decoded ahead included."""
    speech_s: float = 0.0
    waits: list[float] = field(default_factory=list)
    """From the first try to the place (s)."""
    moved: list[float] = field(default_factory=list)
    """The same, of those whose cell was lost."""


class Balancer:
    """Gives each connection a cell: the emptiest, or any."""

    def __init__(self, cells: Sequence[Cell], spread: str, seed: int) -> None:
        self.cells = list(cells)
        self._spread = spread
        self.random = random.Random(seed)  # noqa: S311 - a simulation

    def choose(self) -> Cell | None:
        """One that is not lost."""
        there = [cell for cell in self.cells if not cell.lost]
        if not there:
            return None
        return min(there, key=lambda cell: cell.sessions) if self._spread == "least" else self.random.choice(there)

    def jitter(self) -> float:
        """How many times what it was told a client waits."""
        return self.random.uniform(*BACKED_OFF)

    def notice(self) -> float:
        """After how long a client knows of a lost cell (s)."""
        return self.random.uniform(0, NOTICED_S)


class Talker:
    """One session, again and again what it has to say."""

    def __init__(
        self, clock: Clock, balancer: Balancer, speech: Speech, config: SessionConfig, tally: Tally, name: str, *,
        once: bool,
    ) -> None:  # fmt: skip
        """`once`: it leaves when all is said."""
        self.cell: Cell | None = None
        self.config, self.tally, self.clock, self.name = config, tally, clock, name
        self._balancer, self._speech, self._once = balancer, speech, once
        self._connection = 0

    def connect(self, since: float, *, moved: bool = False) -> None:
        """Ask for a place, until there is one."""
        cell = self._balancer.choose()
        refusal = cell.admit(self) if cell else None
        if cell is None or refusal:
            told_s = (refusal.retry_after_ms or 1000) / 1000 if refusal else 1.0
            self.clock.after(told_s * self._balancer.jitter(), lambda: self.connect(since, moved=moved))
            return
        self.cell = cell
        self._connection += 1
        (self.tally.moved if moved else self.tally.waits).append(self.clock.now - since)
        self._say(self.clock.now, self._connection)

    def lost(self) -> None:
        """Its cell is gone."""
        self.cell, since = None, self.clock.now
        self._connection += 1
        self.clock.after(self._balancer.notice(), lambda: self.connect(since, moved=True))

    def noise(self) -> float:
        """How late a frame is served; early, where it is negative (s)."""
        return self._balancer.random.uniform(-FRAME_NOISE_S, FRAME_NOISE_S)

    def is_on(self, connection: int) -> bool:
        """Whether this is still its connection."""
        return self._connection == connection and self.cell is not None

    def _say(self, began: float, connection: int) -> None:
        if not self.is_on(connection):
            return
        for number, utterance in enumerate(self._speech.utterances):
            name = f"{self.name}:{connection}:{began:.3f}:{number}"
            self.clock.at(began + utterance.opened, Saying(self, utterance, began, connection, name).open)
        ends = began + self._speech.seconds
        self.clock.at(ends, (lambda: self._leave(connection)) if self._once else (lambda: self._say(ends, connection)))

    def _leave(self, connection: int) -> None:
        cell = self.cell
        if self.is_on(connection) and cell:
            self.clock.after(OWED_S, lambda: cell.leave(self))


class Saying:
    """An utterance on its way: `core/session/utterance.py` with audio counted, not kept."""

    def __init__(self, talker: Talker, utterance: Utterance, began: float, connection: int, name: str) -> None:
        self._talker, self._utterance, self._began = talker, utterance, began
        self._connection, self._name = connection, name
        self._sent_at = 0.0
        self._awaited: Task | None = None
        self._ahead: Task | None = None
        self._ahead_answered = False
        self._overtaken: set[str] = set()
        """Jobs of finals decoded ahead that speech went on after before they were answered."""
        self._known: dict[str, tuple[Piece, ...]] = {}
        """By a final's job: the pieces that it goes on from."""
        self._pieces = Pieces.of(talker.config.vad)
        self._closed = False
        self._window_start = 0.0
        self._numbers = 0

    def open(self) -> None:
        """It was found to be speech."""
        if not self._talker.is_on(self._connection):
            return
        clock = self._talker.clock
        self._sent_at = clock.now
        self._partial_later()
        for paused, resumed in self._utterance.pauses:
            clock.at(self._began + paused, self._pause)
            if resumed is not None:
                clock.at(self._began + resumed, self._resume)
        clock.at(self._began + self._utterance.closed, self._close)

    @property
    def _so_far(self) -> float:
        """Of its audio, what the VAD has judged: whole windows of the frames that have come."""
        frames = math.floor((self._talker.clock.now - self._began) / FRAME_S + 1e-6)
        heard = math.floor(frames * FRAME_S / WINDOW_S + 1e-6) * WINDOW_S
        return min(heard - self._utterance.start, self._utterance.seconds)

    def _stored(self, asked: float) -> float:
        """Of its audio, what Redis has: all there was when a job was `asked` for, and whole pieces since."""
        return asked + math.floor((self._so_far - asked) / STORED_S + 1e-6) * STORED_S

    def _partial_later(self) -> None:
        """With the first frame after the interval; at once, if that is past."""
        if self._cell is None:
            return
        interval_s = effort(self._cell.step, self._talker.config).partial_interval_ms / 1000
        due = self._sent_at + interval_s
        if due > self._talker.clock.now:
            due = self._began + math.ceil((due + self._talker.noise() - self._began) / FRAME_S) * FRAME_S
        self._talker.clock.at(due, self._partial)

    @property
    def _cell(self) -> Cell | None:
        return self._talker.cell if self._talker.is_on(self._connection) else None

    def _partial(self) -> None:
        cell, now = self._cell, self._talker.clock.now
        if cell is None or self._closed or self._awaited or self._ahead:
            return  # an answer, or speech that goes on, asks again
        share = effort(cell.step, self._talker.config)
        if not share.partials or now - self._sent_at < share.partial_interval_ms / 1000 - 2 * FRAME_NOISE_S:
            self._talker.clock.after(0.1, self._partial)
            return
        window_s, so_far = self._talker.config.max_partial_window_s, self._so_far
        if so_far - self._window_start > window_s:
            self._window_start = so_far - window_s / 2
        words = so_far - self._window_start > SLIDE_AT * window_s
        self._sent_at = now
        task = Task(
            self._job(Kind.PARTIAL, 1, words=words), lambda: self._stored(so_far) - self._window_start, lambda: None
        )
        task.answered = lambda: cell.answer(self._talker, lambda: self._heard(task, cell))
        self._awaited = task
        cell.submit(self._talker, task)

    def _heard(self, task: Task, cell: Cell) -> None:
        if self._awaited is not task:
            return
        self._awaited = None
        self._show(self._window_start + task.fetched_s)
        self._partial_later()

    def _show(self, upto: float) -> None:
        """A partial of the audio up to there, its latency from when the frame with its last sample was sent."""
        tally, now = self._talker.tally, self._talker.clock.now
        sent = math.ceil((self._utterance.start + upto) / FRAME_S - 1e-6) * FRAME_S
        if now >= tally.since:
            tally.partials.append((now - self._began - sent) * 1000)

    def _pause(self) -> None:
        cell = self._cell
        if cell is None or self._closed or not effort(cell.step, self._talker.config).speculates:
            return
        self._ahead, self._ahead_answered = self._ask_final(cell), False

    def _resume(self) -> None:
        if self._ahead:
            at_ease = self._cell is None or effort(self._cell.step, self._talker.config).at_ease
            worth = self._pieces.are_worth(self._ahead.job, round(self._so_far * SAMPLE_RATE), at_ease=at_ease)
            if worth and self._ahead_answered:
                self._keep(self._ahead)
            elif worth:
                self._overtaken.add(self._ahead.job.job_id)
            self._ahead = None
            self._partial_later()

    def _keep(self, task: Task) -> None:
        """What was decoded is a piece, if it is worth it; partials begin after it."""
        job, end = task.job, task.job.end or 0
        self._overtaken.discard(job.job_id)
        answer = msgspec.structs.replace(nothing(job), text=self._name, audio_end=end)
        if not self._pieces.keep(self._known[job.job_id], job, answer):
            return
        self._window_start = max(self._window_start, end / SAMPLE_RATE)
        if self._awaited:
            self._overtake()
            self._partial_later()

    def _overtake(self) -> None:
        """An outstanding partial says less than what is known, or asked for."""
        if self._awaited:
            self._awaited.overtaken, self._awaited = True, None

    def _close(self) -> None:
        cell = self._cell
        if cell is None:
            return
        self._closed = True
        if self._talker.clock.now >= self._talker.tally.since:
            self._talker.tally.speech_s += self._utterance.seconds
        if self._ahead is None:
            self._ahead = self._ask_final(cell)
        elif self._ahead_answered:
            self._final()

    def _ask_final(self, cell: Cell) -> Task:
        self._overtake()
        end = round((self._utterance.seconds if self._closed else self._so_far) * SAMPLE_RATE)
        known = self._pieces.for_final(end)
        start = known[-1].end if known else 0
        beam = effort(cell.step, self._talker.config).beam_size
        job = self._job(Kind.FINAL, beam, words=self._talker.config.word_timestamps, start=start, end=end)
        self._known[job.job_id] = known
        task = Task(job, lambda: (end - start) / SAMPLE_RATE, lambda: None)
        task.answered = lambda: cell.answer(self._talker, lambda: self._answered(task))
        cell.submit(self._talker, task)
        return task

    def _answered(self, task: Task) -> None:
        if task.job.job_id in self._overtaken:
            self._keep(task)
        if self._ahead is not task:
            return
        self._ahead_answered = True
        if self._closed:
            self._final()
        else:
            self._show((task.job.end or 0) / SAMPLE_RATE)

    def _final(self) -> None:
        tally, now = self._talker.tally, self._talker.clock.now
        if now >= tally.since:
            tally.finals.append((now - self._began - self._utterance.closed) * 1000)

    def _job(self, kind: Kind, beam: int, *, words: bool, start: int = 0, end: int | None = None) -> Job:
        self._numbers += 1
        return Job(
            job_id=f"{self._name}:{self._numbers}", group="", segment_id=self._name, kind=kind, audio_key="",
            overtaken_key="", number=self._numbers, start=start, end=end, language="pt", beam_size=beam,
            word_timestamps=words,
        )  # fmt: skip
