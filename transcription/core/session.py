"""One session's life, as a state machine without I/O; what it hears and answers is `core/speech.py`.

Feed it what happened, with the time (`now`, monotonic seconds); it returns what to do about it, in order. It never
sleeps, reads a clock or touches a socket. What it promises (docs/architecture.md): each closed segment is answered by
exactly one `final_transcript` or an `error` that names it; finals come in order of speech; `session_ended` is last.
"""

from collections.abc import Collection
from enum import Enum, auto

from msgspec import UNSET

from transcription.core import options, protocol
from transcription.core.admission import Admission, Refusal
from transcription.core.audio import BYTES_PER_SAMPLE, ms_from_samples
from transcription.core.config import SessionConfig
from transcription.core.effects import Admit, Close, DiscardAudio, Effect, Keep, RecordClosed, RecordOpened, Send
from transcription.core.jobs import Result
from transcription.core.protocol import CloseCode, EndReason, ErrorCode
from transcription.core.speech import FRESH, Speech, Tools
from transcription.core.trace import Journal


class State(Enum):
    """Where a session is; it only moves down this list, but for a refusal, which leads back to the first."""

    CONNECTED = auto()
    STARTING = auto()
    STREAMING = auto()
    DETACHED = auto()
    """The client is gone and may come back, over another connection."""
    ENDING = auto()
    """No more input; finals are awaited."""
    ENDED = auto()


LIVE = (State.STREAMING, State.DETACHED, State.ENDING)


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
        self._journal = Journal()
        self._last_heard_from = now
        self._resume = False
        self._last_segment_id: str | None = None
        self._gone_at: float | None = None
        self._misplaced_audio = False
        self._reason = EndReason.COMPLETED
        self._close_code = CloseCode.NORMAL
        self._speech: Speech | None = None

    @property
    def talking(self) -> bool:
        """Whether an utterance is open."""
        return self._speech is not None and self._speech.talking

    @property
    def audio_ms(self) -> float:
        """Audio accepted."""
        return self._speech.audio_ms if self._speech else 0.0

    @property
    def segments(self) -> int:
        """How many segments there have been, the open one included."""
        return self._speech.segments if self._speech else 0

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
            case _ if self.state in (State.DETACHED, State.ENDING):
                return []
            case protocol.Flush(flush_id=flush_id):
                assert self._speech
                return self._speech.flush(now, flush_id)
            case protocol.EndSession():
                return self._end(EndReason.COMPLETED, now)
        raise AssertionError(message)

    def receive_audio(self, pcm: bytes, now: float) -> list[Effect]:
        """A binary frame came in."""
        self._last_heard_from = now
        match self.state:
            case State.ENDED | State.DETACHED:
                return []
            case State.CONNECTED | State.STARTING:
                return self._complain_of_audio("Audio before `session_started`: expected `start_session` first")
            case State.ENDING:
                return self._complain_of_audio("Audio after `end_session`")
        if len(pcm) % BYTES_PER_SAMPLE:
            return self._complain(f"Binary frame of {len(pcm)} bytes: expected an even number (16-bit samples)")
        if len(pcm) > self.config.max_frame_bytes:
            return self._complain(f"Binary frame of {len(pcm)} bytes: expected at most {self.config.max_frame_bytes}")
        assert self._speech
        if self._speech.backlog.overflows(pcm):
            complaint = self._speech.backlog.complaint()
            return [self._error(ErrorCode.QUEUE_CONGESTION, complaint)] if complaint else []
        return self._speech.feed(pcm, now)

    def disconnect(self, now: float) -> list[Effect]:
        """The client is gone. What it said is still transcribed and recorded; at once, unless it may come back."""
        if self._gone_at is None:
            self._gone_at = now
        if self.state is State.STREAMING:
            self.note("client gone")
            if not self._resumable:
                return self._end(EndReason.DISCONNECTED, now)
            self.state = State.DETACHED
        if self.state in (State.CONNECTED, State.STARTING):
            self.state = State.ENDED
        return []

    # What an operator does

    def cancel(self) -> list[Effect]:
        """End it now, as the client's own `cancel` does."""
        if self.state not in LIVE:
            return []
        self.note("cancelled by an operator")
        return self._abandon(EndReason.CANCELLED, CloseCode.NORMAL)

    # What another connection does

    def supersede(self) -> list[Effect]:
        """Go: another connection has the session now, and hears again what is not answered."""
        if self.state not in LIVE:
            return []
        self.note("resumed by another connection")
        return self._abandon(EndReason.RESUMED, CloseCode.NORMAL)

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
        self.state = State.STREAMING
        self._last_heard_from = now
        resumed = admission.settled.after(self._last_segment_id) if admission.settled else None
        settled = resumed or FRESH
        self._speech = Speech(
            self.uid,
            self.session_id,
            self.config,
            self._tools,
            self._journal,
            now,
            settled=settled,
            resumable=self._resumable,
        )
        if resumed:
            self.note("goes on with a lost connection's session")
        started = protocol.SessionStarted(
            session_id=self.session_id,
            resumed=resumed is not None if self._resume else UNSET,
            audio_received_ms=ms_from_samples(settled.position) if resumed else UNSET,
        )
        return [
            RecordOpened(self.session_id, self.config),
            *([Keep(settled)] if self._resumable else []),
            Send(started),
            *(Send(answer, again=True) for answer in settled.answers),
        ]

    def receive_result(self, result: Result, now: float) -> list[Effect]:
        """A worker answers a job."""
        if self.state not in LIVE:
            return []
        assert self._speech
        return self._speech.receive_result(result, now) + self._finish_if_drained()

    def receive_loss(self, job_ids: Collection[str], now: float, *, worker_died: bool) -> list[Effect]:
        """An `Inquire` found that nobody has these finals any more, or that the worker that had them is dead."""
        if self.state not in LIVE:
            return []
        assert self._speech
        return self._speech.receive_loss(job_ids, now, worker_died=worker_died) + self._finish_if_drained()

    def audio_of(self, segment_id: str) -> bytes:
        """A segment's audio so far, as long as its final is awaited; for a Redis that has lost it."""
        return self._speech.audio_of(segment_id) if self._speech else b""

    def audio_stored(self, samples: int) -> None:
        """So many samples of a `StoreAudio` are safe in Redis."""
        if self._speech:
            self._speech.backlog.stored(samples)

    def shed(self, step: int) -> list[Effect]:
        """Give way as the cluster's step says; the client is told of each change."""
        if self.state not in LIVE:
            return []
        assert self._speech
        return self._speech.shed(step)

    def tick(self, now: float, backlog_s: float = 0.0) -> list[Effect]:
        """Time passed: call every second or so. `backlog_s`: how long a job has to wait for its turn."""
        match self.state:
            case State.CONNECTED if now >= self._asked_at + self.config.start_timeout_s:
                self.state = State.ENDED
                complaint = self._complain(f"No `start_session` within {self.config.start_timeout_s:g} s")
                return [*complaint, Close(CloseCode.POLICY_VIOLATION)]
            case State.STREAMING if now >= self._last_heard_from + self.config.idle_timeout_s:
                return self._end(EndReason.TIMEOUT, now)
            case State.DETACHED if self._gone_at is not None and now >= self._gone_at + self.config.resume_window_s:
                self.note("client did not come back")
                return self._end(EndReason.DISCONNECTED, now)
            case State.STREAMING | State.DETACHED | State.ENDING:
                assert self._speech
                return self._speech.tick(now, backlog_s) + self._finish_if_drained()
        return []

    def bar(self, code: ErrorCode, message: str, now: float) -> list[Effect]:
        """Its holder may not go on: the client is told and heard no more; what it said before is still answered."""
        match self.state:
            case State.CONNECTED | State.STARTING:
                self.state = State.ENDED
                return [self._error(code, message), Close(CloseCode.POLICY_VIOLATION)]
            case State.STREAMING | State.DETACHED:
                self._close_code = CloseCode.POLICY_VIOLATION
                self._misplaced_audio = True  # it has been told why nothing is heard
                return [self._error(code, message), *self._end(EndReason.ERROR, now)]
        return []

    def fail(self) -> list[Effect]:
        """The shell met a fault: tell the client, without details, and end."""
        return self._break_off("Internal error; the session is over", CloseCode.INTERNAL_ERROR)

    def stop(self) -> list[Effect]:
        """The server stops: tell the client, and end."""
        return self._break_off("The server is shutting down; the session is over", CloseCode.SERVICE_RESTART)

    # Inside

    def _start(self, message: protocol.StartSession) -> list[Effect]:
        if self.state is not State.CONNECTED:
            return [self._error(ErrorCode.SESSION_EXISTS, "This connection already has a session")]
        self.config = options.merge(self._defaults, message.config)
        self.session_id = message.session_id or self.uid
        self.state = State.STARTING
        self._misplaced_audio = False
        self._resume, self._last_segment_id = message.resume, message.last_segment_id
        return [Admit(self.session_id, self._resumable)]

    @property
    def _resumable(self) -> bool:
        return self._resume and self.config.resume_window_s > 0

    def _end(self, reason: EndReason, now: float) -> list[Effect]:
        assert self._speech
        effects = self._speech.end(now)
        self._reason, self.state = reason, State.ENDING
        return effects + self._finish_if_drained()

    def _finish_if_drained(self) -> list[Effect]:
        drained = self.state is State.ENDING and self._speech is not None and self._speech.answered
        return self._finish(self._close_code) if drained else []

    def _break_off(self, message: str, code: CloseCode) -> list[Effect]:
        if self.state is State.ENDED:
            return []
        error = self._error(ErrorCode.INTERNAL_ERROR, message)
        if self.state in (State.CONNECTED, State.STARTING):
            self.state = State.ENDED
            return [error, Close(code)]
        return [error, *self._abandon(EndReason.ERROR, code)]

    def _abandon(self, reason: EndReason, code: CloseCode) -> list[Effect]:
        assert self._speech
        dropped = self._speech.abandon()
        if dropped:
            self.note(f"{len(dropped)} segments dropped unanswered")
        self._reason = reason
        return [DiscardAudio(dropped), *self._finish(code)]

    def _finish(self, code: CloseCode) -> list[Effect]:
        assert self.session_id
        self.state = State.ENDED
        total_ms, segments = self.audio_ms, self.segments
        ended = protocol.SessionEnded(
            session_id=self.session_id, reason=self._reason, total_audio_ms=total_ms, total_segments=segments
        )
        over = self._gone_at is None or self._reason in (EndReason.CANCELLED, EndReason.DISCONNECTED)
        closed = RecordClosed(
            self._reason,
            total_ms,
            segments,
            self._journal.errors,
            tuple(self._journal.events),
            resumable=self._resumable and not over,
        )
        return [closed, *([] if self._reason is EndReason.RESUMED else [Send(ended)]), Close(code)]

    def _complain(self, message: str) -> list[Effect]:
        return [self._error(ErrorCode.INVALID_MESSAGE, message)]

    def _complain_of_audio(self, message: str) -> list[Effect]:
        """Once: a client that streams on would get an error for each frame."""
        if self._misplaced_audio:
            return []
        self._misplaced_audio = True
        return self._complain(message)

    def _error(self, code: ErrorCode, message: str) -> Send:
        self._journal.error(self.audio_ms, code, message)
        return Send(protocol.Error(code=code, message=message, session_id=self.session_id))
