"""A session under arbitrary happenings: what must hold whatever comes, in whatever order."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.session.fakes import FAST, Talk, transcript, with_vad
from transcription.core.capacity.admission import Admitted, Refusal
from transcription.core.contract.jobs import Failure, Job, Kind, Transcript
from transcription.core.protocol import (
    EndReason,
    Error,
    ErrorCode,
    FinalTranscript,
    PartialTranscript,
    SessionEnded,
    VadEvent,
)
from transcription.core.session.effects import (
    Close,
    RecordClosed,
    RecordFailedSegment,
    RecordSegment,
    Send,
)
from transcription.core.session.endpointing import WINDOW
from transcription.core.session.life import State

MIN_SPEECH = 1024
"""Samples: two windows, as in FAST."""


mostly = st.sampled_from([True, True, True, False])


class SessionMachine(RuleBasedStateMachine):
    """Every sample carries its position (modulo 2^16), so a segment's content tells where it came from."""

    @initialize(
        vad=mostly,
        partials=st.booleans(),
        redis_up=mostly,
        hasty=st.booleans(),
        piece_ms=st.sampled_from([0, 100, 300]),
        begun=mostly,
    )
    def connect(self, vad: bool, partials: bool, redis_up: bool, hasty: bool, piece_ms: int, begun: bool) -> None:
        ahead = {"speculate_ms": 64, "min_silence_ms": 160, "piece_ms": piece_ms} if hasty else {}
        config = replace(with_vad(FAST, enabled=vad, **ahead), partial_results=partials)
        self.talk = Talk(config, redis_up=redis_up)
        self.vad = vad
        self.accepted = 0
        self.answered: list[Job] = []
        self.closed = 0
        self.records = 0
        self.effects: list[object] = []
        self.gone = False
        self.spoken: list[tuple[int, int]] = []
        self.flushes: list[str] = []
        self.take(self.talk.session.receive_text('{"type": "start_session", "session_id": "s"}', self.talk.now))
        if begun:
            self.take(self.talk.session.receive_admission(Admitted(), self.talk.now))
        else:
            self.take(self.talk.session.receive_admission(Refusal(ErrorCode.QUEUE_FULL, "Queue full"), self.talk.now))

    def take(self, effects: list[object]) -> None:
        self.talk.take(effects)
        self.effects += effects

    @property
    def state(self) -> State:
        return self.talk.session.state

    def waiting(self) -> list[Job]:
        return [job for job in self.talk.jobs if job not in self.answered]

    @precondition(lambda self: self.state is State.CONNECTED)
    @rule(admitted=st.booleans())
    def start(self, admitted: bool) -> None:
        self.take(self.talk.session.receive_text('{"type": "start_session", "session_id": "s"}', self.talk.now))
        answer = Admitted() if admitted else Refusal(ErrorCode.QUEUE_FULL, "Queue full")
        self.take(self.talk.session.receive_admission(answer, self.talk.now))

    @rule(samples=st.integers(1, 6000), speaking=st.booleans(), split=st.integers(0, 700))
    def audio(self, samples: int, speaking: bool, split: int = 0) -> None:
        self.talk.vad.speaking = speaking
        before = self.talk.session.audio_ms
        if speaking:
            self.effects.append("spoke")
        pcm = (np.arange(self.accepted, self.accepted + samples) % 65536).astype("<u2").tobytes()
        for piece in (pcm[:split], pcm[split:]):  # anywhere, in the middle of a sample too
            self.take(self.talk.session.receive_audio(piece, self.talk.now))
        taken = round((self.talk.session.audio_ms - before) * 16)
        assert taken in (0, samples), "a frame is taken whole or refused whole"
        if taken and speaking:
            self.spoken.append((self.accepted, self.accepted + taken))
        self.accepted += taken
        self.talk.now += samples / 16_000

    @rule(data=st.data(), pieces=st.integers(1, 4))
    def sentence(self, data: st.DataObject, pieces: int) -> None:
        """Speech with pauses, and the silence that ends it: what sessions mostly hear."""
        for _ in range(pieces):
            self.audio(samples=data.draw(st.integers(1100, 4000)), speaking=True)
            self.audio(samples=data.draw(st.sampled_from([1600, 2000, 300])), speaking=False)
            if self.waiting() and data.draw(mostly):
                self.reply(self.waiting()[-1], "done")
        match data.draw(st.sampled_from(["silence", "silence", "flush", "named", "more"])):
            case "silence":
                self.audio(samples=3000, speaking=False)
            case "flush":
                self.command("flush")
            case "named":
                self.named_flush()
            case "more":
                self.audio(samples=1500, speaking=True)
                self.command("flush")
        for job in data.draw(st.permutations(self.waiting()[-6:])):
            if data.draw(mostly):
                self.reply(job, "done")

    @rule(text=st.sampled_from(["{}", "x", '{"type": "start_session"}', '{"type": "flush", "a": 1}']))
    def nonsense(self, text: str) -> None:
        if self.state is State.CONNECTED and "start" in text:
            return
        self.take(self.talk.session.receive_text(text, self.talk.now))

    @rule(what=st.sampled_from(["flush"] * 8 + ["end_session", "cancel"]))
    def command(self, what: str) -> None:
        self.take(self.talk.session.receive_text(f'{{"type": "{what}"}}', self.talk.now))

    @rule(mode=st.sampled_from(["auto", "dictation", "short", "fixed"]), silence_ms=st.sampled_from([64, 96, 320]))
    def configure(self, mode: str, silence_ms: int) -> None:
        asked = f'{{"type": "configure", "turn_mode": "{mode}", "min_silence_ms": {silence_ms}, "max_hold_ms": 640}}'
        self.take(self.talk.session.receive_text(asked, self.talk.now))

    @rule()
    def named_flush(self) -> None:
        flush_id = f"flush-{len(self.flushes)}"
        if self.state is State.STREAMING:
            self.flushes.append(flush_id)
        self.take(self.talk.session.receive_text(f'{{"type": "flush", "flush_id": "{flush_id}"}}', self.talk.now))

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), how=st.sampled_from(["done", "done", "twice", "failed", "retry"]))
    def answer(self, data: st.DataObject, how: str) -> None:
        self.reply(data.draw(st.sampled_from(self.waiting())), how)

    def reply(self, job: Job, how: str) -> None:
        result: Failure | Transcript
        if how in ("failed", "retry"):
            result = Failure(
                job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="no", retryable=how == "retry"
            )
        else:
            result = transcript(job, job.job_id)  # so that a text tells whose it is
        for _ in range(2 if how == "twice" else 1):
            self.take(self.talk.session.receive_result(result, self.talk.now))
        if how != "retry":
            self.answered.append(job)

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), died=st.booleans())
    def loss(self, data: st.DataObject, died: bool) -> None:
        """Nobody has a job any more."""
        job = data.draw(st.sampled_from(self.waiting()))
        self.take(self.talk.session.receive_loss({job.job_id}, self.talk.now, worker_died=died))

    @rule(seconds=st.sampled_from([0.1] * 6 + [1.0, 6.0, 61.0]))
    def time(self, seconds: float) -> None:
        self.talk.now += seconds
        self.take(self.talk.session.tick(self.talk.now))

    @rule(step=st.integers(0, 5))
    def shed(self, step: int) -> None:
        before = len(self.talk.sent)
        self.take(self.talk.session.shed(step))
        assert len(self.talk.sent) - before <= 1

    @rule()
    def redis_returns(self) -> None:
        if not self.talk.redis_up:
            self.talk.redis_up = True
            for effect in self.talk.stored:
                self.talk.session.audio_stored(effect.segment_id, len(effect.pcm) // 2)

    @rule()
    def fault(self) -> None:
        if self.accepted > 20_000:  # late, or most runs would end here
            self.take(self.talk.session.fail())

    @rule()
    def bar(self) -> None:
        if self.accepted > 20_000:
            self.take(self.talk.session.revoke(ErrorCode.UNAUTHORIZED, "revoked", self.talk.now))

    @rule()
    def disconnect(self) -> None:
        if self.accepted > 20_000:
            self.gone = True
            self.take(self.talk.session.disconnect(self.talk.now))

    # What always holds

    @invariant()
    def segments_hold_what_was_said(self) -> None:
        """Stored audio is the accepted audio at the segment's place; segments neither overlap nor go back."""
        buffers: dict[str, bytearray] = defaultdict(bytearray)
        for effect in self.talk.stored:
            assert effect.offset * 2 == len(buffers[effect.segment_id]), "stored once, without a hole"
            buffers[effect.segment_id] += effect.pcm
        ends = self.ends()
        position = 0
        for segment_id, buffer in buffers.items():
            values = np.frombuffer(buffer, dtype="<u2").astype(np.int64)
            start = position + (values[0] - position) % 65536
            assert (values == (start + np.arange(values.size)) % 65536).all()
            if segment_id in ends:
                assert ends[segment_id] <= values.size
                position = start + ends[segment_id]
                if not self.vad:
                    assert start == self.covered_before(segment_id, ends)
        assert position <= self.accepted

    @invariant()
    def what_is_sent_again_is_whole(self) -> None:
        """A final that is sent again brings all audio its job asks for, as it was stored."""
        for effect in self.talk.resent:
            stored = b"".join(e.pcm for e in self.talk.stored if e.segment_id == effect.job.segment_id)
            assert effect.pcm == stored
            assert effect.job.end is not None and len(effect.pcm) >= 2 * effect.job.end
        self.talk.resent.clear()

    def ends(self) -> dict[str, int]:
        """Where each segment that was asked for ends: without speculation, its last final job says so."""
        jobs = [job for job in self.talk.jobs if job.kind is Kind.FINAL]
        session = self.talk.session
        open_one = f"seg-{session.segments:04d}" if session.talking else None
        ends = {job.segment_id: job.end or 0 for job in jobs if job.segment_id != open_one}
        told = [message for message in self.talk.sent if isinstance(message, FinalTranscript)]
        return ends | {final.segment_id: round(final.audio_duration_ms * 16) for final in told}

    def covered_before(self, segment_id: str, ends: dict[str, int]) -> int:
        """Without a VAD nothing is left out: each segment starts where the one before ended."""
        return sum(end for other, end in ends.items() if other < segment_id)

    @invariant()
    def the_wire_is_in_order(self) -> None:
        sent = self.talk.sent
        ended = [i for i, message in enumerate(sent) if isinstance(message, SessionEnded)]
        assert len(ended) <= 1
        assert not ended or ended[0] == len(sent) - 1, "nothing follows session_ended"
        finals = [m.segment_id for m in sent if isinstance(m, FinalTranscript)]
        assert finals == sorted(set(finals)), "finals in order of speech, each once"
        state = dict.fromkeys((f"seg-{n:04d}" for n in range(1, 500)), "new")
        for message in sent:
            match message:
                case VadEvent(state="speech_start", segment_id=segment):
                    assert state[segment] == "new"
                    state[segment] = "open"
                case PartialTranscript(segment_id=segment):
                    assert state[segment] in ("open", "new"), "no partial after speech_end or the final"
                case VadEvent(state="speech_end", segment_id=segment):
                    assert state[segment] in ("open", "new")
                    state[segment] = "closed"
                case FinalTranscript(segment_id=segment) | Error(segment_id=str(segment)):
                    assert state[segment] != "answered"
                    state[segment] = "answered"

    @invariant()
    def a_final_is_its_last_speculation_unless_speech_resumed(self) -> None:
        """What was sent as `speculative` comes back word for word, unless somebody spoke in between."""
        promised: dict[str, str] = {}
        for effect in self.effects:
            match effect:
                case Send(message=PartialTranscript(speculative=True, segment_id=segment, text=text)):
                    promised[segment] = text
                case "spoke":
                    promised.clear()
                case Send(message=FinalTranscript(segment_id=segment, text=text)) if segment in promised:
                    assert text == promised[segment]

    @invariant()
    def a_final_has_heard_all_the_speech_of_its_segment_once(self) -> None:
        """The decodes behind it follow each other without a hole, from its beginning.

        The last ends after the last stretch of speech, give or take the windows it lies in.
        """
        jobs = {job.job_id: job for job in self.talk.jobs}
        for effect in self.effects:
            match effect:
                case Send(message=FinalTranscript() as final) if final.text:
                    heard = 0
                    for job in (jobs[name] for name in final.text.split()):
                        assert job.start == heard
                        heard = job.end or 0
                    first = round(final.audio_start_ms * 16)
                    unheard = (first + heard, first + round(final.audio_duration_ms * 16))
                    for start, end in self.spoken:
                        assert min(end, unheard[1]) - max(start, unheard[0]) <= 2 * WINDOW

    @invariant()
    def the_records_match_the_wire(self) -> None:
        told = [m for m in self.talk.sent if isinstance(m, FinalTranscript) or (getattr(m, "segment_id", None) and
                isinstance(m, Error))]  # fmt: skip
        records = [e for e in self.effects if isinstance(e, RecordSegment | RecordFailedSegment)]
        assert len(told) == len(records)
        closes = [e for e in self.effects if isinstance(e, RecordClosed)]
        assert len(closes) == sum(isinstance(m, SessionEnded) for m in self.talk.sent)

    @invariant()
    def a_finished_session_owes_nothing(self) -> None:
        """Every segment asked for was answered, unless the session was cancelled or failed."""
        if self.state is not State.ENDED:
            return
        closed = [e for e in self.effects if isinstance(e, RecordClosed)]
        assert any(isinstance(e, Close) for e in self.effects) or not closed or self.gone
        faults = [m for m in self.talk.sent if isinstance(m, Error) and m.code is ErrorCode.INTERNAL_ERROR]
        if closed and closed[0].reason is not EndReason.CANCELLED and not faults:
            asked = {job.segment_id for job in self.talk.jobs if job.kind is Kind.FINAL}
            told = {e.final.segment_id for e in self.effects if isinstance(e, RecordSegment)}
            told |= {e.segment_id for e in self.effects if isinstance(e, RecordFailedSegment)}
            empty = {m.segment_id for m in self.talk.sent if isinstance(m, FinalTranscript) and not m.text}
            assert asked | empty == told
            assert not asked & empty
            assert closed[0].total_segments == len(told)
            assert self.flushes_answered() == self.flushes

    def flushes_answered(self) -> list[str]:
        finals = [m for m in self.talk.sent if isinstance(m, FinalTranscript | Error)]
        return [m.flush_id for m in finals if isinstance(m.flush_id, str)]

    @invariant()
    def named_flushes_are_answered_once_and_in_order(self) -> None:
        """An empty answer is to a flush; between asking and answering, other finals may pass."""
        answered = self.flushes_answered()
        assert answered == self.flushes[: len(answered)]
        empty = [m for m in self.talk.sent if isinstance(m, FinalTranscript) and not m.text]
        assert all(isinstance(m.flush_id, str) and not m.words and not m.audio_duration_ms for m in empty)


SessionMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestSessionMachine = SessionMachine.TestCase
