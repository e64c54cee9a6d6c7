"""The service's messages, as the client reads them (docs/protocol.md). Unknown fields and types are ignored."""

from typing import Any, Literal

import msgspec

from whisper_stt.errors import ProtocolError


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word of a final."""

    word: str
    start: float
    """Seconds from the start of the segment; `FinalTranscript.timeline` has them from the start of the stream."""
    end: float
    probability: float


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a transcript's time went, in the service."""

    preprocess_ms: float
    queue_wait_ms: float
    inference_ms: float
    postprocess_ms: float
    server_total_ms: float


class SessionStarted(msgspec.Struct, frozen=True, kw_only=True, tag="session_started"):
    """The session is open."""

    session_id: str
    resumed: bool = False
    """Whether it is the session that the lost connection had."""
    audio_received_ms: float = 0.0
    """Up to where a resumed session has the audio."""


class VadEvent(msgspec.Struct, frozen=True, kw_only=True, tag="vad_event"):
    """Speech began or ended."""

    session_id: str
    state: Literal["speech_start", "speech_end"]
    t_ms: float
    segment_id: str | None = None


class PartialTranscript(msgspec.Struct, frozen=True, kw_only=True, tag="partial_transcript"):
    """What an open segment says so far; replaces the partial before it."""

    session_id: str
    segment_id: str
    text: str
    confidence: float
    timing: Timing
    stable_text: str = ""
    speculative: bool = False
    """Whether this is the final's text already, unless speech resumes first."""
    audio_end_ms: float = 0.0


class FinalTranscript(msgspec.Struct, frozen=True, kw_only=True, tag="final_transcript"):
    """What a segment says, for good."""

    session_id: str
    segment_id: str
    text: str
    confidence: float
    words: list[Word]
    audio_duration_ms: float
    timing: Timing
    audio_start_ms: float = 0.0
    flush_id: str | None = None

    @property
    def start(self) -> float:
        """Seconds from the start of the stream to that of the segment."""
        return self.audio_start_ms / 1000

    @property
    def end(self) -> float:
        """Seconds from the start of the stream to the segment's end."""
        return (self.audio_start_ms + self.audio_duration_ms) / 1000

    @property
    def timeline(self) -> list[Word]:
        """The words, with times from the start of the stream."""
        return [
            msgspec.structs.replace(word, start=round(self.start + word.start, 3), end=round(self.start + word.end, 3))
            for word in self.words
        ]


class ServerError(msgspec.Struct, frozen=True, kw_only=True, tag="error"):
    """Something went wrong. With a `segment_id`: that segment gets no final."""

    code: str
    message: str
    session_id: str | None = None
    segment_id: str | None = None
    flush_id: str | None = None
    retry_after_ms: int | None = None


class SessionEnded(msgspec.Struct, frozen=True, kw_only=True, tag="session_ended"):
    """The last message of a session."""

    session_id: str
    reason: str
    total_audio_ms: float
    total_segments: int


class Status(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """The service has more, or less, to do than before: how often partials come now."""

    session_id: str
    step: int
    partials: bool
    partial_interval_ms: int


Message = Status | SessionStarted | VadEvent | PartialTranscript | FinalTranscript | ServerError | SessionEnded
Event = VadEvent | PartialTranscript | FinalTranscript | ServerError
"""What a stream yields. Times are those of the stream, over all its connections; an error names its segment."""
Answer = FinalTranscript | ServerError

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_KNOWN = {struct.__struct_config__.tag for struct in Message.__args__}


def decode(text: str | bytes) -> Message | None:
    """Read a message; `None` for one of a type this client does not know."""
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        if msgspec.json.decode(text, type=_Typed).type not in _KNOWN:
            return None
        raise ProtocolError(f"Not a message of Whisper STT: {error}") from None
    except msgspec.DecodeError as error:
        raise ProtocolError(f"Not a message of Whisper STT: {error}") from None


def encode(kind: str, **fields: Any) -> str:
    """Write a client message; fields that are `None` are left out."""
    present = {name: value for name, value in fields.items() if value is not None}
    return msgspec.json.encode({"type": kind, **present}).decode()


class _Typed(msgspec.Struct):
    type: str | None = None
