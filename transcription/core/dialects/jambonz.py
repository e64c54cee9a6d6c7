"""jambonz' API for custom speech recognisers, `/v1/jambonz` (docs.jambonz.org/guides/features/custom-stt-providers;
jambonz/freeswitch-modules `mod_jambonz_transcribe`).

A recogniser has a connection: `start`, audio, `stop`, after which we say what is left and close. A transcript that is
final is an utterance's.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from transcription.core.dialects import calls
from transcription.core.dialects.calls import POLICY_VIOLATION, TRY_AGAIN_LATER, number_of, object_of, text_of
from transcription.core.dialects.dialect import Hangup, Refused, Reply, Step, as_frame, pieces
from transcription.core.protocol import (
    EndSession,
    Error,
    FinalTranscript,
    PartialTranscript,
    ServerMessage,
    SessionStarted,
    StartSession,
)

RATE = 8_000
ENCODINGS = {"LINEAR16": "linear16", "MULAW": "mulaw", "ALAW": "alaw"}
"""jambonz sends the first; those who speak its protocol to spare bytes may send the others."""


class JambonzRecognizer:
    """One connection."""

    def __init__(self, query: str, request_id: str) -> None:
        self._asked: dict[str, Any] = dict(calls.parameters(query))
        self._language = ""
        self._interim = False
        self._asking = self._started = self._over = False
        """Whether a session is asked for, runs, takes no more."""

    def open(self) -> Sequence[Step]:
        """Accepted at once: what is wanted comes in a message."""
        return []

    def refuse(self, error: Error) -> Refused:
        """Of a handshake that is still open."""
        return calls.refused(error)

    # From jambonz

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        """Audio, or control messages: two that were said in one breath come in one frame."""
        if isinstance(frame, bytes):
            if self._over:
                return []
            return pieces(frame) if self._asking else self._refuse("Expected `start` before audio")
        steps: list[Step] = []
        try:
            for message in _messages(frame):
                steps += self._control(message)
        except ValueError:
            steps.append(_error("Expected a JSON object with `type`"))
        return steps

    def _control(self, message: dict[str, Any]) -> Sequence[Step]:
        match message.get("type"):
            case _ if self._over:
                return []
            case "start" if not self._asking:
                return self._start(message)
            case "stop":
                self._over = True
                return [EndSession()] if self._asking else [Hangup(1000)]
        return [_error(f"Expected `start` once, then audio, then `stop`; got `{str(message.get('type'))[:20]}`")]

    def _start(self, start: dict[str, Any]) -> Sequence[Step]:
        self._language = text_of(start.get("language"))
        self._interim = start.get("interimResults") is True
        asked = {"language": self._language, **self._asked, **object_of(start.get("options"))}
        try:
            config = calls.configured(asked | {"partial_results": self._interim}, *_format(start))
            metadata = calls.metadata(asked)
        except ValueError as error:
            return self._refuse(str(error))
        self._asking = True
        return [StartSession(config=config, metadata=metadata)]

    def _refuse(self, message: str, code: int = POLICY_VIOLATION) -> Sequence[Step]:
        self._over = True
        return [_error(message), Hangup(code, message)]

    # From the session

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        """In jambonz' words; what it has none for is not told."""
        match message:
            case SessionStarted():
                self._started = True
            case PartialTranscript() if self._interim and message.text:
                return [self._transcription(message.text, message.confidence, final=False)]
            case FinalTranscript() if message.text:
                return [self._transcription(_written(message), message.confidence, final=True)]
            case Error() if not self._started:
                return self._refuse(message.message, TRY_AGAIN_LATER)
            case Error():
                return [_error(message.message)]
        return []

    def _transcription(self, text: str, confidence: float, *, final: bool) -> Reply:
        told = {
            "type": "transcription",
            "is_final": final,
            "alternatives": [{"confidence": round(confidence, 4), "transcript": text}],
            "channel": 1,
            "language": self._language,
        }
        return as_frame(told)


def _format(start: dict[str, Any]) -> tuple[str, int]:
    """Encoding and rate (Hz). Raises `ValueError`."""
    encoding, rate = text_of(start.get("encoding"), "LINEAR16").upper(), number_of(start.get("sampleRateHz", RATE))
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding: expected one of {', '.join(ENCODINGS)}, got `{encoding[:20]}`")
    if rate is None:
        raise ValueError("sampleRateHz: expected a whole number")
    return ENCODINGS[encoding], rate


def _written(final: FinalTranscript) -> str:
    """As it is written, where the session formats."""
    return text_of(final.text_formatted) or final.text


def _error(message: str) -> Reply:
    return as_frame({"type": "error", "error": message})


def _messages(frame: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a text frame. Raises `ValueError` after those that are good."""
    decoder, rest = json.JSONDecoder(), frame.strip()
    while True:
        try:
            message, end = decoder.raw_decode(rest)
        except RecursionError:
            message, end = None, 0
        if not isinstance(message, dict):
            raise ValueError(frame[:20])  # noqa: TRY004 - as for what is no JSON
        yield message
        if not (rest := rest[end:].lstrip()):
            return
