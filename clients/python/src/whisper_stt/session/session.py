"""A stream's session with the service, over as many connections as it takes, as a state machine without I/O or clock.

Its shell makes connections, sends what `poll` says, hands over what comes to `receive`, and tells the time (`now`,
monotonic seconds). What it promises (docs/protocol.md, "Resuming"): what is pushed is transcribed or sent again, no
answer is told twice, and each flush is answered once.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from msgspec.structs import replace

from . import limits
from .backlog import Backlog, Part
from .errors import ENDED, ConnectError, EndedError, ProtocolError, RefusedError, TimedOutError
from .messages import (
    Answer,
    Cancel,
    Config,
    Configure,
    Configured,
    EndSession,
    Event,
    FinalTranscript,
    Flush,
    Metadata,
    PartialTranscript,
    ServerError,
    ServerMessage,
    SessionEnded,
    SessionStarted,
    StartSession,
    VadEvent,
    changed,
    decode,
    encode,
)
from .pace import DEFAULT_SPEED, Pacer
from .words import _

Frame = str | bytes
"""Of a WebSocket: text or binary."""
Happening = SessionStarted | Configured | Event
"""What the service says that concerns the stream; times are the stream's."""


@dataclass(frozen=True, slots=True)
class Wait:
    """There is nothing to send for so many seconds, or (`None`) until something happens."""

    seconds: float | None = None


class Phase(Enum):
    """Where the connection is."""

    APART = auto()
    """There is none, or its session has ended."""
    STARTING = auto()
    LIVE = auto()
    ENDING = auto()
    """No more input for this session; finals are awaited."""


class Session:
    """One stream of audio, and what the service says of it."""

    def __init__(self, config: Config, *, speed: float = DEFAULT_SPEED, metadata: Metadata | None = None) -> None:
        """`config` and `metadata` as in `start_session`; audio goes out at up to `speed` times real time."""
        self._metadata = metadata
        self.config = config
        """Of the session that is open, or opened next."""
        self._rate = config.sample_rate
        self._backlog = Backlog(config.sample_rate, config.frame_bytes)
        self._pacer = Pacer(speed)
        self._phase = Phase.APART
        self._ended = False
        self._idle = False
        self._outgoing: str | None = None
        """The `start_session` that is to be sent."""
        self._resumable = True
        self._deadline = 0.0
        self._heard_at = 0.0
        self._refusal: RefusedError | None = None
        """Why the service hears no more of a session that it still answers."""
        self._session_id: str | None = None
        """The session that is open, or lost and to be resumed."""
        self._base = 0
        """Position in the stream of the session's first sample."""
        self._answered: set[str] = set()
        self._last_segment: str | None = None
        self._unanswered: set[str] = set()
        self._speaking: set[int | None] = set()
        """The channels on which somebody is."""
        self._transcribed = [0] * config.channels
        """Up to where in the stream each channel is."""
        self._changes: deque[Configure] = deque()
        """Asked for, and not sent yet."""
        self._asked: deque[Configure] = deque()
        """Sent, and neither taken nor refused yet."""
        self._next_config = config
        self._boundary: int | None = None
        """Where in the stream `_next_config` begins to hold."""

    # How it stands

    @property
    def connected(self) -> bool:
        """Whether there is a connection that has not said its last word."""
        return self._phase is not Phase.APART

    @property
    def over(self) -> bool:
        """Whether all input is transcribed, and no more comes."""
        return self._idle and self._ended and not self._backlog.pending

    @property
    def needed(self) -> bool:
        """Whether a connection is needed, or needed again. An idle session, once ended, waits for something to say."""
        return not self._idle or self._backlog.pending

    @property
    def restarting(self) -> bool:
        """Whether new options wait for the session with the old ones to end."""
        return self._boundary is not None

    @property
    def unsent_s(self) -> float:
        """Seconds of audio still to be sent."""
        return self._backlog.unsent_s

    @property
    def sent_s(self) -> float:
        """Seconds of audio sent so far, each counted once."""
        return self._backlog.sent_end / self._rate

    # What the stream does

    def push(self, pcm: bytes) -> None:
        """Take audio: mono, in the options' encoding and rate, of any length."""
        self._backlog.push(pcm)

    def flush(self, flush_id: str) -> None:
        """Ask for the final of what was said so far; an answer with `flush_id` comes exactly once."""
        self._backlog.flush(flush_id)

    def configure(self, change: Configure) -> None:
        """Ask for other options; `Configured`, or an error that says it refuses them, answers each in its turn."""
        self._changes.append(change)

    def end(self) -> None:
        """No more audio comes."""
        self._ended = True
        self._backlog.flush()

    def restart(self, config: Config) -> None:
        """What was sent is finalised with the old options, what follows is heard with these; rate and encoding stay."""
        self._next_config = config
        if self._boundary is None:
            self._boundary = self._backlog.sent_end

    # What connections do

    def connect(self, now: float, deadline: float) -> None:
        """A new connection stands, whatever became of the one before; its session has to be open by `deadline`."""
        self._phase, self._idle = Phase.STARTING, False
        self._deadline = deadline
        self._heard_at = now
        self._refusal = None
        self._resumable = True
        self._ask()

    def poll(self, now: float) -> Frame | Wait:
        """The next frame to send. Ask again after it, after the wait, and after anything has happened.

        Raises `TimedOutError` when the service has not answered for too long.
        """
        match self._phase:
            case Phase.STARTING if self._outgoing is not None:
                frame, self._outgoing = self._outgoing, None
                return frame
            case Phase.STARTING:
                return _until(self._deadline, now, _("The service did not open a session in time"))
            case Phase.LIVE:
                return self._next_frame(now)
            case Phase.ENDING:
                deadline = self._heard_at + limits.LAST_WORD_S
                return _until(deadline, now, _("The service does not answer `end_session`"))
        return Wait()

    def receive(self, frame: Frame, now: float) -> list[Happening]:
        """A frame came in; what it says.

        Raises `RefusedError` when the service refuses the session or gives it up, `EndedError` when it ends it for
        good, `ConnectError` when it ends it for no good reason, `ProtocolError` for what is no message of the service.
        All leave the session ready for the next connection.
        """
        if isinstance(frame, bytes):
            raise ProtocolError(_("The service does not speak this protocol: expected text, got a binary frame"))
        self._heard_at = now
        message = decode(frame)
        match message:
            case None:
                return []
            case Configured() if self._live and self._asked:
                change = self._asked.popleft()
                self.config, self._next_config = changed(self.config, change), changed(self._next_config, change)
                return [message]
            case ServerError(segment_id=None, refused="configure") if self._live and self._asked:
                self._asked.popleft()
                return [message]
            case ServerError(segment_id=None):
                self._hear_refusal(message)
            case SessionStarted() if self._phase is Phase.STARTING:
                return [self._begin(message, now)]
            case SessionEnded() if self._live:
                self._hear_end(message)
            case _ if self._live:
                return self._hear(message)
        return []

    def farewell(self) -> Frame | None:
        """What to say before the connection is closed early, so that the service drops what it has not answered."""
        return encode(Cancel()) if self._live else None

    # Starting

    @property
    def _live(self) -> bool:
        return self._phase in (Phase.LIVE, Phase.ENDING)

    def _ask(self) -> None:
        if self._session_id is None:
            self._backlog.rewind()
            if self._boundary is not None and self._backlog.position >= self._boundary:
                self.config, self._boundary = self._next_config, None
        self._outgoing = encode(
            StartSession(
                config=self.config,
                session_id=self._session_id,
                resume=self._resumable,
                last_segment_id=self._last_segment if self._session_id else None,
                metadata=self._metadata,
            )
        )

    def _begin(self, started: SessionStarted, now: float) -> SessionStarted:
        received = 0
        if started.resumed:
            received = round(started.audio_received_ms * self._rate / 1000)
            self._base = self._backlog.rewind(self._base + received) - received
        else:
            self._base = self._backlog.rewind()
            self._answered, self._last_segment = set(), None
        # What was unanswered is said again.
        self._unanswered, self._speaking = set(), set()
        self._session_id, self._phase = started.session_id, Phase.LIVE
        self._changes.extendleft(reversed(self._asked))
        self._asked.clear()
        self._pacer.begin(now)
        return replace(started, audio_received_ms=self._at(started.audio_received_ms))

    def _hear_refusal(self, error: ServerError) -> None:
        """Ask for less, or give up: raises `RefusedError`."""
        if self._phase is Phase.STARTING and self._resumable:
            # A service that knows no `resume`, or whose session still belongs to the lost connection.
            taken = error.code == "SESSION_EXISTS" and self._session_id is not None
            if taken or error.code == "INVALID_MESSAGE":
                self._resumable, self._session_id = False, None
                self._ask()
                return
        if self._live and error.code in ("QUEUE_CONGESTION", "INTERNAL_ERROR"):
            # It drops audio, or the session: only a new session can have the audio again.
            self._session_id = None
            if error.code == "QUEUE_CONGESTION":
                self._pacer.slow_down()
        refusal = RefusedError(error.code, error.message, error.retry_after_ms)
        if self._live and error.code in ("UNAUTHORIZED", "QUOTA_EXCEEDED"):
            # Finals of what was said before still come.
            self._refusal, self._phase = refusal, Phase.ENDING
            return
        raise refusal

    # Sending

    def _next_frame(self, now: float) -> Frame | Wait:
        if self._changes:
            self._asked.append(self._changes.popleft())
            return encode(self._asked[-1])
        part = self._backlog.peek()
        if part is None or self._beyond(part):
            if not self._ended and self._boundary is None:
                return Wait()
            self._phase, self._heard_at = Phase.ENDING, now
            return encode(EndSession())
        if part.flush_id is None and (delay := self._pacer.delay(now, len(self._unanswered))) > 0:
            return Wait(delay)
        # Without a VAD nobody says what is silence.
        keep = bool(self._speaking) or bool(self._unanswered) or not self.config.vad_enabled
        self._backlog.take(now, keep=keep)
        if part.flush_id is not None:
            return encode(Flush(flush_id=part.flush_id))
        self._pacer.sent((part.end - part.start) / self._rate, now)
        return part.pcm

    def _beyond(self, part: Part) -> bool:
        """Whether a part is the next session's: a flush at the boundary is still of what was said before."""
        if self._boundary is None:
            return False
        return part.start > self._boundary or (part.flush_id is None and part.start == self._boundary)

    # What the service says

    def _hear(self, message: ServerMessage) -> list[Happening]:
        match message:
            case VadEvent(state=state, segment_id=segment_id, channel=channel):
                (self._speaking.add if state == "speech_start" else self._speaking.discard)(channel)
                if state == "speech_end" and segment_id and segment_id not in self._answered:
                    self._unanswered.add(segment_id)
                return [replace(message, t_ms=self._at(message.t_ms))]
            case PartialTranscript():
                return [replace(message, audio_end_ms=self._at(message.audio_end_ms))]
            case FinalTranscript(segment_id=segment_id):
                return self._settle(segment_id, replace(message, audio_start_ms=self._at(message.audio_start_ms)))
            case ServerError(segment_id=str(segment_id)):
                return self._settle(segment_id, message)
        return []

    def _settle(self, segment_id: str, answer: Answer) -> list[Happening]:
        if segment_id in self._answered:
            return []  # told to the connection that was lost, too
        self._answered.add(segment_id)
        self._last_segment = segment_id
        self._unanswered.discard(segment_id)
        if isinstance(answer, FinalTranscript):
            channel, end = answer.channel or 0, round(answer.end * self._rate)
            if self.config.channels > 1 and end <= self._transcribed[channel] and answer.audio_duration_ms:
                return []  # another session heard it again, for the other channel's sake
            self._transcribed[channel] = max(end, self._transcribed[channel])
            self._backlog.confirm(min(self._transcribed))
        if answer.flush_id is None or self._backlog.answered(answer.flush_id):
            return [answer]
        # The flush was sent twice, and has its answer.
        if isinstance(answer, FinalTranscript) and not answer.audio_duration_ms:
            return []
        return [replace(answer, flush_id=None)]

    def _hear_end(self, ended: SessionEnded) -> None:
        ours = self._phase is Phase.ENDING
        self._phase, self._session_id = Phase.APART, None
        if self._refusal:
            raise self._refusal
        if ended.reason in ENDED:
            raise EndedError(_(ENDED[ended.reason]))
        if ended.reason == "timeout":
            # What it has accepted is answered; what crossed its end on the way is heard by the next session.
            self._backlog.confirm(self._base + round(ended.total_audio_ms * self._rate / 1000))
        elif ours:
            self._backlog.settle()
        else:
            raise ConnectError(_("The service ended the session: {reason}").format(reason=ended.reason))
        self._idle = True

    def _at(self, t_ms: float) -> float:
        return t_ms + self._base * 1000 / self._rate


def _until(deadline: float, now: float, complaint: str) -> Wait:
    if now >= deadline:
        raise TimedOutError(complaint)
    return Wait(deadline - now)
