"""Deepgram's live API, `/v1/listen` (deepgram-sdk 7.17 `listen/v1`; developers.deepgram.com/reference/speech-to-text).

An utterance's final is a `Results` with `is_final`, and with `speech_final` where speech ended there; ranges of finals
follow each other without a gap. `Finalize` is answered even where nothing was said. `UtteranceEnd` comes by the audio's
clock. Parameters that a Whisper has no use for are ignored (docs/dialects.md lists them); endpointing is the server's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from transcription.core.dialects import deepgram_text
from transcription.core.dialects.deepgram_audio import DEFAULT_RATE, GARBLED, UNPARSABLE, Audio, audio
from transcription.core.dialects.dialect import (
    ENCODINGS,
    MULTI,
    Hangup,
    Query,
    Refused,
    Reply,
    Step,
    as_frame,
    control,
    pieces,
    spoken,
    started,
)
from transcription.core.dialects.recordings import retry_after
from transcription.core.hearing import MOST_CHANNELS
from transcription.core.protocol import (
    EndSession,
    Error,
    ErrorCode,
    FinalTranscript,
    Flush,
    PartialTranscript,
    ServerMessage,
    SessionEnded,
    SessionStarted,
    StartSession,
    VadEvent,
)

BUSY = {
    ErrorCode.QUEUE_CONGESTION: 503,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.INTERNAL_ERROR: 500,
    ErrorCode.INVALID_MESSAGE: 400,
}
"""HTTP status of a refused start; 429 otherwise."""
KEEPS_ALIVE = b""
"""Audio that is none: the session has heard from its client, and nothing else follows."""


@dataclass(slots=True)
class Heard:
    """How far one channel is."""

    covered_s: float = 0.0
    """Where the last final's range ended."""
    last_word_s: float | None = None
    """Where the last word ended, while its `UtteranceEnd` is owed."""
    talking: bool = False


class DeepgramLive:
    """One connection."""

    def __init__(self, query: str, request_id: str) -> None:
        self._query = Query(query)
        self._id = request_id
        self._rate = float(DEFAULT_RATE)
        self._frame_bytes = 2
        self._interim = self._events = self._formats = False
        self._end_after_s: float | None = None
        """How long after the last word `UtteranceEnd` comes; `None`: never."""
        self._heard_bytes = 0
        self._channels = [Heard()]
        self._ended: set[str] = set()
        """Segments whose speech has ended, and whose final has not come."""
        self._finalized = 0

    def open(self) -> Sequence[Step]:
        """Start at once, with what the parameters ask for."""
        query = self._query
        try:
            heard = audio(query, self._garbled)
            self._channels = [Heard() for _ in range(channels_of(query, live=True))]
            _require_samples(heard, len(self._channels))
            self._rate = heard.rate
            end_after_ms = query.number("utterance_end_ms")
            self._end_after_s = end_after_ms / 1000 if end_after_ms is not None else None
            self._interim, self._events = query.flag("interim_results"), query.flag("vad_events")
            self._formats = deepgram_text.formats(query)
            config = started(
                sample_rate=heard.rate,
                encoding=heard.encoding,
                language=query.text("language"),
                languages=_among(query),
                partial_results=self._interim,
                word_timestamps=True,
                format="pt-BR" if self._formats else None,
                redact=deepgram_text.redacts(query),
                keyterms=deepgram_text.keyterms(query),
                channels=len(self._channels) if len(self._channels) > 1 else None,
            )
        except ValueError as error:
            raise refused(self._id, 400, "Bad Request", str(error)) from None
        self._frame_bytes = ENCODINGS[heard.encoding].sample_bytes * len(self._channels)
        return [*heard.unpack, StartSession(config=config, metadata=deepgram_text.metadata(query))]

    def refuse(self, error: Error) -> Refused:
        """As its REST API tells errors."""
        return refusal(self._id, error)

    # From the client

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        """Audio, or a control message; an empty binary frame ends the stream, as it did in the API's first version."""
        if isinstance(frame, bytes):
            if not frame:
                return [EndSession()]
            self._heard_bytes += len(frame)
            return [*pieces(frame), *self._utterance_end()]
        if (message := control(frame)) is None:
            return [self._error("Expected a JSON object with `type`")]
        match kind := message["type"]:
            case "KeepAlive":
                return [KEEPS_ALIVE]
            case "Finalize":
                self._finalized += 1
                return [Flush(flush_id=f"finalize-{self._finalized}")]
            case "CloseStream":
                return [EndSession()]
            case "Configure":
                told = {"type": "ConfigureFailure", "request_id": self._id, "code": "UNSUPPORTED"}
                return [as_frame(told | {"description": "Nothing can be changed in mid-stream"})]
        return [self._error(f"Unknown type `{str(kind)[:40]}`")]

    def _garbled(self, message: str) -> Sequence[Step]:
        return [self._error(message, UNPARSABLE), Hangup(GARBLED)]

    def _utterance_end(self) -> Sequence[Step]:
        """Owed once nobody has spoken for long enough after a final's last word."""
        if self._end_after_s is None:
            return []
        told = []
        for n, heard in enumerate(self._channels):
            last_word_s = heard.last_word_s
            if heard.talking or last_word_s is None or self._heard_s < last_word_s + self._end_after_s:
                continue
            heard.last_word_s = None
            about = {"type": "UtteranceEnd", "channel": [n, len(self._channels)], "last_word_end": last_word_s}
            told.append(as_frame(about))
        return told

    @property
    def _heard_s(self) -> float:
        return self._heard_bytes / self._frame_bytes / self._rate

    # From the session

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        """In Deepgram's words."""
        match message:
            case VadEvent(state="speech_start", t_ms=t_ms):
                n = message.channel or 0
                self._channels[n].talking, self._channels[n].last_word_s = True, None
                told = {"type": "SpeechStarted", "channel": [n], "timestamp": round(t_ms / 1000, 3)}
                return [as_frame(told)] if self._events else []
            case VadEvent(segment_id=segment_id):
                self._channels[message.channel or 0].talking = False
                self._ended.add(segment_id)
            case PartialTranscript() if self._interim and message.text:
                said = _alternative(message.text, message, [])
                return [self._results(message.channel or 0, said, message.audio_end_ms / 1000, final=False)]
            case FinalTranscript():
                return self._final(message)
            case Error():
                return self._failed(message)
            case SessionEnded(total_audio_ms=total_audio_ms):
                return [self._metadata(total_audio_ms)]
            case SessionStarted():
                return []
        return []

    def _final(self, final: FinalTranscript) -> Sequence[Step]:
        at_s = final.audio_start_ms / 1000
        text, said = deepgram_text.formatted(final) if self._formats else (final.text, final.words)
        words = [deepgram_text.told(word, at_s, written=self._formats) for word in said]
        n = final.channel or 0
        heard = self._channels[n]
        end_s = max(at_s + final.audio_duration_ms / 1000, heard.covered_s)
        results = self._results(
            n,
            _alternative(text, final, words),
            end_s,
            final=True,
            speech_final=final.segment_id in self._ended or isinstance(final.flush_id, str),
            finalized=isinstance(final.flush_id, str),
        )
        self._ended.discard(final.segment_id)
        heard.covered_s = end_s
        if final.text:
            heard.last_word_s = round(at_s + final.words[-1].end, 3) if final.words else round(end_s, 3)
        return [results, *self._utterance_end()]

    def _failed(self, error: Error) -> Sequence[Step]:
        """A segment without a transcript, or something else that went wrong; a `Finalize` is answered all the same."""
        told: list[Step] = [self._error(error.message, str(error.code))]
        if error.flush_id:
            n = error.channel or 0
            nothing: dict[str, object] = {"transcript": "", "confidence": 0.0, "words": []}
            covered_s = self._channels[n].covered_s
            told.append(self._results(n, nothing, covered_s, final=True, speech_final=True, finalized=True))
        return told

    def _results(
        self,
        n: int,
        said: dict[str, object],
        end_s: float,
        *,
        final: bool,
        speech_final: bool = False,
        finalized: bool = False,
    ) -> Reply:
        told: dict[str, object] = {
            "type": "Results",
            "channel_index": [n, len(self._channels)],
            "start": round(self._channels[n].covered_s, 3),
            "duration": round(max(end_s - self._channels[n].covered_s, 0.0), 3),
            "is_final": final,
            "speech_final": speech_final,
            "channel": {"alternatives": [said]},
            "metadata": {"request_id": self._id, "model_info": MODEL, "model_uuid": self._id},
            "from_finalize": finalized,
        }
        return as_frame(told)

    def _metadata(self, total_ms: float) -> Reply:
        told: dict[str, object] = {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self._id,
            "sha256": "",
            "created": "",
            "duration": round(total_ms / 1000, 3),
            "channels": len(self._channels),
        }
        return as_frame(told)

    def _error(self, message: str, variant: str = "INVALID_MESSAGE") -> Reply:
        return as_frame({"type": "Error", "variant": variant, "description": message, "message": message})


MODEL = {"name": "whisper", "version": "", "arch": "whisper"}


def refused(request_id: str, status: int, code: str, message: str, retry_after_ms: int | None = None) -> Refused:
    """As Deepgram's REST API tells errors: the body and headers that its clients read and log."""
    body: dict[str, object] = {"err_code": code, "err_msg": message, "request_id": request_id}
    headers = (("dg-request-id", request_id), ("dg-error", " ".join(message.split())))
    return Refused(status, body, (*headers, *retry_after(retry_after_ms)))


def refusal(request_id: str, error: Error) -> Refused:
    """Of a session that was not admitted."""
    return refused(request_id, BUSY.get(error.code, 429), str(error.code), error.message, error.retry_after_ms)


def channels_of(query: Query, *, live: bool) -> int:
    """How many are heard, each by itself. Raises `ValueError`."""
    given = query.number("channels", None if query.flag("multichannel") else 1)
    if not query.flag("multichannel"):
        if live and given != 1:
            raise ValueError("channels: expected 1, or 2 with multichannel=true")
        return 1
    if given not in ((MOST_CHANNELS,) if live else (None, MOST_CHANNELS)):
        raise ValueError(f"channels: expected {MOST_CHANNELS} with multichannel=true")
    return MOST_CHANNELS


def _among(query: Query) -> list[str] | None:
    """The languages that a `multi` is hinted to be. Raises `ValueError`."""
    return spoken("language_hint", query.values("language_hint")).languages if query.text("language") == MULTI else None


def _require_samples(heard: Audio, channels: int) -> None:
    if heard.unpack and channels > 1:
        raise ValueError("encoding: expected linear16, mulaw or alaw with multichannel=true")


def _alternative(
    text: str, message: PartialTranscript | FinalTranscript, words: list[dict[str, object]]
) -> dict[str, object]:
    """What was heard, with its language where that was found out."""
    said = {"transcript": text, "confidence": round(message.confidence, 4), "words": words}
    return said | ({"languages": [message.language]} if message.language else {})
