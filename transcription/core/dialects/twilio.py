"""Twilio's Media Streams, `/v1/twilio` (twilio.com/docs/voice/media-streams/websocket-messages).

A `<Stream>` sends a call's audio and takes no text: transcripts go to whoever listens to the call by its `callSid`. One
track is heard, or both, each by itself. Chunks are put where their timestamps say. The key comes in the `start`
message, as a parameter of the stream: Twilio sets no headers of ours.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from transcription.core.dialects import calls
from transcription.core.dialects.calls import POLICY_VIOLATION, Call, number_of, object_of, text_of
from transcription.core.dialects.dialect import Hangup, Refused, Step, pieces
from transcription.core.dialects.sides import Sides
from transcription.core.dialects.timeline import Chunk, Timeline
from transcription.core.protocol import EndSession, Error, ServerMessage

KEY = "api_key"
"""The parameter that has the key."""
RATE = 8_000
FORMATS = {"audio/x-mulaw": "mulaw"}
SILENCE = b"\xff"
"""Of mu-law."""
TRACKS = ("inbound", "outbound")


def take_key(frame: str) -> tuple[str, str] | None:
    """The key in a `start` message, empty where it has none, and the message without it; `None`: it is another."""
    if (message := _event(frame)) is None or message["event"] != "start":
        return None
    given = object_of(object_of(message.get("start")).get("customParameters"))
    key = text_of(given.pop(KEY, ""))
    return key, msgspec.json.encode(message).decode()


class TwilioMedia:
    """One connection."""

    def __init__(self, query: str, request_id: str) -> None:
        self._asked: dict[str, Any] = dict(calls.parameters(query))
        self._id = request_id
        self._call: Call | None = None
        self._tracks: tuple[str, ...] = ()
        self._timelines = [Timeline(RATE, SILENCE) for _ in TRACKS]
        """Of each track that is heard."""
        self._sides = Sides(RATE, SILENCE)
        self._over = False
        """Whether no more audio is heard."""
        self._complained: set[str] = set()

    def open(self) -> Sequence[Step]:
        """Accepted at once: what is wanted comes in a message."""
        return []

    def refuse(self, error: Error) -> Refused:
        """Of a handshake that is still open."""
        return calls.refused(error)

    # From Twilio

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        """A message."""
        if self._over:
            return []
        if (message := _event(frame) if isinstance(frame, str) else None) is None:
            return self._complain("Expected a text frame with a JSON object that has `event`")
        match message["event"]:
            case "start" if self._call is None:
                return self._start(object_of(message.get("start")))
            case "media":
                return self._media(object_of(message.get("media")))
            case "dtmf" | "mark" as kind if self._call:
                return [self._call.notice(kind, **_told(object_of(message.get(kind))))]
            case "stop":
                self._over = True
                return [*self._rest(), EndSession()] if self._call else [Hangup(1000)]
        return []

    def _start(self, start: dict[str, Any]) -> Sequence[Step]:
        given = {name: value for name, value in object_of(start.get("customParameters")).items() if name != KEY}
        asked = self._asked | given
        stream = text_of(start.get("streamSid")) or self._id
        try:
            self._tracks = _tracks(start, asked)
            names = self._tracks if len(self._tracks) > 1 else ()
            config = calls.configured(asked, _encoding(object_of(start.get("mediaFormat"))), RATE, names)
            metadata = calls.metadata(asked)
            track = "both" if names else self._tracks[0]
            about = {"dialect": "twilio", "stream": stream, "track": track, "parameters": given}
            self._call = Call(text_of(start.get("callSid")), stream, about)
        except ValueError as error:
            return self._refuse(str(error))
        return self._call.start(config, metadata)

    def _media(self, media: dict[str, Any]) -> Sequence[Step]:
        if self._call is None:
            return self._refuse("Expected `start` before `media`")
        track = text_of(media.get("track"), TRACKS[0])
        if track not in self._tracks:
            return []
        n = self._tracks.index(track)
        try:
            data = base64.b64decode(text_of(media.get("payload"), "?"), validate=True)
        except (binascii.Error, ValueError):
            return self._complain("media.payload: expected base64")
        chunk = Chunk(number_of(media.get("chunk")), number_of(media.get("timestamp")), data)
        steps = self._audio(n, self._timelines[n].take(chunk))
        if self._timelines[n].jumped:
            steps = [*steps, *self._complain("media.timestamp: a gap of more than 30 s counts as none")]
        return steps

    def _audio(self, n: int, settled: Sequence[bytes]) -> Sequence[Step]:
        if len(self._tracks) > 1:
            settled = [self._sides.take(n, settled)]
        return [piece for audio in settled for piece in pieces(audio)]

    def _rest(self) -> Sequence[Step]:
        """What still waits: nothing more comes."""
        heard = [piece for n, _ in enumerate(self._tracks) for piece in self._audio(n, self._timelines[n].flush())]
        return [*heard, *pieces(self._sides.flush())]

    def _refuse(self, message: str) -> Sequence[Step]:
        self._over = True
        return [Hangup(POLICY_VIOLATION, message)]

    def _complain(self, message: str) -> Sequence[Step]:
        """Each complaint once a stream: the next chunk is 20 ms away."""
        if self._call is None or message in self._complained:
            return []
        self._complained.add(message)
        return [self._call.complain(message)]

    # From the session

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        """To those who listen to the call."""
        if self._call is None:
            return [Hangup(POLICY_VIOLATION, message.message)] if isinstance(message, Error) else []
        steps = self._call.tell(message)
        self._over = self._over or any(isinstance(step, Hangup) for step in steps)
        return steps


def _event(frame: str) -> dict[str, Any] | None:
    """A frame's JSON object with its `event`; `None` for anything else."""
    try:
        message = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    return message if isinstance(message, dict) and isinstance(message.get("event"), str) else None


def _tracks(start: dict[str, Any], asked: dict[str, Any]) -> tuple[str, ...]:
    """Which are heard: the one that is asked for, or both, else the caller's. Raises `ValueError`."""
    listed = start.get("tracks")
    sent = [track for track in listed if track in TRACKS] if isinstance(listed, list) else []
    wanted = text_of(asked.get("track")).removesuffix("s").removesuffix("_track")
    if not wanted:
        return (TRACKS[0] if not sent or TRACKS[0] in sent else sent[0],)
    if wanted == "both" and not (sent and len(sent) < len(TRACKS)):
        return TRACKS
    if wanted not in TRACKS or (sent and wanted not in sent):
        raise ValueError(f"track: expected one of {', '.join(sent or TRACKS)}, got `{wanted[:20]}`")
    return (wanted,)


def _encoding(form: dict[str, Any]) -> str:
    """Raises `ValueError`."""
    encoding, rate, channels = (
        form.get("encoding", "audio/x-mulaw"),
        form.get("sampleRate", RATE),
        form.get("channels", 1),
    )
    if encoding not in FORMATS or number_of(rate) != RATE or number_of(channels) != 1:
        raise ValueError(f"start.mediaFormat: expected {', '.join(FORMATS)} at {RATE} Hz with one channel")
    return FORMATS[encoding]


def _told(fields: dict[str, Any]) -> dict[str, str]:
    """What is told of a key that was pressed, or a mark that was reached."""
    return {name: text_of(fields.get(name)) for name in ("digit", "track", "name") if name in fields}
