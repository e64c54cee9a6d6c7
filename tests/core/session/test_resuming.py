"""A client lost and back: what is settled stays, what is not is heard again, nothing is said twice."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.session.fakes import FAST, Talk
from transcription.core import resuming
from transcription.core.capacity.admission import Admitted
from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Failure, Kind
from transcription.core.protocol import EndReason, Error, FinalTranscript
from transcription.core.resuming import MAX_ANSWERS, Checkpoint
from transcription.core.session.effects import Admit, Close, DiscardAudio, Effect, RecordClosed, SaveCheckpoint, Send
from transcription.core.session.session import State

LONG = replace(FAST, max_utterance_s=30.0)
START = '{"type": "start_session", "session_id": "s", "resume": true}'


class Lasting(Talk):
    """A talk that may be resumed; `checkpoint` is what Redis would keep."""

    def __init__(self, before: Checkpoint | None = None, last: str | None = None, config: SessionConfig = LONG) -> None:
        super().__init__(config)
        self.effects: list[Effect] = []
        self.checkpoint = Checkpoint()
        text = START if last is None else START[:-1] + f', "last_segment_id": "{last}"}}'
        assert self.text(text) == [Admit("s", resume_window_s=LONG.resume_window_s)]
        self.take(self.session.receive_admission(Admitted(before, "before" if before else ""), self.now))

    def take(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        for effect in effects:
            if isinstance(effect, SaveCheckpoint):  # as it comes back from Redis
                self.checkpoint = resuming.decode(resuming.encode(effect.checkpoint))
        return super().take(effects)

    def utter(self, text: str | None = None) -> None:
        """One utterance, answered with a text."""
        self.windows(10, speaking=True)
        self.windows(5, speaking=False)
        if text:
            self.answer(self.final(), text)

    def lose(self) -> None:
        """The client is gone."""
        self.take(self.session.disconnect(self.now))

    def texts(self) -> list[str]:
        return [message.text for message in self.sent if isinstance(message, FinalTranscript)]

    def closed(self) -> RecordClosed:
        (closed,) = (effect for effect in self.effects if isinstance(effect, RecordClosed))
        return closed


def test_without_resume_nothing_is_kept() -> None:
    talk = Talk()
    effects = talk.text('{"type": "start_session", "session_id": "s"}')
    effects += talk.take(talk.session.receive_admission(Admitted(), talk.now))

    assert effects[0] == Admit("s", resume_window_s=0.0)
    assert not any(isinstance(effect, SaveCheckpoint) for effect in effects)
    assert not talk.session._resumable


@pytest.mark.parametrize("last", ["seg-0001", "seg-0002", "seg-0003"])
def test_digits_that_go_on_in_a_resumed_session_are_kept_out_of_it(last: str) -> None:
    """Whatever the client has heard already, or heard after what was written down."""
    redacts = replace(LONG, redact=("cpf",))
    before = Lasting(config=redacts)
    for said in ("olá", "meu CPF é 529 982"):
        before.utter(said)
    before.lose()
    talk = Lasting(before.checkpoint, last, redacts)
    talk.utter("25")

    assert talk.texts()[-1] == "[NUMBER]"


def test_a_lost_client_s_session_waits_with_its_utterance_open() -> None:
    """Neither flushed nor forgotten until the window is over; then it is transcribed as ever."""
    talk = Lasting()
    talk.windows(10, speaking=True)
    talk.lose()
    jobs = len(talk.jobs)
    talk.now += FAST.resume_window_s - 0.1
    talk.take(talk.session.tick(talk.now))

    assert (talk.session.state, talk.session.talking, len(talk.jobs)) == (State.DETACHED, True, jobs)

    talk.now += 0.2
    talk.take(talk.session.tick(talk.now))
    assert talk.session.state is State.ENDING
    talk.answer(talk.final(), "olá")
    assert talk.texts() == ["olá"]
    assert (talk.closed().reason, talk.closed().resumable) == (EndReason.DISCONNECTED, False)


def test_going_on_begins_after_the_last_answer() -> None:
    """Positions and segment numbers continue; what had no final is asked for again, under another name."""
    first = Lasting()
    first.utter("um")
    first.utter()
    first.windows(8, speaking=True)
    first.lose()
    last = first.sent[-1].segment_id if isinstance(first.sent[-1], FinalTranscript) else "seg-0001"
    effects = first.take(first.session.supersede())
    second = Lasting(first.checkpoint, last)
    started = second.sent[0]

    assert [type(effect) for effect in effects] == [DiscardAudio, RecordClosed, Close], "it says nothing"
    assert effects[0].segment_ids == ("seg-0002", "seg-0003")
    assert (first.closed().reason, first.closed().total_segments) == (EndReason.RESUMED, 3)
    (um,) = (message for message in first.sent if isinstance(message, FinalTranscript))
    assert (started.resumed, started.audio_received_ms) == (True, um.audio_start_ms + um.audio_duration_ms)
    assert second.texts() == []

    heard = second.session.audio_ms
    second.utter("dois")
    final = second.sent[-1]
    assert heard == started.audio_received_ms
    assert (final.segment_id, final.text) == ("seg-0002", "dois")
    assert final.audio_start_ms >= started.audio_received_ms
    assert second.session.audio_ms == heard + 15 * 32
    second.text('{"type": "end_session"}')
    assert second.sent[-1].total_segments == 2
    assert second.sent[-1].total_audio_ms == second.session.audio_ms
    assert not second.closed().resumable


def test_answers_that_were_missed_are_sent_again() -> None:
    """Finals and errors, with their flushes' names, once and in order, not counted or recorded again."""
    first = Lasting()
    first.utter("um")
    first.lose()
    first.take(first.session.supersede())
    talk = Lasting(first.checkpoint, "seg-0001")
    talk.windows(10, speaking=True)
    talk.text('{"type": "flush", "flush_id": "turno"}')
    job = talk.final()
    talk.take(
        talk.session.receive_result(
            Failure(job_id=job.job_id, segment_id=job.segment_id, kind=Kind.FINAL, reason="no", retryable=False),
            talk.now,
        )
    )
    talk.utter("três")
    talk.lose()
    after = Lasting(talk.checkpoint, "seg-0001")

    sends = [effect for effect in after.effects if isinstance(effect, Send)][1:]
    assert all(send.again for send in sends)
    error, final = (send.message for send in sends)
    assert isinstance(error, Error)
    assert (error.segment_id, error.flush_id) == ("seg-0002", "turno")
    assert (final.segment_id, final.text) == ("seg-0003", "três")
    assert after.sent[0].audio_received_ms == final.audio_start_ms + final.audio_duration_ms


def test_a_client_that_has_ended_its_session_and_gone_can_hear_the_rest() -> None:
    talk = Lasting()
    talk.windows(10, speaking=True)
    talk.text('{"type": "end_session"}')
    talk.lose()
    talk.answer(talk.final(), "olá")

    assert (talk.closed().reason, talk.closed().resumable) == (EndReason.COMPLETED, True)
    assert Lasting(talk.checkpoint).texts() == ["olá"]


@pytest.mark.parametrize(("kept", "had", "expected"), [
    (3, None, [1, 2, 3]), (3, "seg-0002", [3]), (3, "seg-0003", []), (3, "what?", [1, 2, 3]),
    (3, "seg-0005", []), (20, "seg-0004", list(range(5, 21))), (20, "seg-0003", None), (20, None, None),
])  # fmt: skip
def test_which_answers_a_client_has_missed(kept: int, had: str | None, expected: list[int] | None) -> None:
    """`None` where some of them are gone: it has to begin anew."""
    checkpoint = Checkpoint()
    for n in range(1, kept + 1):
        answer = Error(code="INFERENCE_ERROR", message="", session_id="s", segment_id=resuming.segment_name(n))
        checkpoint = checkpoint.plus(answer, n * 1000)
    after = checkpoint.after(had)

    if expected is None:
        assert after is None
        talk = Lasting(checkpoint, had)
        assert (talk.sent[0].resumed, talk.session.audio_ms, talk.checkpoint) == (False, 0.0, Checkpoint())
    else:
        assert after is not None
        assert [answer.segment_id for answer in after.answers] == [resuming.segment_name(n) for n in expected]
        assert after.position == kept * 1000
        assert after.segments == (5 if had == "seg-0005" else kept)


def test_a_made_up_segment_cannot_count_without_end() -> None:
    assert Checkpoint().after("seg-999999999").segments == MAX_ANSWERS


@given(st.lists(st.tuples(st.integers(2, 30), st.integers(0, 12), st.sampled_from("kkkld")), min_size=1, max_size=25))
def test_whatever_is_lost_each_word_is_transcribed_once(script: list[tuple[int, int, str]]) -> None:
    """Speech and silence by windows; then (k) all is answered, (l) nothing is, or (d) the client is lost as well.

    The client replays from where it is told. Of all finals, by name, no two overlap, none is told twice, and whatever
    was spoken lies in one of them.
    """
    voiced = np.concatenate([[True] * spoken + [False] * quiet for spoken, quiet, _ in script])
    ends = np.cumsum([spoken + quiet for spoken, quiet, _ in script]).tolist()
    states = dict(zip(ends, [state for *_, state in script], strict=True))
    talk, at = Lasting(), 0
    told: dict[str, FinalTranscript] = {}

    def reply(talk: Lasting, *, heard: bool = True) -> None:
        for job in {job.job_id: job for job in talk.jobs}.values():
            talk.answer(job)
        if heard:
            told.update((final.segment_id, final) for final in talk.sent if isinstance(final, FinalTranscript))

    while at < len(voiced):
        talk.windows(1, speaking=bool(voiced[at]))
        at += 1
        match states.pop(at, "l"):
            case "k":
                reply(talk)
            case "d":
                talk.lose()
                reply(talk, heard=False)
                talk.take(talk.session.supersede())
                talk = Lasting(talk.checkpoint, max(told, default=None))
                missed = [final.segment_id for final in talk.sent if isinstance(final, FinalTranscript)]
                assert talk.sent[0].resumed
                assert not told.keys() & missed
                at = round(talk.sent[0].audio_received_ms / 32)
    talk.text('{"type": "end_session"}')
    reply(talk)

    finals = [told[name] for name in sorted(told)]
    assert [final.segment_id for final in finals] == [f"seg-{n:04d}" for n in range(1, len(finals) + 1)]
    spans = [(final.audio_start_ms, final.audio_start_ms + final.audio_duration_ms) for final in finals]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    for window in np.flatnonzero(voiced):
        assert any(start <= window * 32 and (window + 1) * 32 <= end for start, end in spans), window
