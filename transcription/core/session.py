"""One session, as a state machine without I/O.

Feed it what happened, with the time (`now`, monotonic seconds); it returns what to do about it, in order. It never
sleeps, reads a clock or touches a socket. What it promises (docs/architecture.md): each closed segment is answered by
exactly one `final_transcript` or an `error` that names it; finals come in order of speech; `session_ended` is last.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from transcription.core import options, protocol, replies
from transcription.core.admission import Admission, Refusal
from transcription.core.audio import BYTES_PER_SAMPLE, ms_from_samples
from transcription.core.backlog import Backlog
from transcription.core.config import SAMPLE_RATE, SessionConfig
from transcription.core.effects import (
    Admit,
    Close,
    CountSpeculation,
    DiscardAudio,
    Effect,
    Inquire,
    RecordClosed,
    RecordFailedSegment,
    RecordOpened,
    RecordSegment,
    Resend,
    Send,
)
from transcription.core.endpointing import Paused, Resumed
from transcription.core.jobs import Failure, Kind, Result, Transcript
from transcription.core.ledger import Entry, Ledger
from transcription.core.listener import Audio, Closed, Heard, Listener, Opened, Vad, pcm_samples
from transcription.core.protocol import CloseCode, EndReason, ErrorCode
from transcription.core.shedding import effort
from transcription.core.trace import Journal, trace
from transcription.core.utterance import Utterance

PARTIAL_LOST_AFTER_S = 3.0
"""An outstanding partial is taken for lost after so long, and the next may go out."""


class Resampler(Protocol):
    """PCM of one rate into 16 kHz PCM, as a stream."""

    def __call__(self, pcm: bytes, *, last: bool = False) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What a session is given to work with."""

    vad: Callable[[], Vad]
    resampler: Callable[[int], Resampler]
    """From a sample rate."""


class State(Enum):
    """Where a session is; it only moves down this list, but for a refusal, which leads back to the first."""

    CONNECTED = auto()
    STARTING = auto()
    STREAMING = auto()
    ENDING = auto()
    """No more input; finals are awaited."""
    ENDED = auto()


class Session:
    """The state machine of one connection's session."""

    def __init__(self, uid: str, defaults: SessionConfig, tools: Tools, now: float) -> None:
        """`uid` names the session inside the service (keys, groups); the client's own `session_id` may be reused."""
        self.uid = uid
        self.state = State.CONNECTED
        self.session_id: str | None = None
        self.config = defaults
        self._defaults = defaults
        self._tools = tools
        self._asked_at = now
        self._opened_at = now
        self._journal = Journal()
        self._last_heard_from = now
        self._backlog = Backlog(defaults.max_buffer_ms)
        self._step = 0
        self._effort = effort(0, defaults)
        self._misplaced_audio = False
        self._received = 0
        self._segments = 0
        self._errors = 0
        self._reason = EndReason.COMPLETED
        self._close_code = CloseCode.NORMAL
        self._ledger = Ledger(defaults.result_timeout_s, defaults.max_final_wait_s)
        self._listener: Listener | None = None
        self._resampler: Resampler | None = None
        self._utterance: Utterance | None = None

    @property
    def talking(self) -> bool:
        """Whether an utterance is open."""
        return self._utterance is not None

    @property
    def audio_ms(self) -> float:
        """Audio accepted."""
        return ms_from_samples(self._received, self.config.sample_rate)

    @property
    def segments(self) -> int:
        """How many segments there have been, the open one included."""
        return self._segments

    def note(self, what: str) -> None:
        """Keep an event for the audit records: what an operator should know of this session at this point."""
        self._journal.note(self.audio_ms, what)

    # What the client does

    def receive_text(self, text: str, now: float) -> list[Effect]:
        """A text frame came in."""
        self._last_heard_from = now
        if self.state is State.ENDED:
            return []
        if len(text) > self.config.max_frame_bytes:
            return self._complain(f"Text frame too long: expected at most {self.config.max_frame_bytes} bytes")
        try:
            message = protocol.decode(text)
        except protocol.ProtocolError as error:
            return self._complain(str(error))
        match message:
            case protocol.StartSession():
                return self._start(message)
            case _ if self.state in (State.CONNECTED, State.STARTING):
                return self._complain("Expected `start_session` first")
            case protocol.Cancel():
                return self._abandon(EndReason.CANCELLED, CloseCode.NORMAL)
            case _ if self.state is State.ENDING:
                return []
            case protocol.Flush():
                return self._flush(now)
            case protocol.EndSession():
                return self._end(EndReason.COMPLETED, now)
        raise AssertionError(message)

    def receive_audio(self, pcm: bytes, now: float) -> list[Effect]:
        """A binary frame came in."""
        self._last_heard_from = now
        match self.state:
            case State.ENDED:
                return []
            case State.CONNECTED | State.STARTING:
                return self._complain_of_audio("Audio before `session_started`: expected `start_session` first")
            case State.ENDING:
                return self._complain_of_audio("Audio after `end_session`")
        if len(pcm) % BYTES_PER_SAMPLE:
            return self._complain(f"Binary frame of {len(pcm)} bytes: expected an even number (16-bit samples)")
        if len(pcm) > self.config.max_frame_bytes:
            return self._complain(f"Binary frame of {len(pcm)} bytes: expected at most {self.config.max_frame_bytes}")
        if self._backlog.overflows(pcm):
            complaint = self._backlog.complaint()
            return [self._error(ErrorCode.QUEUE_CONGESTION, complaint)] if complaint else []
        self._received += pcm_samples(pcm)
        assert self._listener
        heard = self._listener.feed(self._resampler(pcm) if self._resampler else pcm)
        effects = self._hear(heard, now)
        return effects + self._maybe_partial(now)

    def disconnect(self, now: float) -> list[Effect]:
        """The client is gone. What it said is still transcribed and recorded."""
        if self.state is State.STREAMING:
            self.note("client gone")
            return self._end(EndReason.DISCONNECTED, now)
        if self.state in (State.CONNECTED, State.STARTING):
            self.state = State.ENDED
        return []

    # What an operator does

    def cancel(self) -> list[Effect]:
        """End it now, as the client's own `cancel` does."""
        if self.state not in (State.STREAMING, State.ENDING):
            return []
        self.note("cancelled by an operator")
        return self._abandon(EndReason.CANCELLED, CloseCode.NORMAL)

    # What the service answers

    def receive_admission(self, admission: Admission, now: float) -> list[Effect]:
        """Admission answers an `Admit`."""
        assert self.state is State.STARTING and self.session_id
        if isinstance(admission, Refusal):
            session_id, self.session_id, self.state = self.session_id, None, State.CONNECTED
            self._asked_at = now  # it may try again for as long
            return [
                Send(
                    protocol.Error(
                        code=admission.code,
                        message=admission.message,
                        session_id=session_id,
                        retry_after_ms=admission.retry_after_ms,
                    )
                )
            ]
        config = self.config
        self.state = State.STREAMING
        self._effort = effort(self._step, config)
        self._opened_at = self._last_heard_from = now
        self._listener = Listener(config, self._tools.vad() if config.vad.enabled else None)
        if config.sample_rate != SAMPLE_RATE:
            self._resampler = self._tools.resampler(config.sample_rate)
        return [RecordOpened(self.session_id, config), Send(protocol.SessionStarted(session_id=self.session_id))]

    def receive_result(self, result: Result, now: float) -> list[Effect]:
        """A worker answers a job."""
        if self.state not in (State.STREAMING, State.ENDING):
            return []
        utterance = self._utterance
        if utterance and utterance.segment_id == result.segment_id:
            if result.kind is Kind.PARTIAL:
                return self._receive_partial(utterance, result, now)
            if utterance.hear_speculation(result, now):
                return self._receive_speculation(utterance, result, now)
        again = self._ledger.receive(result, now)
        return [*self._resend([again] if again else []), *self._release(now)]

    def receive_loss(self, job_ids: Collection[str], now: float, *, worker_died: bool) -> list[Effect]:
        """An `Inquire` found that nobody has these finals any more, or that the worker that had them is dead."""
        return [*self._resend(self._ledger.lost(job_ids, now, worker_died=worker_died)), *self._release(now)]

    def audio_of(self, segment_id: str) -> bytes:
        """A segment's audio so far, as long as its final is awaited; for a Redis that has lost it."""
        utterance = self._utterance
        open_now = utterance is not None and utterance.segment_id == segment_id
        return bytes(utterance.pcm if utterance and open_now else self._ledger.audio_of(segment_id))

    def audio_stored(self, samples: int) -> None:
        """So many samples of a `StoreAudio` are safe in Redis."""
        self._backlog.stored(samples)

    def shed(self, step: int) -> list[Effect]:
        """Give way as the cluster's step says; the client is told of each change."""
        if step == self._step or self.state not in (State.STREAMING, State.ENDING):
            return []
        assert self.session_id
        self._step, self._effort = step, effort(step, self.config)
        if self._utterance:
            self._utterance.effort = self._effort
        self.note(f"shedding step {step}")
        return [Send(replies.status(self.session_id, step, self._effort))]

    def tick(self, now: float, backlog_s: float = 0.0) -> list[Effect]:
        """Time passed: call every second or so. `backlog_s`: how long a job has to wait for its turn."""
        match self.state:
            case State.CONNECTED if now >= self._asked_at + self.config.start_timeout_s:
                self.state = State.ENDED
                complaint = self._complain(f"No `start_session` within {self.config.start_timeout_s:g} s")
                return [*complaint, Close(CloseCode.POLICY_VIOLATION)]
            case State.STREAMING if now >= self._last_heard_from + self.config.idle_timeout_s:
                return self._end(EndReason.TIMEOUT, now)
            case State.STREAMING | State.ENDING:
                again = self._resend(self._ledger.overdue(now, backlog_s))
                unsure = self._ledger.unsure(now)
                return [*again, *([Inquire(unsure)] if unsure else []), *self._release(now)]
        return []

    def bar(self, code: ErrorCode, message: str, now: float) -> list[Effect]:
        """Its holder may not go on: the client is told and heard no more; what it said before is still answered."""
        match self.state:
            case State.CONNECTED | State.STARTING:
                self.state = State.ENDED
                return [self._error(code, message), Close(CloseCode.POLICY_VIOLATION)]
            case State.STREAMING:
                self._close_code = CloseCode.POLICY_VIOLATION
                self._misplaced_audio = True  # it has been told why nothing is heard
                return [self._error(code, message), *self._end(EndReason.ERROR, now)]
        return []

    def fail(self) -> list[Effect]:
        """The shell met a fault: tell the client, without details, and end."""
        if self.state is State.ENDED:
            return []
        error = self._error(ErrorCode.INTERNAL_ERROR, "Internal error; the session is over")
        if self.state in (State.CONNECTED, State.STARTING):
            self.state = State.ENDED
            return [error, Close(CloseCode.INTERNAL_ERROR)]
        return [error, *self._abandon(EndReason.ERROR, CloseCode.INTERNAL_ERROR)]

    # Inside

    def _start(self, message: protocol.StartSession) -> list[Effect]:
        if self.state is not State.CONNECTED:
            return [self._error(ErrorCode.SESSION_EXISTS, "This connection already has a session")]
        self.config = options.merge(self._defaults, message.config)
        self.session_id = message.session_id or self.uid
        self.state = State.STARTING
        self._misplaced_audio = False
        return [Admit(self.session_id)]

    def _hear(self, heard: list[Heard], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for happening in heard:
            match happening:
                case Opened(start=start, speech_at=speech_at, continues=continues):
                    self._segments += 1
                    segment_id = f"seg-{self._segments:04d}"
                    self._utterance = Utterance(self.config, self._effort, self.uid, segment_id, start, now)
                    if not continues:
                        effects += self._vad_event("speech_start", speech_at)
                case Audio(pcm=pcm):
                    assert self._utterance
                    effects += self._utterance.append(pcm)
                case Closed(end=end, speech_end=speech_end, continues=continues):
                    assert self._utterance
                    utterance = self._utterance
                    if not continues:
                        effects += self._vad_event("speech_end", speech_end)
                    submit, entry = utterance.final(end, now, paused=not continues)
                    if utterance.speculation:
                        effects.append(CountSpeculation(hit=entry is utterance.speculation))
                    entry.speech_end, entry.closed_at, entry.partials = speech_end, now, utterance.partials
                    self._ledger.expect(entry)
                    self._utterance = None
                    effects += [*submit, *self._release(now)]
                case Paused():
                    assert self._utterance
                    effects += self._utterance.speculate(now)
                case Resumed():
                    assert self._utterance
                    if self._utterance.speculation:
                        self._utterance.speculation = None
                        effects.append(CountSpeculation(hit=False))
        self._backlog.add(effects)
        return effects

    def _maybe_partial(self, now: float) -> list[Effect]:
        utterance = self._utterance
        if utterance is None or not self._effort.partials:
            return []
        if utterance.partial_awaited and now - utterance.partial_sent_at > PARTIAL_LOST_AFTER_S:
            utterance.forget_partial()
        effects = utterance.partial(now)
        self._backlog.add(effects)
        return effects

    def _receive_partial(self, utterance: Utterance, result: Result, now: float) -> list[Effect]:
        sent_at = utterance.partial_sent_at
        text = utterance.hear_partial(result)
        shown = self._show(utterance, result, text, now - sent_at) if text else []
        return shown + self._maybe_partial(now)

    def _receive_speculation(self, utterance: Utterance, result: Result, now: float) -> list[Effect]:
        if utterance.speculation is None or not isinstance(result, Transcript):
            return []
        return self._show(utterance, result, result.text, now - utterance.speculation.asked_at)

    def _show(self, utterance: Utterance, result: Result, text: str, total_s: float) -> list[Effect]:
        if not text or not self.config.partial_results or not isinstance(result, Transcript):
            return []
        assert self.session_id
        shown = replies.partial(self.session_id, utterance, result, text, total_s)
        utterance.note_shown(shown.audio_end_ms, shown.timing.server_total_ms, len(text))
        return [Send(shown)]

    def _release(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for entry, answer in self._ledger.release():
            if isinstance(answer, Failure):
                effects += self._failed(entry, answer, now)
            else:
                effects += self._final(entry, answer, now)
            effects.append(DiscardAudio((answer.segment_id,)))
        return effects + self._finish_if_drained()

    def _resend(self, entries: list[Entry]) -> list[Effect]:
        for entry in entries:
            self.note(f"{entry.job.segment_id} sent again")
        return [Resend(entry.job, bytes(entry.pcm)) for entry in entries]

    def _final(self, entry: Entry, answer: Transcript, now: float) -> list[Effect]:
        assert self.session_id
        final = replies.final(self.session_id, entry, answer)
        return [Send(final), RecordSegment(final, trace(entry, answer, self._opened_at, now))]

    def _failed(self, entry: Entry, answer: Failure, now: float) -> list[Effect]:
        start_ms, duration_ms = ms_from_samples(entry.start), ms_from_samples(entry.samples)
        return [
            self._error(
                ErrorCode.QUEUE_FULL if answer.queue_full else ErrorCode.INFERENCE_ERROR,
                answer.reason,
                answer.segment_id,
            ),
            RecordFailedSegment(
                answer.segment_id, start_ms, duration_ms, answer.reason, trace(entry, answer, self._opened_at, now)
            ),
        ]

    def _flush(self, now: float) -> list[Effect]:
        assert self._listener
        return self._hear(self._listener.flush(), now)

    def _end(self, reason: EndReason, now: float) -> list[Effect]:
        assert self._listener
        tail = self._resampler(b"", last=True) if self._resampler else b""
        effects = [*self._hear(self._listener.feed(tail), now), *self._flush(now)]
        self._reason, self.state = reason, State.ENDING
        return effects + self._finish_if_drained()

    def _finish_if_drained(self) -> list[Effect]:
        return self._finish(self._close_code) if self.state is State.ENDING and not len(self._ledger) else []

    def _abandon(self, reason: EndReason, code: CloseCode) -> list[Effect]:
        open_segment = (self._utterance.segment_id,) if self._utterance else ()
        dropped = (*self._ledger.segment_ids, *open_segment)
        if dropped:
            self.note(f"{len(dropped)} segments dropped unanswered")
        discard = DiscardAudio(dropped)
        self._reason, self._utterance = reason, None
        return [discard, *self._finish(code)]

    def _finish(self, code: CloseCode) -> list[Effect]:
        assert self.session_id
        self.state = State.ENDED
        total_ms = self.audio_ms
        ended = protocol.SessionEnded(
            session_id=self.session_id,
            reason=self._reason,
            total_audio_ms=total_ms,
            total_segments=self._segments,
        )
        closed = RecordClosed(self._reason, total_ms, self._segments, self._errors, tuple(self._journal.events))
        return [closed, Send(ended), Close(code)]

    def _vad_event(self, state: protocol.SpeechState, position: int) -> list[Effect]:
        if not self.config.vad.enabled:
            return []
        assert self.session_id and self._utterance
        segment_id, t_ms = self._utterance.segment_id, ms_from_samples(position)
        return [Send(protocol.VadEvent(session_id=self.session_id, state=state, t_ms=t_ms, segment_id=segment_id))]

    def _complain(self, message: str) -> list[Effect]:
        return [self._error(ErrorCode.INVALID_MESSAGE, message)]

    def _complain_of_audio(self, message: str) -> list[Effect]:
        """Once: a client that streams on would get an error for each frame."""
        if self._misplaced_audio:
            return []
        self._misplaced_audio = True
        return self._complain(message)

    def _error(self, code: ErrorCode, message: str, segment_id: str | None = None) -> Send:
        self._errors += 1
        self.note(f"{code}: {message}" if segment_id is None else f"{code} ({segment_id}): {message}")
        return Send(protocol.Error(code=code, message=message, session_id=self.session_id, segment_id=segment_id))
