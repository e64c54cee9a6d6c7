"""The wire protocol: every message, both ways, and how it is read and written. `docs/protocol.md` is its text.

Client messages are strict: an unknown field or a wrong type is an error that names it. Server messages may gain
fields; clients must ignore what they do not know.
"""

import re
from typing import Annotated, Any, Literal, get_args

import msgspec

from transcription.core.codes import CloseCode as CloseCode
from transcription.core.codes import EndReason as EndReason
from transcription.core.codes import ErrorCode as ErrorCode
from transcription.core.encodings import Encoding
from transcription.core.hearing import MOST_CHANNELS, Among, InLanguage, Languages, OfChannel, check_channels
from transcription.core.metadata import Metadata

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 48_000
LEAST_SILENCE_MS, MOST_SILENCE_MS = 32, 10_000
"""Of what ends an utterance; 32 ms is one window of the VAD."""
MOST_KEYTERMS, LONGEST_KEYTERM = 100, 50
"""Terms of a session, and characters of each."""
MAX_QUOTED, MOST_TOLD = 64, 8
"""Characters of what a client wrote that are quoted back to it, and wrong fields of a `configure` that are named."""


class ProtocolError(Exception):
    """The peer broke the protocol; the message is fit to be sent to it."""

    def __init__(self, message: str, refused: "Refusable | None" = None) -> None:
        """`refused` is what it sent, where it waits for an answer to that."""
        super().__init__(message)
        self.refused = refused


# Client → server


TextFormat = Literal["pt-BR", "off"]
"""How finals are written besides as the model wrote them."""
RedactType = Literal["cpf", "card", "phone", "email"]
"""What can be kept out of all that a session says."""
TurnMode = Literal["auto", "dictation", "short", "fixed"]
"""What the end of an utterance goes by: silence and what was said, or silence alone."""
Refusable = Literal["configure"]
"""Messages whose refusal says that it is theirs."""


Keyterm = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_KEYTERM, pattern=r"[^\W\d_]")]


class TurnOptions(Languages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may change from turn to turn."""

    turn_mode: TurnMode | None = None
    min_silence_ms: Annotated[float, msgspec.Meta(ge=LEAST_SILENCE_MS, le=MOST_SILENCE_MS)] | None = None
    max_hold_ms: Annotated[float, msgspec.Meta(ge=0, le=MOST_SILENCE_MS)] | None = None
    keyterms: Annotated[list[Keyterm], msgspec.Meta(max_length=MOST_KEYTERMS)] | None = None
    """Names and products that may be said, as they are written; all that there were before are replaced."""


class StartConfig(TurnOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`start_session.config`; a field left out takes the server's default."""

    sample_rate: Annotated[float, msgspec.Meta(ge=MIN_SAMPLE_RATE, le=MAX_SAMPLE_RATE)] | None = None
    """Hz, a whole number: JSON has no other numbers than these, and `16000.0` is one."""
    encoding: str | None = None
    """One of `Encoding`'s; not typed so, as the decoder's error would not say which there are."""
    vad_enabled: bool | None = None
    vad_threshold: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None
    partial_results: bool | None = None
    word_timestamps: bool | None = None
    format: TextFormat | None = None
    redact: list[str] | None = None
    """Some of `RedactType`'s, besides those that the server redacts anyway; not typed so, as with `encoding`."""
    channels: Annotated[int, msgspec.Meta(ge=1, le=MOST_CHANNELS)] | None = None
    """Sample by sample in turn; each is heard by itself."""
    channel_names: list[str] | None = None
    """Who they are, for the records."""

    def __post_init__(self) -> None:
        TurnOptions.__post_init__(self)
        check_channels(self.channels, self.channel_names)
        if self.sample_rate is not None and not float(self.sample_rate).is_integer():
            raise ValueError(f"sample_rate: expected a whole number, got {self.sample_rate}")
        if self.encoding is not None and self.encoding not in {*Encoding}:
            expected = ", ".join(f"`{encoding}`" for encoding in Encoding)
            raise ValueError(f"encoding: expected one of {expected}, got `{self.encoding[:20]}`")
        if unknown := set(self.redact or ()) - {*get_args(RedactType)}:
            expected = ", ".join(f"`{kind}`" for kind in get_args(RedactType))
            raise ValueError(f"redact: expected some of {expected}, got `{min(unknown)[:20]}`")


class StartSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="start_session"):
    """Open a session on this connection; answered by `session_started` or by an `error` that refuses it."""

    session_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"\A[!-~]+\Z")] | None = None
    """Printable ASCII without spaces; made by the server when left out."""
    config: StartConfig = msgspec.field(default_factory=StartConfig)
    resume: bool | None = False
    """Go on with that session if it is still there; and let this one be resumed."""
    last_segment_id: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    """The last segment whose final or error the client has."""
    metadata: Metadata | None = None


class Configure(TurnOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="configure"):
    """Go on with other options, those left out as before; answered by `configured`, or without effect by an `error`."""


class Flush(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="flush"):
    """The client's own endpoint: finalise the open utterance now."""

    flush_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None
    """Echoed in exactly one final or error, an empty final where there was nothing to transcribe."""


class EndSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="end_session"):
    """No more audio comes: finals of what was said, then `session_ended` and a close."""


class Cancel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="cancel"):
    """Drop what has no final yet; `session_ended` and a close at once."""


ClientMessage = StartSession | Configure | Flush | EndSession | Cancel


# Server → client


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word with its place in the segment."""

    word: str
    start: float
    """Seconds from the start of the segment."""
    end: float
    probability: float


EntityType = Literal[
    "cpf", "cnpj", "cep", "phone", "money", "date", "time", "percent", "ordinal", "number", "email", "plate", "card"
]


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """What a program may want of a final's text. Places are in characters (code points), times in seconds."""

    type: EntityType
    text: str
    """As in `text_formatted`."""
    value: str
    """For programs: digits, `120.50`, `2026-03-05`, `14:30`; of a card its last four digits only; empty where it is
    redacted."""
    currency: str | msgspec.UnsetType = msgspec.UNSET
    """ISO 4217, of money."""
    start: int
    end: int
    """`text_formatted[start:end]` is `text`."""
    spoken_start: int
    spoken_end: int
    """Where in the final's `text` it was said."""
    start_s: float | msgspec.UnsetType = msgspec.UNSET
    end_s: float | msgspec.UnsetType = msgspec.UNSET
    """When, from the start of the segment; left out of a final without word times."""


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


class SessionStarted(Among, frozen=True, kw_only=True, tag="session_started"):
    """The session is open and takes audio."""

    session_id: str
    resumed: bool | msgspec.UnsetType = msgspec.UNSET
    """Whether it is the one that was asked for; left out where `resume` was."""
    audio_received_ms: float | msgspec.UnsetType = msgspec.UNSET
    """Where in the session's audio the client goes on; left out of a session that is not resumed."""


SpeechState = Literal["speech_start", "speech_end"]


class VadEvent(OfChannel, frozen=True, kw_only=True, tag="vad_event"):
    """Speech began, or ended, in a segment."""

    session_id: str
    state: SpeechState
    t_ms: float
    """Where in the session's audio speech was first (last) heard."""
    segment_id: str


class PartialTranscript(InLanguage, frozen=True, kw_only=True, tag="partial_transcript"):
    """What an open segment says so far; the next one, or the final, replaces it."""

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


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """Why a final is empty although the model wrote something: nobody said it."""

    reason: Literal["no_speech", "no_evidence"]
    """The text is hardly likelier on this audio than on silence; with `no_speech` the model itself thinks likewise."""
    score: float
    """The evidence less what is asked for, in natural logarithms a token: below 0."""


class FinalTranscript(InLanguage, frozen=True, kw_only=True, tag="final_transcript"):
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
    text_formatted: str | msgspec.UnsetType = msgspec.UNSET
    """The text with numbers, dates and the like as Brazilians write them; left out unless asked for."""
    entities: list[Entity] | msgspec.UnsetType = msgspec.UNSET
    """What is in it, in order; left out with it."""
    dropped: Dropped | msgspec.UnsetType = msgspec.UNSET
    """Left out unless the text is empty for this reason."""
    flush_id: str | msgspec.UnsetType = msgspec.UNSET
    """The `flush` that this answers; left out of a final that answers none."""
    timing: Timing


class Configured(msgspec.Struct, frozen=True, kw_only=True, tag="configured"):
    """A `configure` was taken: what the session goes by from now on."""

    session_id: str
    lang_code: str
    turn_mode: TurnMode
    min_silence_ms: int
    max_hold_ms: int
    keyterms: list[str] | msgspec.UnsetType = msgspec.UNSET
    """Left out where there are none."""


class Status(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """The service has more, or less, to do than before: what that means for this session."""

    session_id: str
    step: int
    """How far the cluster sheds load (`core/capacity/shedding.py`): 0 not at all, 5 to the last."""
    partials: bool
    """Whether partials are sent."""
    partial_interval_ms: int
    """How far apart they are, where they are."""


class Error(OfChannel, frozen=True, kw_only=True, tag="error", omit_defaults=True):
    """Something went wrong; the session goes on unless `session_ended` or a close follows."""

    code: ErrorCode
    message: str
    session_id: str | None
    segment_id: str | None = None
    """The segment that will get no final."""
    flush_id: str | None = None
    """The `flush` that closed that segment."""
    refused: Refusable | None = None
    """The client's message that this answers."""
    retry_after_ms: int | None = None
    """When a refused start is worth trying again."""


class SessionEnded(msgspec.Struct, frozen=True, kw_only=True, tag="session_ended"):
    """The last message of a session."""

    session_id: str
    reason: EndReason
    total_audio_ms: float
    total_segments: int


ServerMessage = (
    SessionStarted | Configured | VadEvent | PartialTranscript | FinalTranscript | Status | Error | SessionEnded
)

_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_server_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)
_encoder = msgspec.json.Encoder()
_VAGUE = re.compile(
    r"(?:Invalid (?:enum )?value '(?P<given>.*)'|Expected `str` matching regex '.*')"
    r"(?P<where> - at `\$(?:\.config)?\.(?P<field>\w+)(?:\[\d+\])?`)",
    re.DOTALL,
)
"""What msgspec says of a value without saying which are taken."""
_QUOTED = re.compile(rf"([`'])((?:(?!\1).){{{MAX_QUOTED + 1},}})\1", re.DOTALL)


_CHOICES = {
    "type": [kind.__struct_config__.tag for kind in get_args(ClientMessage)],
    "turn_mode": get_args(TurnMode),
    "format": get_args(TextFormat),
}
_TAKEN = {field: "one of " + ", ".join(f"`{name}`" for name in names) for field, names in _CHOICES.items()}
_TAKEN |= {"session_id": "printable ASCII without spaces", "keyterms": "a text with a letter in it"}


def decode(text: str) -> ClientMessage:
    """Read a client's text frame.

    Raises `ProtocolError` with what was wrong and where: not JSON, an unknown type or field, a wrong type or range.
    Of a `configure` it names every field that is wrong.
    """
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        wrong = _wrong_options(text)
        complaint = "; ".join(wrong or []) or explicit(error)
        raise ProtocolError(complaint, None if wrong is None else "configure") from None
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise ProtocolError(_shortened(f"Expected a JSON object: {error}")) from None


def _wrong_options(text: str) -> list[str] | None:
    """What is wrong with a `configure`, field by field; `None` for any other message."""
    try:
        message = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    if message.get("type") != "configure":
        return None
    wrong: dict[str, None] = {}
    for name in message:  # each with the language, which others go by
        asked = {"type": "configure", name: message[name], "lang_code": message.get("lang_code")}
        try:
            msgspec.convert(asked, Configure)
        except msgspec.ValidationError as error:
            wrong[explicit(error)] = None
    return [*wrong][:MOST_TOLD]


def is_message(frame: bytes) -> bool:
    """Whether a binary frame is a JSON object with a `type`, not audio."""
    if not frame.startswith(b"{"):
        return False
    try:
        return isinstance(msgspec.json.decode(frame, type=dict[str, object]).get("type"), str)
    except (msgspec.DecodeError, RecursionError):
        return False


def explicit(error: msgspec.ValidationError) -> str:
    """What is wrong and what is expected: of a choice or a pattern the decoder does not say."""
    told = _shortened(str(error))
    if (vague := _VAGUE.fullmatch(told)) is None or (taken := _TAKEN.get(vague["field"])) is None:
        return told
    got = "" if vague["given"] is None else f", got '{vague['given']}'"
    return f"Expected {taken}{got}{vague['where']}"


def _shortened(message: str) -> str:
    """What may be told: a client's own words, quoted in it, may be of any length."""
    return _QUOTED.sub(lambda found: f"{found[1]}{found[2][:MAX_QUOTED]}…{found[1]}", message)


def encode(message: ServerMessage) -> str:
    """Write a server message as a text frame."""
    return _encoder.encode(message).decode()


def decode_server(text: str) -> ServerMessage:
    """Read what `encode` wrote."""
    return _server_decoder.decode(text)
