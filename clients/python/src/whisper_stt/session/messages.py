"""The messages both ways (docs/protocol.md). Of the service's, unknown fields and types are ignored."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from .errors import OptionError, ProtocolError
from .words import _

TurnMode = Literal["auto", "dictation", "short", "fixed"]
"""What ends an utterance: silence and what was said, or silence alone (docs/turns.md)."""


def texts(option: str, given: Sequence[str]) -> tuple[str, ...] | None:
    """An option that is a list; `None` for an empty one. Raises `OptionError` for a text, a list of its letters."""
    if isinstance(given, str):
        raise OptionError(_("{option}: expected a list of texts, got one text").format(option=option))
    return tuple(given) or None


class Config(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Options of a session; those that are `None` are the service's own."""

    sample_rate: int
    vad_enabled: bool
    partial_results: bool
    word_timestamps: bool
    lang_code: str | None = None
    vad_threshold: float | None = None
    encoding: str | None = None
    """`pcm_s16le` (as is `None`), or `mulaw` or `alaw`, of a byte a sample."""
    format: Literal["pt-BR", "off"] | None = None
    redact: tuple[str, ...] | None = None
    """Some of `cpf`, `card`, `phone`, `email`."""
    turn_mode: TurnMode | None = None
    min_silence_ms: float | None = None
    max_hold_ms: float | None = None
    keyterms: tuple[str, ...] | None = None
    """Names and products that may be said, as they are written (docs/keyterms.md)."""
    languages: tuple[str, ...] | None = None
    """Those that the language may be, with `lang_code` `auto`."""
    channels: int = 1
    """Samples of each in turn."""
    channel_names: tuple[str, ...] | None = None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of each channel."""
        return self.channels * (1 if self.encoding in ("mulaw", "alaw") else 2)


class Metadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What people may find a session by; the service keeps it in the session's record."""

    external_id: str | None = None
    tags: tuple[str, ...] = ()


class StartSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="start_session"):
    """Open a session or, with `resume` and a `session_id`, go on with a lost one."""

    config: Config | None = None
    session_id: str | None = None
    resume: bool = False
    last_segment_id: str | None = None
    metadata: Metadata | None = None


class Configure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="configure"):
    """Go on with other options; those that are `None` stay as they are."""

    lang_code: str | None = None
    languages: tuple[str, ...] | None = None
    turn_mode: TurnMode | None = None
    min_silence_ms: float | None = None
    max_hold_ms: float | None = None
    keyterms: tuple[str, ...] | None = None
    """In place of all that there were."""


class Flush(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="flush"):
    """Finalise what was said so far."""

    flush_id: str | None = None


class EndSession(msgspec.Struct, frozen=True, tag="end_session"):
    """No more audio: the last finals come, then the session ends."""


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Drop the session and all it has not answered."""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word of a final."""

    word: str
    start: float
    """Seconds from the start of the segment; `FinalTranscript.timeline` has them from the start of the stream."""
    end: float
    probability: float


class Entity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a program may want of a final's text: a CPF, an amount, a date (docs/text.md)."""

    type: str
    text: str
    value: str
    """Empty where it is redacted."""
    currency: str | None = None
    start: int
    end: int
    """Of `text_formatted`, in characters."""
    spoken_start: int
    spoken_end: int
    """Of `text`, in characters."""
    start_s: float | None = None
    end_s: float | None = None
    """Seconds from the start of the segment."""


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
    language: str | None = None
    """What is taken for spoken until more is known, where that is to be found out."""
    languages: list[str] | None = None


class Configured(msgspec.Struct, frozen=True, kw_only=True, tag="configured"):
    """What the session goes by from now on."""

    session_id: str
    lang_code: str
    turn_mode: str
    min_silence_ms: float
    max_hold_ms: float
    keyterms: list[str] = []


class VadEvent(msgspec.Struct, frozen=True, kw_only=True, tag="vad_event"):
    """Speech began or ended."""

    session_id: str
    state: Literal["speech_start", "speech_end"]
    t_ms: float
    segment_id: str | None = None
    channel: int | None = None
    """Counted from 0, of several."""


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
    channel: int | None = None
    language: str | None = None


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """Why a final is empty although the model wrote something: nobody said it."""

    reason: str
    score: float


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
    text_formatted: str | None = None
    """The text as Brazilians write it; `None` unless the session has a `format`."""
    entities: list[Entity] = []
    dropped: Dropped | None = None
    """Why `text` is empty although the model wrote something."""
    flush_id: str | None = None
    channel: int | None = None
    """Counted from 0, of several."""
    language: str | None = None
    """What the text is in, where that was to be found out."""

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
    refused: str | None = None
    """The client's message that this answers: `configure`, or none."""
    channel: int | None = None
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


ClientMessage = StartSession | Configure | Flush | EndSession | Cancel
ServerMessage = (
    Status | SessionStarted | Configured | VadEvent | PartialTranscript | FinalTranscript | ServerError | SessionEnded
)
Event = VadEvent | PartialTranscript | FinalTranscript | ServerError
"""What a stream yields. Times are those of the stream, over all its connections; an error names its segment."""
Answer = FinalTranscript | ServerError
"""What a segment, or a flush, gets exactly one of."""


def changed(config: Config, change: Configure) -> Config:
    """The options with what a change names."""
    named = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    return msgspec.structs.replace(config, **named)


_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)
_KNOWN = {struct.__struct_config__.tag for struct in ServerMessage.__args__}


def decode(text: str) -> ServerMessage | None:
    """Read a message; `None` for one of a type this client does not know, `ProtocolError` for what is none."""
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError as error:
        if _of_another_type(text):
            return None
        told = _("The service does not speak this protocol: {reason}")
        raise ProtocolError(told.format(reason=error)) from None


def encode(message: ClientMessage) -> str:
    """Write a message; fields that have their defaults are left out."""
    return msgspec.json.encode(message).decode()


class _Typed(msgspec.Struct):
    type: str | None = None


def _of_another_type(text: str) -> bool:
    try:
        return msgspec.json.decode(text, type=_Typed).type not in _KNOWN
    except msgspec.DecodeError:
        return False
