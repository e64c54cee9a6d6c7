"""The wire protocol: every message, both ways, and how it is read and written. `docs/protocol.md` is its text.

Client messages are strict: an unknown field or a wrong type is an error that names it. Server messages may gain
fields; clients must ignore what they do not know.
"""

from enum import IntEnum, StrEnum
from typing import Annotated, Literal

import msgspec

from transcription.core.languages import LANGUAGES

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 48_000


class ErrorCode(StrEnum):
    """What an `error` message says went wrong."""

    INVALID_MESSAGE = "INVALID_MESSAGE"
    """The client sent something the protocol does not allow here."""
    SESSION_EXISTS = "SESSION_EXISTS"
    """The `session_id` is live somewhere in the cluster, or this connection has started already."""
    MAX_SESSIONS_REACHED = "MAX_SESSIONS_REACHED"
    """The cluster has `STT_MAX_SESSIONS` sessions, or the API key all of its own."""
    QUEUE_FULL = "QUEUE_FULL"
    """`STT_MAX_QUEUE_DEPTH` jobs wait or run; or the segment named in `segment_id` has waited too long for its turn."""
    QUEUE_CONGESTION = "QUEUE_CONGESTION"
    """A final would take longer than allowed, no worker is ready, or this session's audio backs up."""
    UNAUTHORIZED = "UNAUTHORIZED"
    """The API key was revoked or has expired since the handshake."""
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    """The API key has used its minutes of the day."""
    INFERENCE_ERROR = "INFERENCE_ERROR"
    """The segment named in `segment_id` could not be transcribed."""
    INTERNAL_ERROR = "INTERNAL_ERROR"
    """A fault of the server; the log has the rest."""


class EndReason(StrEnum):
    """Why a session ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    ERROR = "error"
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    """Never sent (nobody is there to read it), but recorded."""
    RESUMED = "resumed"
    """Never sent: another connection went on with the session; recorded of what this one had of it."""


class CloseCode(IntEnum):
    """WebSocket close codes the server uses (RFC 6455, 7.4)."""

    NORMAL = 1000
    """After `session_ended`."""
    POLICY_VIOLATION = 1008
    """No `start_session` in time, or the API key is no good any more."""
    MESSAGE_TOO_BIG = 1009
    """A message longer than the transport takes."""
    INTERNAL_ERROR = 1011
    """After an `INTERNAL_ERROR`."""
    SERVICE_RESTART = 1012
    """The process is being stopped."""
    TRY_AGAIN_LATER = 1013
    """The client does not read."""


class ProtocolError(Exception):
    """The peer broke the protocol; the message is fit to be sent to it."""


# Client → server


class StartConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`start_session.config`; a field left out takes the server's default."""

    lang_code: str | None = None
    sample_rate: Annotated[int, msgspec.Meta(ge=MIN_SAMPLE_RATE, le=MAX_SAMPLE_RATE)] | None = None
    vad_enabled: bool | None = None
    vad_threshold: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None
    partial_results: bool | None = None
    word_timestamps: bool | None = None

    def __post_init__(self) -> None:
        if self.lang_code is not None and normalise_language(self.lang_code) is None:
            raise ValueError(f"lang_code: expected a Whisper language code such as `pt`, got `{self.lang_code[:20]}`")


class StartSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="start_session"):
    """Open a session."""

    session_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[!-~]+$")] | None = None
    """Printable ASCII without spaces; made by the server when left out."""
    config: StartConfig = msgspec.field(default_factory=StartConfig)
    resume: bool = False
    """Go on with that session if it is still there; and let this one be resumed."""
    last_segment_id: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    """The last segment whose final or error the client has."""


class Flush(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="flush"):
    """Finalise the current utterance now."""

    flush_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None
    """Echoed in exactly one final or error, an empty final where there was nothing to transcribe."""


class EndSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="end_session"):
    """Finalise and close."""


class Cancel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="cancel"):
    """Drop everything and close."""


ClientMessage = StartSession | Flush | EndSession | Cancel


# Server → client


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word with its place in the segment."""

    word: str
    start: float
    """Seconds from the start of the segment."""
    end: float
    probability: float


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a transcript's time went; the first four add up to the last."""

    preprocess_ms: float
    """Fetching the audio and making features."""
    queue_wait_ms: float
    """Waiting for a worker and for the model, transport included."""
    inference_ms: float
    """The model."""
    postprocess_ms: float
    """Making text and words of its output."""
    server_total_ms: float
    """From the job's dispatch to its message."""


class SessionStarted(msgspec.Struct, frozen=True, kw_only=True, tag="session_started"):
    """The session is open."""

    session_id: str
    resumed: bool | msgspec.UnsetType = msgspec.UNSET
    """Whether it is the one that was asked for; left out where `resume` was."""
    audio_received_ms: float | msgspec.UnsetType = msgspec.UNSET
    """Where in the session's audio the client goes on; left out of a session that is not resumed."""


SpeechState = Literal["speech_start", "speech_end"]


class VadEvent(msgspec.Struct, frozen=True, kw_only=True, tag="vad_event"):
    """Speech began or ended."""

    session_id: str
    state: SpeechState
    t_ms: float
    """Where in the session's audio speech was first (last) heard."""
    segment_id: str


class PartialTranscript(msgspec.Struct, frozen=True, kw_only=True, tag="partial_transcript"):
    """What an open segment says so far."""

    session_id: str
    segment_id: str
    text: str
    confidence: float
    is_final: Literal[False] = False
    stable_text: str
    """How far no later partial will change the text."""
    speculative: bool
    """Whether this will be the final's text, word for word, unless speech resumes first."""
    audio_end_ms: float
    """Where in the session's audio the text ends."""
    timing: Timing


class FinalTranscript(msgspec.Struct, frozen=True, kw_only=True, tag="final_transcript"):
    """What a segment says, for good."""

    session_id: str
    segment_id: str
    text: str
    confidence: float
    is_final: Literal[True] = True
    words: list[Word]
    audio_duration_ms: float
    audio_start_ms: float
    """Where in the session's audio the segment starts."""
    flush_id: str | msgspec.UnsetType = msgspec.UNSET
    """The `flush` that this answers; left out of a final that answers none."""
    timing: Timing


class Status(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """The service has more, or less, to do than before: what that means for this session."""

    session_id: str
    step: int
    """How far the cluster sheds load (`core/shedding.py`): 0 not at all, 5 to the last."""
    partials: bool
    """Whether partials are sent."""
    partial_interval_ms: int
    """How far apart they are, where they are."""


class Error(msgspec.Struct, frozen=True, kw_only=True, tag="error", omit_defaults=True):
    """Something went wrong; the connection stays unless a close follows."""

    code: ErrorCode
    message: str
    session_id: str | None
    segment_id: str | None = None
    """The segment that will get no final."""
    flush_id: str | None = None
    """The `flush` that closed that segment."""
    retry_after_ms: int | None = None
    """When a refused start is worth trying again."""


class SessionEnded(msgspec.Struct, frozen=True, kw_only=True, tag="session_ended"):
    """The last message of a session."""

    session_id: str
    reason: EndReason
    total_audio_ms: float
    total_segments: int


ServerMessage = SessionStarted | VadEvent | PartialTranscript | FinalTranscript | Status | Error | SessionEnded

_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_encoder = msgspec.json.Encoder()


def decode(text: str) -> ClientMessage:
    """Read a client's text frame.

    Raises `ProtocolError` with what was wrong and where: not JSON, an unknown type or field, a wrong type or range.
    """
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise ProtocolError(str(error)) from None
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ProtocolError(f"Expected a JSON object: {error}") from None


def encode(message: ServerMessage) -> str:
    """Write a server message as a text frame."""
    return _encoder.encode(message).decode()


def normalise_language(code: str) -> str | None:
    """Whisper's code for a language tag (`pt-BR`, `pt_br` and `PT` are `pt`); `None` for one it does not know."""
    base = code.replace("_", "-").partition("-")[0].lower()
    return base if base in LANGUAGES else None
