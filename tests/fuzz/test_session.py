"""A session given anything, in any order: nothing escapes it, it ends, it leaves nothing behind."""

import gc
import weakref
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.session.fakes import FAST, Talk, transcript
from tests.core.session.test_session_machine import SessionMachine
from tests.fuzz.inputs import INPUTS, SHORT, audio, texts
from transcription.core.capacity.admission import Admitted, Refusal
from transcription.core.contract.jobs import Failure, Kind, Result
from transcription.core.protocol import ErrorCode, SessionEnded, encode
from transcription.core.session.effects import Admit, Close, DiscardAudio, Effect, RecordClosed, RecordOpened
from transcription.core.session.recognition import Tools
from transcription.core.session.session import Session, State
from transcription.ingress.resampling import StreamResampler

LEAST = 20
STEPS = 30
_sessions: weakref.WeakSet[Any] = weakref.WeakSet()

START = st.just(("text", '{"type": "start_session"}'))
events = st.one_of(
    st.tuples(st.just("text"), texts),
    st.tuples(st.just("audio"), audio),
    st.tuples(st.just("audio"), audio),
    st.tuples(st.just("speech"), st.integers(1, 40)),
    st.tuples(st.just("silence"), st.integers(1, 20)),
    st.tuples(st.just("tick"), st.floats(0, 100)),
    st.tuples(st.just("result"), st.tuples(st.integers(0, 50), st.sampled_from(["done", "failed", "retry", "alien"]))),
    st.tuples(st.just("stored"), st.booleans()),
    st.tuples(st.just("gone"), st.none()),
    START,
)


class Fuzzed(Talk):
    """A talk whose session is fed by events; admission answers as asked."""

    def __init__(self) -> None:
        super().__init__(FAST)
        self.session = Session("uid", FAST, Tools(vad=lambda rate: self.vad, resampler=StreamResampler), self.now)
        self.effects: list[Effect] = []
        _sessions.add(self.session)

    def take(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        super().take(effects)
        for effect in effects:
            if isinstance(effect, Admit):
                full = Refusal(ErrorCode.QUEUE_FULL, "Queue full")
                answer = full if len(self.effects) % 5 == 4 else Admitted()
                self.take(self.session.receive_admission(answer, self.now))
        return effects

    def happen(self, kind: str, what: Any) -> None:
        session = self.session
        match kind:
            case "text":
                self.take(session.receive_text(what, self.now))
            case "audio":
                self.take(session.receive_audio(what, self.now))
            case "speech" | "silence":
                self.windows(what, speaking=kind == "speech")
            case "tick":
                self.now += what
                self.take(session.tick(self.now))
            case "result" if self.jobs:
                self.take(session.receive_result(self._result(*what), self.now))
            case "stored":
                self.redis_up = what
            case "gone":
                self.take(session.disconnect(self.now))

    def _result(self, number: int, how: str) -> Result:
        job = self.jobs[number % len(self.jobs)]
        if how in ("failed", "retry"):
            return Failure(
                job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="no", retryable=how == "retry"
            )
        alien = {"job_id": "someone's", "segment_id": "seg-9999", "kind": Kind.FINAL} if how == "alien" else {}
        return transcript(job, "olá", **alien)

    def over(self) -> None:
        """The client goes, and nobody answers any more."""
        self.happen("gone", None)
        for _ in range(8):
            self.now += FAST.result_timeout_s + FAST.start_timeout_s
            self.take(self.session.tick(self.now))


@settings(max_examples=INPUTS // LEAST, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(events, min_size=LEAST, max_size=3 * LEAST))
def test_whatever_happens_a_session_ends_and_leaves_nothing(happenings: list[tuple[str, Any]]) -> None:
    """All its messages can be sent; it closes its record once; every buffer it filled is deleted."""
    talk = Fuzzed()
    for kind, what in happenings:
        talk.happen(kind, what)
    talk.over()

    assert talk.session.state is State.ENDED
    assert all(encode(message) for message in talk.sent)
    opened, closed = (sum(isinstance(e, kind) for e in talk.effects) for kind in (RecordOpened, RecordClosed))
    assert opened == closed <= 1
    assert sum(isinstance(message, SessionEnded) for message in talk.sent) == opened
    assert sum(isinstance(effect, Close) for effect in talk.effects) <= 1
    discarded = {
        segment for effect in talk.effects if isinstance(effect, DiscardAudio) for segment in effect.segment_ids
    }
    assert {effect.segment_id for effect in talk.stored} <= discarded
    asked = [job for job in talk.jobs if job.kind is Kind.FINAL]
    assert len(asked) <= 3 * max(len({job.job_id for job in asked}), 1), "three tries a final"


def test_sessions_are_forgotten() -> None:
    """Of all the sessions so far none is kept by anything."""
    gc.collect()

    assert len(_sessions) <= 1  # the last one may still be in Hypothesis' hands


@pytest.mark.skipif(INPUTS <= SHORT, reason="the suite has the machine itself")
class FuzzedMachine(SessionMachine.TestCase):
    """The state machine's invariants, over as many steps."""

    settings = settings(
        max_examples=max(INPUTS // STEPS, 1), stateful_step_count=STEPS, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
