"""What the telephone's dialects share: calls, their parameters, and what those who listen to them are told.

A switch that sends a call's audio takes no transcripts back. They go to whoever listens to the call by its name, as
the messages of the native protocol (`core/protocol.py`), with a few of the call's own around them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from transcription.core import protocol
from transcription.core.dialects.dialect import ENCODINGS, Hangup, Notice, Refused, Step
from transcription.core.languages import AUTO, normalise_language
from transcription.core.metadata import Metadata
from transcription.core.protocol import (
    Error,
    ErrorCode,
    PartialTranscript,
    ServerMessage,
    SessionEnded,
    SessionStarted,
    StartConfig,
    StartSession,
)

NAME = re.compile(r"[!-~]{1,80}")
"""Of a call."""
STREAM = re.compile(r"[!-.0-~]{1,40}")
"""Of a stream of it, without a slash: together they are a session's name."""
OPTIONS = (
    "turn_mode",
    "min_silence_ms",
    "max_hold_ms",
    "vad_threshold",
    "partial_results",
    "word_timestamps",
    "format",
    "redact",
    "keyterms",
)
"""Parameters of a call that are options of its session, besides `language`."""
POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013
"""Close codes: of what a client got wrong, of a session that is not admitted."""


def parameters(query: str) -> dict[str, str]:
    """A handshake's, by name; the last one given."""
    return dict(parse_qsl(query, keep_blank_values=True))


def configured(
    asked: Mapping[str, object], encoding: str, rate: float, channel_names: Sequence[str] = ()
) -> StartConfig:
    """A session's config by a call's parameters, which may be text. Raises `ValueError` that names one.

    Others are ignored. A language that Whisper does not know is left to the server's default, `auto` is found out.
    `channel_names`: of several channels.
    """
    config: dict[str, object] = {name: asked[name] for name in OPTIONS if name in asked}
    for name in ("redact", "keyterms"):
        if name in config:
            config[name] = _listed(config[name])
    if isinstance(language := asked.get("language"), str) and language:
        config["lang_code"] = AUTO if language == AUTO else normalise_language(language)
    if channel_names:
        config |= {"channels": len(channel_names), "channel_names": list(channel_names)}
    config |= {"encoding": ENCODINGS[encoding].value, "sample_rate": rate}
    try:
        return msgspec.convert(config, StartConfig, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(protocol.explicit(error)) from None


def metadata(asked: Mapping[str, object]) -> Metadata | None:
    """What a call's parameters say to find it by: `external_id`, `tags` (a comma between). Raises `ValueError`."""
    given = {name: asked[name] for name in ("external_id", "tags") if asked.get(name)}
    if "tags" in given:
        given["tags"] = _listed(given["tags"])
    try:
        return msgspec.convert(given, Metadata) if given else None
    except msgspec.ValidationError as error:
        raise ValueError(protocol.explicit(error)) from None


def _listed(value: object) -> object:
    """What a parameter names, with commas between where it is text."""
    return [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value


class Call:
    """One connection's part of a call."""

    def __init__(self, name: str, stream: str, about: Mapping[str, object]) -> None:
        """`stream` tells the connection from others of the same call; `about`: what listeners are told of it first.

        Raises `ValueError` where they cannot be called that.
        """
        if not NAME.fullmatch(name):
            raise ValueError("The call's name: expected 1 to 80 printable characters without spaces")
        if not STREAM.fullmatch(stream):
            raise ValueError("The stream's name: expected 1 to 40 printable characters without spaces and slashes")
        self.session_id = f"{name}/{stream}"
        self._name = name
        self._started = self._over = False
        self._about = about

    def start(self, config: StartConfig, metadata: Metadata | None) -> Sequence[Step]:
        """Ask for a session."""
        begins = self.notice("stream_started", call=self._name, **self._about)
        return [begins, StartSession(session_id=self.session_id, config=config, metadata=metadata)]

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        """What the session says, for those who listen; and the end of a stream that is not admitted, or is over."""
        if self._over:
            return []
        passing = isinstance(message, PartialTranscript)
        told = Notice(self._name, self.session_id, protocol.encode(message), passing)
        match message:
            case SessionStarted():
                self._started = True
            case SessionEnded():
                return [told, self._ended()]
            case Error() if not self._started:
                return [told, self._ended(), Hangup(TRY_AGAIN_LATER, message.message)]
        return [told]

    def complain(self, message: str) -> Notice:
        """Something in the stream cannot be used; it goes on."""
        error = Error(code=ErrorCode.INVALID_MESSAGE, message=message, session_id=self.session_id)
        return Notice(self._name, self.session_id, protocol.encode(error))

    def notice(self, kind: str, **fields: object) -> Notice:
        """A message of the call's own."""
        message = {"type": kind, "session_id": self.session_id, **fields}
        return Notice(self._name, self.session_id, msgspec.json.encode(message).decode())

    def _ended(self) -> Notice:
        self._over = True
        return replace(self.notice("stream_ended"), last=True)


def refused(error: Error) -> Refused:
    """A handshake that is still open: the consumer asks for its answer before anything was heard."""
    status = 503 if error.code is ErrorCode.QUEUE_CONGESTION else 429
    return Refused(status, {"code": str(error.code), "error": error.message})


def text_of(value: object, default: str = "") -> str:
    """A field that should be text."""
    return value if isinstance(value, str) else default


def number_of(value: object) -> int | None:
    """A field that should be a whole number, which Twilio writes as text; `None` for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        return int(value)
    return None


def object_of(value: Any) -> dict[str, Any]:
    """A field that should be an object."""
    return value if isinstance(value, dict) else {}
