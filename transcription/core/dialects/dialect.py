"""What every dialect is to the shell that runs it (`transcription/ingress/translating.py`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl

import msgspec

from transcription.core.encodings import Encoding
from transcription.core.hearing import MOST_LANGUAGES, Languages
from transcription.core.languages import AUTO, normalise_language
from transcription.core.protocol import (
    MOST_KEYTERMS,
    ClientMessage,
    Error,
    Keyterm,
    ServerMessage,
    StartConfig,
    explicit,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A text frame for the client."""

    text: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close the client's connection: it has been told why, or is told by the close."""

    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unpack:
    """The client's audio is to be looked at: what is in a container is heard as 16-bit samples at a rate (Hz)."""

    rate: int
    otherwise: Literal["samples", "packets", "nothing"]
    """What it is where it is no container: samples as the session takes them, a packet of Opus a frame, no audio."""
    garbled: Callable[[str], Sequence["Step"]]
    """What is told of audio that cannot be decoded, from a sentence that says so."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A message for those who listen to a call (`transcription/ingress/calls.py`).

    A client whose messages are noticed is one that takes none: its session is heard to the end once it has gone.
    """

    call: str
    session_id: str
    text: str
    passing: bool = False
    """Whether the next notice of the session takes its place."""
    last: bool = False
    """Whether there is none after it."""


Step = ClientMessage | bytes | Reply | Hangup | Unpack | Notice
"""What comes of a frame: messages and audio (in the encoding that the session was started with) for the session, frames
for the client, messages for those who listen to the call."""


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """A handshake or a start that is not let in, in the dialect's own terms: an HTTP answer before the upgrade."""

    status: int
    body: dict[str, object]
    headers: tuple[tuple[str, str], ...] = ()


class Dialect(Protocol):
    """One connection's translator; it keeps no time but the audio's."""

    def open(self) -> Sequence[Step]:
        """The handshake came. With a `StartSession` among the steps it is answered once that is: refused, or accepted.

        Without one it is accepted at once. Raises `Refused` for parameters that cannot be served.
        """

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        """The client sent a frame."""

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        """The session has something to say."""

    def refuse(self, error: Error) -> Refused:
        """The session was not admitted, and the handshake is still open."""


class Query:
    """A handshake's parameters. Names may be given several times; booleans are written in any way."""

    def __init__(self, query: str) -> None:
        self._given: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            self._given.setdefault(name, []).append(value)

    def text(self, name: str, default: str = "") -> str:
        """The last value given."""
        return self._given.get(name, [default])[-1]

    def values(self, name: str) -> list[str]:
        """All values given."""
        return self._given.get(name, [])

    def texts(self, name: str) -> list[str]:
        """All values given, in one or separated by commas."""
        return [text for value in self._given.get(name, []) for text in value.split(",")]

    def flag(self, name: str) -> bool:
        """Whether it is `true`, `True` or `1`."""
        return self.text(name).lower() in ("true", "1")

    def number(self, name: str, default: float | None = None) -> float | None:
        """A number. Raises `ValueError` that names the parameter."""
        text = self.text(name)
        if not text:
            return default
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"{name}: expected a number, got `{text[:20]}`") from None


def started(
    *, language: str, sample_rate: float | None = None, encoding: str = "linear16", **config: object
) -> StartConfig:
    """A session's config. Raises `ValueError` with what is wrong, as a native client is told.

    "multi" is found out; a language that Whisper does not know is left to the server's default.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding: expected one of {', '.join(sorted(ENCODINGS))}, got `{encoding[:20]}`")
    asked: dict[str, object] = {"encoding": ENCODINGS[encoding].value}
    code = AUTO if language == MULTI else normalise_language(language) if language else None
    asked |= {"lang_code": code, **config}
    if sample_rate is not None:
        asked["sample_rate"] = sample_rate
    try:
        return msgspec.convert(asked, StartConfig)
    except msgspec.ValidationError as error:
        raise ValueError(explicit(error)) from None


def spoken(name: str, codes: Sequence[object]) -> Languages:
    """What may be spoken, of the languages that a client names: nothing is said, one, or it is found out among them.

    Raises `ValueError` that names the parameter for a language that Whisper does not know, and for too many.
    """
    named: dict[str, None] = {}
    for code in codes:
        known = normalise_language(code) if isinstance(code, str) else None
        if known is None:
            raise ValueError(
                f"{name}: expected language codes that Whisper knows, such as `pt`, got `{str(code)[:20]}`"
            )
        named[known] = None
    if len(named) > MOST_LANGUAGES:
        raise ValueError(f"{name}: expected at most {MOST_LANGUAGES} languages, got {len(named)}")
    if len(named) < 2:
        return Languages(lang_code=next(iter(named), None))
    return Languages(lang_code=AUTO, languages=[*named])


def taken(terms: Sequence[object]) -> list[str]:
    """Of what a client wants listened for, what a session takes: texts with letters, not too long, not too many."""
    found: list[str] = []
    for term in terms:
        try:
            found.append(msgspec.convert(term, Keyterm))
        except msgspec.ValidationError:
            continue
    return found[:MOST_KEYTERMS]


MULTI = "multi"
"""Asks for a language that is not known before."""
ENCODINGS = {"linear16": Encoding.PCM_S16LE} | {encoding.value: encoding for encoding in Encoding}
"""What the session takes, by the names that clients have for it."""


PIECE = 32_000
"""Bytes of a message to the session, which takes no longer one than `STT_MAX_FRAME_BYTES`."""


def pieces(audio: bytes) -> list[bytes]:
    """Audio as the session takes it: clients of other services send as much at a time as they like."""
    return [audio[at : at + PIECE] for at in range(0, len(audio), PIECE)]


def control(frame: str) -> dict[str, Any] | None:
    """A text frame's JSON object with its `type`; `None` for anything else."""
    try:
        message = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return message if isinstance(message, dict) and "type" in message else None


def as_frame(message: object) -> Reply:
    """A JSON object as a text frame."""
    return Reply(msgspec.json.encode(message).decode())
