"""One session's life, as a state machine without I/O; what it hears and answers is `core/session/recognition.py`.

Feed it what happened, with the time (`now`, monotonic seconds); it returns what to do about it, in order. It never
sleeps, reads a clock or touches a socket. What it promises (docs/architecture.md): each closed segment is answered by
exactly one `final_transcript` or an `error` that names it; finals come in order of speech; `session_ended` is last.
"""

import logging
from collections.abc import Collection
from dataclasses import replace
from typing import assert_never

from transcription.core import protocol
from transcription.core.capacity.admission import Admission, Admitted, Refusal
from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Result
from transcription.core.metadata import NOTHING
from transcription.core.protocol import CloseCode, EndReason, ErrorCode
from transcription.core.resuming import FRESH
from transcription.core.session import options, replies
from transcription.core.session.channels import Channels
from transcription.core.session.complaints import Complaints
from transcription.core.session.effects import Admit, Close, DiscardAudio, Effect, RecordClosed, RecordOpened, Send
from transcription.core.session.life import Connected, Ended, Life, Live, Starting, State
from transcription.core.session.recognition import Recognition, Tools
from transcription.core.session.replies import Identity
from transcription.core.session.segmenter import Hearing, heard
from transcription.core.session.trace import EventLog

logger = logging.getLogger(__name__)


class Session:
    """The state machine of one connection's session."""

    def __init__(self, uid: str, defaults: SessionConfig, tools: Tools, now: float) -> None:
        """`uid` names the session inside the service (keys, groups); the client's own `session_id` may be reused."""
        self.uid = uid
        self.config = defaults
        self._defaults = defaults
        self._tools = tools
        self._log = EventLog()
        self._last_heard_from = now
        self._misplaced_audio = False
        self._complaints = Complaints(now)
        self._life: Life = Connected(now)

    @property
    def state(self) -> State:
        """Which of its states the session is in."""
        return self._life.state

    @property
    def session_id(self) -> str | None:
        """The client's name for the session, once it has said one; `None` before."""
        return None if isinstance(self._life, Connected) else self._life.session_id

    @property
    def talkers(self) -> int:
        """How many utterances are open: one a channel at most."""
        return self._life.recognition.talkers if isinstance(self._life, Live) else 0

    @property
    def talking(self) -> bool:
        """Whether anybody is."""
        return self.talkers > 0

    @property
    def saturated(self) -> bool:
        """Whether the client should not be read from now: more of its audio waits than may."""
        match self._life:
            case Live(state=State.STREAMING, recognition=recognition):
                return recognition.saturated
        return False

    @property
    def audio_ms(self) -> float:
        """Audio accepted so far (ms), what it had when it was resumed included."""
        return recognition.audio_ms if (recognition := self._recognition) else 0.0

    @property
    def segments(self) -> int:
        """How many segments there have been, the open one included."""
        return recognition.segments if (recognition := self._recognition) else 0

    @property
    def language(self) -> str:
        """What is spoken, as far as is known; of several channels in the first."""
        return recognition.language.code if (recognition := self._recognition) else self.config.language

    def note(self, what: str) -> None:
        """Keep an event for the audit records: what an operator should know of this session at this point."""
        self._log.note(self.audio_ms, what)

    # What the client does

    def receive_text(self, text: str, now: float) -> list[Effect]:
        """A text frame came in: a message of the client's, or what the client is told is none."""
        self._last_heard_from = now
        if isinstance(self._life, Ended):
            return []
        if len(text) > self.config.max_frame_bytes:
            return self._complain(f"Text frame too long: expected at most {self.config.max_frame_bytes} bytes", now)
        try:
            message = protocol.decode(text)
        except protocol.ProtocolError as error:
            return self._complain(str(error), now, refused=error.refused)
        match message, self._life:
            case protocol.StartSession(), Connected():
                return self._start(message)
            case protocol.StartSession(), _:
                return self._complain("This connection already has a session", now, ErrorCode.SESSION_EXISTS)
            case protocol.Configure(), Connected() | Starting() | Live(state=State.ENDING):
                return self._complain("Expected between `start_session` and `end_session`", now, refused="configure")
            case _, Connected() | Starting():
                return self._complain("Expected `start_session` first", now)
            case protocol.Cancel(), Live() as live:
                return self._abandon(live, EndReason.CANCELLED, "cancelled by the client")
            case protocol.Configure(), Live(state=State.STREAMING) as live:
                return self._configure(live, message)
            case protocol.Flush(flush_id=flush_id), Live(state=State.STREAMING) as live:
                return live.recognition.flush(now, flush_id)
            case protocol.EndSession(), Live(state=State.STREAMING) as live:
                return self._end(live, EndReason.COMPLETED, now, "ended by the client")
        return []

    def receive_audio(self, pcm: bytes, now: float) -> list[Effect]:
        """A binary frame came in: audio, 16-bit PCM at the session's rate."""
        return heard(self.hear_audio(pcm, now))

    def hear_audio(self, pcm: bytes, now: float) -> Hearing[list[Effect]]:
        """As `receive_audio`, for one who asks the VAD himself; until it returns nothing else may be received."""
        self._last_heard_from = now
        match self._life:
            case Ended() | Live(state=State.DETACHED):
                return []
            case _ if protocol.is_message(pcm):
                return self._complain("A control message in a binary frame: expected a text frame", now)
            case Connected() | Starting():
                return self._refuse_audio(pcm, "Audio before `session_started`: expected `start_session` first", now)
            case Live(state=State.ENDING):
                return self._refuse_audio(pcm, "Audio after `end_session`", now)
            case Live(recognition=recognition):
                return (yield from self._hear(recognition, pcm, now))
            case _ as never:
                assert_never(never)

    def disconnect(self, now: float) -> list[Effect]:
        """The client is gone. What it said is still transcribed and recorded; at once, unless it may come back."""
        match self._life:
            case Connected() | Starting():
                self._become(Ended(self.session_id), "client gone")
            case Live(gone_at=None) as live:
                gone = replace(live, gone_at=now)
                if live.state is not State.STREAMING:
                    self._become(gone, "client gone")
                    return []
                self.note("client gone")
                if not self._resumable:
                    return self._end(gone, EndReason.DISCONNECTED, now, "client gone")
                self._become(replace(gone, state=State.DETACHED), "client gone")
        return []

    # What an operator does

    def cancel(self) -> list[Effect]:
        """An operator ends the session now, as the client's own `cancel` does."""
        if not isinstance(self._life, Live):
            return []
        self.note("cancelled by an operator")
        return self._abandon(self._life, EndReason.CANCELLED, "cancelled by an operator")

    # What another connection does

    def supersede(self) -> list[Effect]:
        """Another connection has the session now, and hears again what is not answered: end, without a word."""
        if not isinstance(self._life, Live):
            return []
        self.note("resumed by another connection")
        return self._abandon(self._life, EndReason.RESUMED, "resumed by another connection")

    # What the service answers

    def receive_admission(self, admission: Admission, now: float) -> list[Effect]:
        """Admission has answered an `Admit`: the session streams, or the client is told why not and may try again."""
        starting = self._life
        assert isinstance(starting, Starting)
        if isinstance(admission, Refusal):
            self._become(Connected(now), admission.code)  # it may try again for as long
            return [
                Send(
                    protocol.Error(
                        code=admission.code,
                        message=admission.message,
                        session_id=starting.session_id,
                        retry_after_ms=admission.retry_after_ms,
                    )
                )
            ]
        return self._stream(starting, admission, now)

    def receive_result(self, result: Result, now: float) -> list[Effect]:
        """A worker has answered a job; an answer that nobody waits for is ignored."""
        if not isinstance(self._life, Live):
            return []
        return self._life.recognition.receive_result(result, now) + self._finish_if_drained()

    def receive_loss(self, job_ids: Collection[str], now: float, *, worker_died: bool) -> list[Effect]:
        """A `CheckJobs` found that nobody has these finals any more, or that the worker that had them is dead."""
        if not isinstance(self._life, Live):
            return []
        lost = self._life.recognition.receive_loss(job_ids, now, worker_died=worker_died)
        return lost + self._finish_if_drained()

    def audio_of(self, segment_id: str) -> bytes:
        """A segment's audio so far, as long as its final is awaited; for a Redis that has lost it."""
        return recognition.audio_of(segment_id) if (recognition := self._recognition) else b""

    def audio_stored(self, segment_id: str, samples: int) -> None:
        """So many samples of a `StoreAudio` are safe in Redis."""
        if recognition := self._recognition:
            recognition.audio_stored(segment_id, samples)

    def shed(self, step: int) -> list[Effect]:
        """Give way as the cluster's step says; the client is told of each change."""
        return self._life.recognition.shed(step) if isinstance(self._life, Live) else []

    def tick(self, now: float, queue_wait_s: float = 0.0) -> list[Effect]:
        """Time passed: call every half second or so. `queue_wait_s`: how long a job has to wait for its turn."""
        if self.saturated:
            self._last_heard_from = now  # it may send what it likes: nobody reads it
        match self._life:
            case Connected(since=since) if now >= since + self.config.start_timeout_s:
                self._become(Ended(), "no start_session in time")
                complaint = self._complain(f"No `start_session` within {self.config.start_timeout_s:g} s", now)
                return [*complaint, Close(CloseCode.POLICY_VIOLATION)]
            case Live(state=State.STREAMING) as live if now >= self._last_heard_from + self.config.idle_timeout_s:
                return self._end(live, EndReason.TIMEOUT, now, "nothing sent for too long")
            case Live(state=State.DETACHED, gone_at=float(gone_at)) as live if (
                now >= gone_at + self.config.resume_window_s
            ):
                self.note("client did not come back")
                return self._end(live, EndReason.DISCONNECTED, now, "client did not come back")
            case Live(state=state, recognition=recognition):
                ended = recognition.await_audio(now) if state is State.STREAMING else []
                return ended + recognition.tick(now, queue_wait_s) + self._finish_if_drained()
        return []

    def revoke(self, code: ErrorCode, message: str, now: float) -> list[Effect]:
        """The API key may not go on: the client is told, and heard no more; what it said before is still answered."""
        match self._life:
            case Connected() | Starting():
                error = self._error(code, message)
                self._become(Ended(self.session_id), code)
                return [error, Close(CloseCode.POLICY_VIOLATION)]
            case Live(state=State.STREAMING | State.DETACHED) as live:
                self._misplaced_audio = True  # it has been told why nothing is heard
                error = self._error(code, message)
                barred = replace(live, close_code=CloseCode.POLICY_VIOLATION)
                return [error, *self._end(barred, EndReason.ERROR, now, code)]
        return []

    def fail(self) -> list[Effect]:
        """The shell met a fault: tell the client, without details, and end."""
        return self._break_off("Internal error; the session is over", CloseCode.INTERNAL_ERROR)

    def stop(self) -> list[Effect]:
        """The server stops: tell the client, and end."""
        return self._break_off("The server is shutting down; the session is over", CloseCode.SERVICE_RESTART)

    # Inside

    @property
    def _recognition(self) -> Recognition | Channels | None:
        return self._life.recognition if isinstance(self._life, Live | Ended) else None

    @property
    def _resumable(self) -> bool:
        return self.config.resume_window_s > 0

    def _become(self, life: Life, why: str) -> None:
        """Every transition goes through here."""
        logger.debug("%s: %s -> %s: %s", self.uid, self._life.state.name, life.state.name, why)
        self._life = life

    def _start(self, message: protocol.StartSession) -> list[Effect]:
        self.config = options.merge(self._defaults, message)
        self._misplaced_audio = False
        session_id = message.session_id or self.uid
        told = message.metadata or NOTHING
        self._become(Starting(session_id, bool(message.resume), message.last_segment_id, told), "start_session")
        return [Admit(session_id, self.config.resume_window_s)]

    def _stream(self, starting: Starting, admitted: Admitted, now: float) -> list[Effect]:
        self._last_heard_from = now
        config, found = self.config, admitted.checkpoint
        fits = found is not None and found.width == config.channels
        resumed = found.after(starting.last_segment_id) if found and fits else None
        checkpoint = resumed or FRESH
        hear = Channels if config.channels > 1 else Recognition
        recognition = hear(Identity(self.uid, starting.session_id), config, self._tools, self._log, now, checkpoint)
        self._become(Live(State.STREAMING, starting.session_id, recognition), "resumed" if resumed else "admitted")
        if resumed:
            self.note("goes on with a lost connection's session")
        asked = starting.wants_resumed
        return [
            RecordOpened(starting.session_id, config, starting.metadata),
            *recognition.checkpoint(),
            Send(replies.started(starting.session_id, config, self.language, resumed, resume_asked=asked)),
            *(Send(answer, again=True) for answer in checkpoint.answers),
        ]

    def _configure(self, live: Live, asked: protocol.Configure) -> list[Effect]:
        self.config = options.changed(self.config, asked)
        live.recognition.configure(self.config)
        configured = options.told(live.session_id, self.config)
        self.note(options.noted(configured))
        return [Send(configured)]

    def _hear(self, recognition: Recognition | Channels, pcm: bytes, now: float) -> Hearing[list[Effect]]:
        if len(pcm) > self.config.max_frame_bytes:
            message = f"Binary frame of {len(pcm)} bytes: expected at most {self.config.max_frame_bytes}"
            return self._complain(message, now) + recognition.leave_out(len(pcm), now)
        return (yield from recognition.hear(pcm, now))

    def _end(self, live: Live, reason: EndReason, now: float, why: str) -> list[Effect]:
        effects = live.recognition.flush(now)
        self._become(replace(live, state=State.ENDING, reason=reason), why)
        return effects + self._finish_if_drained()

    def _finish_if_drained(self) -> list[Effect]:
        match self._life:
            case Live(state=State.ENDING) as live if live.recognition.answered:
                return self._finish(live, "all answered")
        return []

    def _break_off(self, message: str, code: CloseCode) -> list[Effect]:
        if isinstance(self._life, Ended):
            return []
        error = self._error(ErrorCode.INTERNAL_ERROR, message)
        if isinstance(self._life, Live):
            return [error, *self._abandon(self._life, EndReason.ERROR, message, code)]
        self._become(Ended(self.session_id), message)
        return [error, Close(code)]

    def _abandon(self, live: Live, reason: EndReason, why: str, code: CloseCode = CloseCode.NORMAL) -> list[Effect]:
        dropped = live.recognition.abandon()
        if dropped:
            self.note(f"{len(dropped)} segments dropped unanswered")
        return [DiscardAudio(dropped), *self._finish(replace(live, reason=reason, close_code=code), why)]

    def _finish(self, live: Live, why: str) -> list[Effect]:
        self._become(Ended(live.session_id, live.recognition), why)
        total_ms, segments = self.audio_ms, self.segments
        ended = replies.ended(live.session_id, live.reason, total_ms, segments)
        over = live.gone_at is None or live.reason in (EndReason.CANCELLED, EndReason.DISCONNECTED)
        closed = RecordClosed(
            live.reason,
            total_ms,
            segments,
            self._log.errors,
            tuple(self._log.events),
            resumable=self._resumable and not over,
            language=live.recognition.language.code,
        )
        return [closed, *([] if live.reason is EndReason.RESUMED else [Send(ended)]), Close(live.close_code)]

    def _complain(
        self,
        message: str,
        now: float,
        code: ErrorCode = ErrorCode.INVALID_MESSAGE,
        refused: protocol.Refusable | None = None,
    ) -> list[Effect]:
        """Tell the client what is wrong with what it sent; of many such in a row only some, the records count all.

        What it waits for an answer to is always answered.
        """
        error = self._error(code, message, refused)
        return [error] if refused or self._complaints.allow(now) else []

    def _refuse_audio(self, pcm: bytes, told: str, now: float) -> list[Effect]:
        """Once: a client that streams on would get an error for each frame. A frame without audio is a sign of life."""
        if self._misplaced_audio or not pcm:
            return []
        self._misplaced_audio = True
        return self._complain(told, now)

    def _error(self, code: ErrorCode, message: str, refused: protocol.Refusable | None = None) -> Send:
        self._log.error(self.audio_ms, code, message)
        return Send(protocol.Error(code=code, message=message, session_id=self.session_id, refused=refused))
