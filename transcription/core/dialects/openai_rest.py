"""OpenAI's `POST /v1/audio/transcriptions` and `/translations` (openai 3.57 `resources/audio`; openai-openapi
`CreateTranscriptionRequest`, `CreateTranslationRequest`).

A form. Where `language` and `model` come before the file it is transcribed as it comes in; else the whole form is
awaited, for any order of fields is allowed. A stream of events has a delta for each segment's final. Fields that a
Whisper has no use for are ignored (docs/dialects.md lists them).
"""

import math
import zlib
from collections.abc import Sequence

import msgspec

from transcription.core.config import Task
from transcription.core.dialects.dialect import Refused, started, taken
from transcription.core.dialects.forms import Field, FileBegins, FormReader
from transcription.core.dialects.recordings import Answer, Asked, Placed, Samples, retry_after
from transcription.core.languages import LANGUAGES, normalise_language
from transcription.core.protocol import FinalTranscript, StartSession
from transcription.core.subtitles import Said, srt, vtt

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("word", "segment")
KNOWN_AS = "whisper-1"
"""The name that the model is listed by besides its own: what clients ask for who ask for OpenAI's."""
KINDS = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}
"""`type` of an error by its status; `invalid_request_error` otherwise."""


class OpenAITranscription:
    """One request."""

    samples: Samples | None = None
    task: Task = "transcribe"
    starts_with: frozenset[str] = frozenset({"language", "model"})
    """Fields that are known before the file where it is transcribed as it comes in."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._form: FormReader
        self._fields: dict[str, str] = {}
        self._granularities: list[str] = []
        self._keywords: list[str] = []
        self._has_file = self._started = False
        self._finals: list[Placed] = []
        self._told = False
        """Whether a delta was sent."""

    def open(self) -> Sequence[StartSession]:
        """The body must be a form."""
        try:
            self._form = FormReader(self._asked.content_type)
        except ValueError as error:
            raise self.refuse(400, str(error)) from None
        return []

    def hear(self, body: bytes) -> Sequence[StartSession | bytes]:
        """Fields, and the file's bytes."""
        steps: list[StartSession | bytes] = []
        try:
            read = self._form.feed(body)
        except ValueError as error:
            raise self.refuse(400, str(error)) from None
        for part in read:
            match part:
                case Field(name=name, value=value):
                    self._take(name.removesuffix("[]"), value)
                case FileBegins():
                    self._has_file = True
                    if self.starts_with <= self._fields.keys():
                        steps.append(self._start())
                case bytes():
                    steps.append(part)
        return steps

    def end(self) -> Sequence[StartSession]:
        """The form must be whole."""
        if not self._form.complete:
            raise self.refuse(400, "The form ends too early")
        if not self._has_file:
            raise self._bad("file", "expected a recording")
        if not self._fields.get("model"):
            raise self._bad("model", "expected a name; any will do")
        return [] if self._started else [self._start()]

    def _take(self, name: str, value: str) -> None:
        if name == "timestamp_granularities":
            if value not in GRANULARITIES:
                raise self._bad(f"{name}[]", f"expected word or segment, got `{value[:20]}`")
            self._granularities.append(value)
            return
        if name == "keywords":
            if self._started:
                raise self._bad(f"{name}[]", "expected before the file")
            self._keywords.append(value)
            return
        if name == "response_format" and value not in FORMATS:
            raise self._bad(name, f"expected one of {', '.join(FORMATS)}, got `{value[:20]}`")
        if name == "language" and self._started and value != self._fields.get("language"):
            raise self._bad(name, "expected once")
        if name == "temperature" and value:
            try:
                good = 0 <= float(value) <= 1
            except ValueError:
                good = False
            if not good:
                raise self._bad(name, f"expected a number from 0 to 1, got `{value[:20]}`")
        self._fields[name] = value

    def _start(self) -> StartSession:
        self._started = True
        language = self._fields.get("language", "")
        if language and normalise_language(language) is None:
            raise self._bad("language", f"expected a language code such as `pt`, got `{language[:20]}`")
        config = started(
            language=language,
            partial_results=False,
            word_timestamps=self._times_words,
            keyterms=taken(self._keywords) or None,
        )
        return StartSession(config=config)

    @property
    def _times_words(self) -> bool:
        return self.task == "transcribe"

    # The answer

    @property
    def _streams(self) -> bool:
        return self._fields.get("stream", "").lower() in ("true", "1")

    def tell(self, final: FinalTranscript) -> str:
        """A delta, in a stream."""
        self._finals.append(Placed(final))
        if not self._streams or not final.text:
            return ""
        delta = f" {final.text}" if self._told else final.text
        self._told = True
        return _event({"type": "transcript.text.delta", "delta": delta})

    def answer(self, audio_s: float) -> Answer | str:
        """In the format asked for."""
        text = " ".join(said.final.text for said in self._finals if said.final.text)
        if self._streams:
            return _event({"type": "transcript.text.done", "text": text}) + "data: [DONE]\n\n"
        usage = {"type": "duration", "seconds": math.ceil(audio_s)}
        match self._fields.get("response_format", "json"):
            case "text":
                return self._written(f"{text}\n")
            case "srt":
                return self._written(srt(self._for_subtitles()))
            case "vtt":
                return self._written(vtt(self._for_subtitles()))
            case "verbose_json":
                return self._json(self._verbose(text, audio_s) | {"usage": usage})
            case _:
                return self._json({"text": text, "usage": usage})

    def _verbose(self, text: str, audio_s: float) -> dict[str, object]:
        language = normalise_language(self._fields.get("language", "")) or self._asked.language
        told: dict[str, object] = {
            "task": "transcribe",
            "language": LANGUAGES[language],
            "duration": round(audio_s, 3),
            "text": text,
        }
        if "segment" in self._granularities or not self._granularities:
            told["segments"] = [_segment(n, said) for n, said in enumerate(self._finals) if said.final.text]
        if "word" in self._granularities:
            told["words"] = [
                {"word": word.word, "start": word.start, "end": word.end}
                for said in self._finals
                for word in said.words
            ]
        return told

    def _for_subtitles(self) -> list[Said]:
        return [
            Said(
                said.start,
                said.final.audio_duration_ms / 1000,
                said.final.text,
                [(word.word, word.start, word.end) for word in said.final.words],
            )
            for said in self._finals
        ]

    def _json(self, told: dict[str, object]) -> Answer:
        return Answer("application/json", msgspec.json.encode(told), self._headers)

    def _written(self, text: str) -> Answer:
        return Answer("text/plain; charset=utf-8", text.encode(), self._headers)

    # Errors

    def refuse(
        self, status: int, message: str, code: str = "", retry_after_ms: int | None = None, param: str | None = None
    ) -> Refused:
        """As the SDK makes exceptions of."""
        return refused(self._asked.request_id, status, message, code, retry_after_ms, param)

    def broken(self, refused: Refused) -> str:
        """An event that the SDK raises."""
        return _event(refused.body)

    def _bad(self, param: str, expected: str) -> Refused:
        return self.refuse(400, f"{param}: {expected}", "invalid_value", param=param)

    @property
    def _headers(self) -> tuple[tuple[str, str], ...]:
        return (("x-request-id", self._asked.request_id),)


class OpenAITranslation(OpenAITranscription):
    """One request whose text is to be in English. Words have no times: those of the text were never said."""

    task: Task = "translate"
    starts_with = frozenset({"model"})

    def open(self) -> Sequence[StartSession]:
        """The model must be able to."""
        if not self._asked.translates:
            message = "model: the one that is served does not translate; use /v1/audio/transcriptions"
            raise self.refuse(400, message, "model_not_supported", param="model")
        return super().open()

    @property
    def _streams(self) -> bool:
        return False

    def _verbose(self, text: str, audio_s: float) -> dict[str, object]:
        told = super()._verbose(text, audio_s) | {"task": "translate", "language": LANGUAGES["en"]}
        told.pop("words", None)
        return told


def translates(model: str) -> bool:
    """Whether a model can, by its name: English ones have nothing to, and turbo has not learnt it (its model card)."""
    return not model.endswith(".en") and not any(kind in model.lower() for kind in ("turbo", "distil"))


def refused(
    request_id: str,
    status: int,
    message: str,
    code: str = "",
    retry_after_ms: int | None = None,
    param: str | None = None,
) -> Refused:
    """An error as OpenAI's REST API has them. The SDK tries again what may go better, after the time it is told."""
    error = {
        "message": message,
        "type": KINDS.get(status, "invalid_request_error"),
        "param": param,
        "code": code.lower() or None,
    }
    return Refused(status, {"error": error}, (("x-request-id", request_id), *retry_after(retry_after_ms)))


def models(name: str, request_id: str, wanted: str = "") -> Answer:
    """What `GET /v1/models` tells of the one model that there is, or of one by its name. Raises `Refused`."""
    listed = [
        {"id": known, "object": "model", "created": 0, "owned_by": "whisper-stt"}
        for known in dict.fromkeys((name, KNOWN_AS))
    ]
    told: object = {"object": "list", "data": listed}
    if wanted:
        told = next((model for model in listed if model["id"] == wanted), None)
    if told is None:
        raise refused(request_id, 404, f"model: there is none called `{wanted[:80]}`", "model_not_found", param="model")
    return Answer("application/json", msgspec.json.encode(told), (("x-request-id", request_id),))


def _segment(number: int, said: Placed) -> dict[str, object]:
    """With all the fields that the SDK wants. What a session does not know of a segment is as in one without faults."""
    text = said.final.text.encode()
    return {
        "id": number,
        "seek": round(said.start * 100),
        "start": said.start,
        "end": said.end,
        "text": said.final.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(math.log(max(said.final.confidence, 1e-3)), 4),
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 4),
        "no_speech_prob": 0.0,
    }


def _event(told: object) -> str:
    return f"data: {msgspec.json.encode(told).decode()}\n\n"
