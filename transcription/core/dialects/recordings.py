"""What other services' APIs for recordings are to the shell that runs them (`transcription/ingress/uploads.py`)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from transcription.core.config import Task
from transcription.core.dialects.dialect import Refused
from transcription.core.protocol import Error, ErrorCode, FinalTranscript, StartSession, Word

REMOTE = "remote_content_error"
"""The code of a recording that could not be fetched."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, before its body is read."""

    request_id: str
    content_type: str
    language: str
    """The server's default."""
    query: str = ""
    at: str = ""
    """When it came, ISO 8601."""
    fetches: bool = False
    """Whether recordings are fetched from where the client says."""
    translates: bool = False
    """Whether the model can write in English what was said in another language."""


@dataclass(frozen=True, slots=True)
class Samples:
    """A recording without a container."""

    encoding: str
    """`linear16`, `linear32`, `mulaw` or `alaw`, little-endian."""
    rate: int
    channels: int = 1


@dataclass(frozen=True, slots=True)
class Fetch:
    """The recording lies there; its bytes are heard as if they were the body's."""

    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 200


class Recording(Protocol):
    """One request with a recording in its body. Reading raises `Refused` for what cannot be served."""

    samples: Samples | None
    """What it is made of where it is no container; known when the session starts."""
    task: Task

    def open(self) -> Sequence[StartSession]:
        """Its headers came. The session may start as soon as all is known that it is to be started with."""

    def hear(self, body: bytes) -> Sequence[StartSession | bytes]:
        """Some of its body came; the bytes are the recording's."""

    def end(self) -> Sequence[StartSession | Fetch]:
        """All of its body came. By now the session is started; what is to be fetched comes last."""

    def tell(self, final: FinalTranscript) -> str:
        """A segment's final is in; what is sent at once of a stream of events, if one was asked for."""

    def answer(self, audio_s: float) -> Answer | str:
        """The whole answer, or the rest of the stream."""

    def refuse(self, status: int, message: str, code: str = "", retry_after_ms: int | None = None) -> Refused:
        """An error, as this API tells it."""

    def broken(self, refused: Refused) -> str:
        """The same in a stream of events that has begun."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A final with its places in the whole recording (s)."""

    final: FinalTranscript

    @property
    def start(self) -> float:
        """Where the segment begins."""
        return round(self.final.audio_start_ms / 1000, 3)

    @property
    def end(self) -> float:
        """Where it ends."""
        return round((self.final.audio_start_ms + self.final.audio_duration_ms) / 1000, 3)

    @property
    def words(self) -> list[Word]:
        """Its words, where they are in the recording."""
        at = self.final.audio_start_ms / 1000
        return [
            msgspec.structs.replace(word, start=round(at + word.start, 3), end=round(at + word.end, 3))
            for word in self.final.words
        ]


def status_of(error: Error) -> int:
    """The HTTP status of a session that was not admitted, or not answered to its end."""
    match error.code:
        case ErrorCode.UNAUTHORIZED:
            return 401
        case ErrorCode.INVALID_MESSAGE:
            return 400
        case ErrorCode.INFERENCE_ERROR | ErrorCode.INTERNAL_ERROR:
            return 500
    return 429


def as_answer(refused: Refused) -> Answer:
    """The HTTP response."""
    return Answer("application/json", msgspec.json.encode(refused.body), refused.headers, refused.status)


def retry_after(after_ms: int | None) -> list[tuple[str, str]]:
    """The headers that say when to try again: the standard's, and the one that SDKs prefer."""
    if after_ms is None:
        return []
    return [("retry-after", str(max(math.ceil(after_ms / 1000), 1))), ("retry-after-ms", str(after_ms))]
