"""Asterisk's WebSocket channel, `/v1/asterisk` (chan_websocket of 20.16, 21.11, 22.6, 23 and later; asterisk/asterisk
`channels/chan_websocket.c`, docs.asterisk.org/Configuration/Channel-Drivers/WebSocket).

Its control messages are text in one of two forms, plain (`MEDIA_START format:ulaw …`) or JSON; it is answered in the
one that it speaks. A text frame that is no command it warns of in its log and throws away, so transcripts go to whoever
listens to the call: by the parameter `call` of the dial string, else by the channel's id, else by the channel's name.
"""

from collections.abc import Sequence

import msgspec

from transcription.core.dialects import calls
from transcription.core.dialects.calls import POLICY_VIOLATION, Call, object_of, text_of
from transcription.core.dialects.dialect import Hangup, Refused, Reply, Step, as_frame, pieces
from transcription.core.protocol import Error, ServerMessage

FORMATS = {
    "ulaw": ("mulaw", 8_000),
    "alaw": ("alaw", 8_000),
    "slin": ("linear16", 8_000),
    "slin12": ("linear16", 12_000),
    "slin16": ("linear16", 16_000),
    "slin24": ("linear16", 24_000),
    "slin32": ("linear16", 32_000),
    "slin44": ("linear16", 44_100),
    "slin48": ("linear16", 48_000),
}
"""Codecs of the dial string that can be heard: encoding, Hz."""
HANGUP = "HANGUP"
"""The command that ends the channel."""


class AsteriskChannel:
    """One connection: one channel."""

    def __init__(self, query: str, request_id: str) -> None:
        self._asked = calls.parameters(query)
        self._id = request_id
        self._json = False
        self._call: Call | None = None
        self._over = False
        """Whether no more audio is heard."""

    def open(self) -> Sequence[Step]:
        """Accepted at once: what is wanted comes in a message."""
        return []

    def refuse(self, error: Error) -> Refused:
        """Of a handshake that is still open."""
        return calls.refused(error)

    # From Asterisk

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        """Media, or an event. Events about the media that Asterisk would play are nothing to us."""
        if self._over:
            return []
        if isinstance(frame, bytes):
            return pieces(frame) if self._call else self._refuse("Expected MEDIA_START before media")
        self._json = frame.lstrip().startswith("{")
        match kind := event(frame):
            case {"event": "MEDIA_START"} if self._call is None:
                return self._start(kind)
            case {"event": "DTMF_END"} if self._call:
                return [self._call.notice("dtmf", digit=kind.get("digit", ""))]
        return []

    def _start(self, start: dict[str, str]) -> Sequence[Step]:
        channel, channel_id = start.get("channel", ""), start.get("channel_id", "")
        about = {"dialect": "asterisk", "channel": channel, "channel_id": channel_id, "format": start.get("format", "")}
        try:
            config, metadata = calls.configured(self._asked, *_format(start)), calls.metadata(self._asked)
            name = self._asked.get("call") or channel_id or channel
            self._call = Call(name, self._id, about | {"parameters": self._asked})
        except ValueError as error:
            return self._refuse(str(error))
        return self._call.start(config, metadata)

    def _refuse(self, message: str) -> Sequence[Step]:
        self._over = True
        return [self._hang_up(), Hangup(POLICY_VIOLATION, message)]

    def _hang_up(self) -> Reply:
        return as_frame({"command": HANGUP}) if self._json else Reply(HANGUP)

    # From the session

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        """To those who listen to the call."""
        if self._call is None:
            return self._refuse(message.message) if isinstance(message, Error) else []
        steps = self._call.tell(message)
        if any(isinstance(step, Hangup) for step in steps):
            self._over = True
            return [self._hang_up(), *steps]
        return steps


def _format(start: dict[str, str]) -> tuple[str, int]:
    """Encoding and rate (Hz). Raises `ValueError`."""
    form = start.get("format", "")
    if form not in FORMATS:
        raise ValueError(f"format: expected one of {', '.join(FORMATS)}, got `{form[:20]}`")
    return FORMATS[form]


def event(frame: str) -> dict[str, str]:
    """A control message's fields, its `event` among them; empty for what is none."""
    if frame.lstrip().startswith("{"):
        try:
            message = object_of(msgspec.json.decode(frame))
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return {}
        return {name: text_of(value, str(value)) for name, value in message.items()}
    kind, *fields = frame.split() or [""]
    pairs = (field.partition(":") for field in fields)
    return {name: value for name, colon, value in pairs if colon} | {"event": kind}
