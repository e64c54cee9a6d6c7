"""Deepgram's API for recordings, `POST /v1/listen` (deepgram-sdk 7.17 `listen/v1/media`, `types/listen_v1response*`).

The body is the recording, or JSON that names where it lies. Each segment of the session is an utterance. Parameters
that a Whisper has no use for are ignored (docs/dialects.md lists them); what would change the shape of the answer, and
cannot be had, is refused.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from transcription.core.config import Task
from transcription.core.dialects import deepgram_text
from transcription.core.dialects.deepgram import MODEL, channels_of, refused
from transcription.core.dialects.deepgram_audio import CONTAINED
from transcription.core.dialects.dialect import MULTI, Query, Refused, spoken, started
from transcription.core.dialects.recordings import REMOTE, Answer, Asked, Fetch, Placed, Samples
from transcription.core.protocol import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, ErrorCode, FinalTranscript, StartSession

RAW = ("linear16", "linear32", "mulaw", "alaw")
"""Encodings whose samples may come without a container."""
ENCODINGS = (*RAW, *CONTAINED)
MOST_CHANNELS = 8
MAX_JSON = 16_384
"""Bytes of a body that names an address."""
LONGEST_URL = 8_192
DETECT = "detect_language"
FLAGS = ("", "true", "1", "false", "0")
"""Its values that name no language."""
PARAGRAPH_S = 2.0
"""A silence that parts paragraphs."""
PARAGRAPH_SENTENCES = 5
ENDS = (".", "?", "!", "…")
"""Of a sentence's last word."""
CODES = {
    400: "Bad Request",
    401: "INVALID_AUTH",
    402: "ASR_PAYMENT_REQUIRED",
    403: "INSUFFICIENT_PERMISSIONS",
    413: "PAYLOAD_TOO_LARGE",
    429: "TOO_MANY_REQUESTS",
    503: "SERVICE_UNAVAILABLE",
}
"""`err_code` by status (developers.deepgram.com/docs/errors)."""


class Remote(msgspec.Struct):
    """A body that names where the recording lies."""

    url: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """A final with words in it, times in the whole recording (s)."""

    text: str
    words: list[dict[str, Any]]
    start: float
    end: float
    confidence: float
    channel: int
    language: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """What ends with a full stop, or with its utterance."""

    text: str
    start: float
    end: float
    words: int


class DeepgramRecording:
    """One request."""

    task: Task = "transcribe"

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._query = Query(asked.query)
        self.samples: Samples | None = None
        self._names_url = asked.content_type.partition(";")[0].strip().lower() == "application/json"
        self._json = bytearray()
        self._hash = sha256()
        """Of the recording."""
        self._formats = False
        self._config = started(language="")
        self._channels = 1
        self._detects = False
        """Whether the answer says which language was spoken."""
        self._utterances: list[Utterance] = []

    def open(self) -> Sequence[StartSession]:
        """Start at once, unless the body is to say what is transcribed."""
        query = self._query
        try:
            _require_an_answer(query)
            self.samples = _samples(query)
            self._formats = deepgram_text.formats(query)
            self._channels = channels_of(query, live=False)
            self._detects = any(given.lower() not in ("", "false", "0") for given in query.texts(DETECT))
            self._config = started(
                language=MULTI if self._detects else query.text("language"),
                languages=_among(query) if self._detects else None,
                channels=self._channels if self._channels > 1 else None,
                partial_results=False,
                word_timestamps=True,
                format="pt-BR" if self._formats else None,
                redact=deepgram_text.redacts(query),
                keyterms=deepgram_text.keyterms(query),
            )
        except ValueError as error:
            raise self.refuse(400, str(error)) from None
        if self._names_url and not self._asked.fetches:
            message = "url: this service fetches no recordings (STT_FETCH_URLS); send the recording as the body"
            raise self.refuse(400, message)
        return [] if self._names_url else [self._begins()]

    def hear(self, body: bytes) -> Sequence[StartSession | bytes]:
        """The recording's bytes, or those of what names it."""
        if not self._names_url:
            self._hash.update(body)
            return [body]
        self._json += body
        if len(self._json) > MAX_JSON:
            raise self.refuse(413, f"Expected JSON of at most {MAX_JSON} bytes, with the recording's url")
        return []

    def end(self) -> Sequence[StartSession | Fetch]:
        """What named a recording is read; what is heard from now on is the recording."""
        if not self._names_url:
            return []
        self._names_url = False
        try:
            url = msgspec.json.decode(self._json, type=Remote).url
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise self.refuse(400, 'Expected JSON with the recording\'s address: {"url": "https://…"}') from None
        if not url.startswith(("http://", "https://")) or len(url) > LONGEST_URL:
            raise self.refuse(400, f"url: expected http:// or https:// and at most {LONGEST_URL} characters")
        return [self._begins(), Fetch(url)]

    def _begins(self) -> StartSession:
        return StartSession(config=self._config, metadata=deepgram_text.metadata(self._query))

    # The answer

    def tell(self, final: FinalTranscript) -> str:
        """Kept for the answer: there is no stream."""
        if final.text:
            at_s, placed = final.audio_start_ms / 1000, Placed(final)
            text, said = deepgram_text.formatted(final) if self._formats else (final.text, final.words)
            words = [deepgram_text.told(word, at_s, written=self._formats) for word in said]
            said_by = (final.channel or 0, final.language or "")
            confidence = round(final.confidence, 4)
            self._utterances.append(Utterance(text, words, placed.start, placed.end, confidence, *said_by))
        return ""

    def answer(self, audio_s: float) -> Answer:
        """Metadata and results."""
        metadata: dict[str, object] = {
            "transaction_key": "deprecated",
            "request_id": self._asked.request_id,
            "sha256": self._hash.hexdigest(),
            "created": self._asked.at,
            "duration": round(audio_s, 3),
            "channels": self._channels,
            "models": [self._asked.request_id],
            "model_info": {self._asked.request_id: MODEL},
        }
        if tags := self._query.texts("tag"):
            metadata["tags"] = tags
        results: dict[str, object] = {"channels": [self._channel(n) for n in range(self._channels)]}
        if self._query.flag("utterances"):
            in_order = sorted(self._utterances, key=lambda said: said.start)
            results["utterances"] = [self._told(number, said) for number, said in enumerate(in_order)]
        body = msgspec.json.encode({"metadata": metadata, "results": results})
        return Answer("application/json", body, (("dg-request-id", self._asked.request_id),))

    def _channel(self, n: int) -> dict[str, object]:
        utterances = [said for said in self._utterances if said.channel == n]
        told: dict[str, object] = {"alternatives": [self._alternative(utterances)]}
        if self._detects and utterances:
            spoken = Counter[str]()
            for said in utterances:
                spoken[said.language] += len(said.text)
            ((language, length),) = spoken.most_common(1)
            told |= {"detected_language": language, "language_confidence": round(length / spoken.total(), 4)}
        return told

    def _alternative(self, utterances: Sequence[Utterance]) -> dict[str, object]:
        words = [word for said in utterances for word in said.words]
        length = sum(len(said.text) for said in utterances)
        confidence = sum(said.confidence * len(said.text) for said in utterances) / length if length else 0.0
        told: dict[str, object] = {
            "transcript": " ".join(said.text for said in utterances),
            "confidence": round(confidence, 4),
            "words": words,
        }
        if self._query.flag("paragraphs") or self._query.flag("smart_format"):
            told["paragraphs"] = _paragraphs(utterances)
        return told

    def _told(self, number: int, said: Utterance) -> dict[str, object]:
        return {
            "start": said.start,
            "end": said.end,
            "confidence": said.confidence,
            "channel": said.channel,
            "transcript": said.text,
            "words": said.words,
            "id": f"{self._asked.request_id}-{number}",
        }

    # Errors

    def refuse(self, status: int, message: str, code: str = "", retry_after_ms: int | None = None) -> Refused:
        """As its clients know errors; a key that has used its minutes is an account without credit."""
        if code == ErrorCode.QUOTA_EXCEEDED:
            status = 402
        told = "REMOTE_CONTENT_ERROR" if code == REMOTE else CODES.get(status, code or "INTERNAL_ERROR")
        return refused(self._asked.request_id, status, told, message, retry_after_ms)

    def broken(self, refused: Refused) -> str:
        """Nothing: there is no stream to break."""
        return ""


def _require_an_answer(query: Query) -> None:
    """The answer comes as the response."""
    if query.text("callback"):
        raise ValueError("callback: not supported; the transcript is the response")


def _among(query: Query) -> list[str] | None:
    """The languages that `detect_language` is limited to, where it names several. Raises `ValueError`."""
    named = [given for given in query.texts(DETECT) if given.lower() not in FLAGS]
    return spoken(DETECT, named).languages


def _samples(query: Query) -> Samples | None:
    """What the recording is made of if it turns out to have no container; `None` where that is not said."""
    encoding = query.text("encoding")
    if encoding and encoding not in ENCODINGS:
        raise ValueError(f"encoding: expected one of {', '.join(ENCODINGS)}, got `{encoding[:20]}`")
    rate, channels = query.number("sample_rate"), query.number("channels", 1)
    if rate is not None and not (MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE and rate.is_integer()):
        raise ValueError(f"sample_rate: expected a whole number from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}")
    if channels is None or channels not in range(1, MOST_CHANNELS + 1):
        raise ValueError(f"channels: expected 1 to {MOST_CHANNELS}")
    return Samples(encoding, int(rate), int(channels)) if encoding in RAW and rate else None


def _paragraphs(utterances: Sequence[Utterance]) -> dict[str, object]:
    paragraphs: list[list[Sentence]] = []
    for sentence in (sentence for said in utterances for sentence in _sentences(said)):
        last = paragraphs[-1] if paragraphs else []
        if not last or len(last) == PARAGRAPH_SENTENCES or sentence.start - last[-1].end >= PARAGRAPH_S:
            paragraphs.append([])
        paragraphs[-1].append(sentence)
    return {
        "transcript": "\n\n".join(" ".join(sentence.text for sentence in each) for each in paragraphs),
        "paragraphs": [
            {
                "sentences": [{"text": one.text, "start": one.start, "end": one.end} for one in each],
                "num_words": sum(one.words for one in each),
                "start": each[0].start,
                "end": each[-1].end,
            }
            for each in paragraphs
        ],
    }


def _sentences(said: Utterance) -> list[Sentence]:
    if not said.words:
        return [Sentence(said.text, said.start, said.end, len(said.text.split()))]
    found: list[Sentence] = []
    words: list[dict[str, Any]] = []
    for word in said.words:
        words.append(word)
        if word["punctuated_word"].endswith(ENDS) or word is said.words[-1]:
            text = " ".join(one["punctuated_word"] for one in words)
            found.append(Sentence(text, words[0]["start"], words[-1]["end"], len(words)))
            words = []
    return found
