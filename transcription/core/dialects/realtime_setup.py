"""What a client of OpenAI's Realtime API asks of its session, in either shape of the API, and is told of it."""

from dataclasses import dataclass, replace
from typing import Any

from transcription.core.dialects.dialect import ENCODINGS, MULTI, spoken, started, taken
from transcription.core.protocol import StartConfig

RATE = 24_000
DETECTIONS = ("server_vad", "semantic_vad")
SERVER_VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}
FORMATS = {"audio/pcm": "linear16", "audio/pcmu": "mulaw", "audio/pcma": "alaw"}
BETA_FORMATS = {"pcm16": "linear16", "g711_ulaw": "mulaw", "g711_alaw": "alaw"}
NAMES = {"$.sample_rate": "format.rate", "$.vad_threshold": "turn_detection.threshold"}
"""Of fields, where a session says that one is wrong: theirs."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What holds; before anything is asked, the defaults."""

    encoding: str = "linear16"
    rate: float = RATE
    vad: bool = True
    model: str = ""
    language: str = ""

    def ms(self, size: int) -> float:
        """How long so many bytes of audio are."""
        return 1000 * size / ENCODINGS[self.encoding].sample_bytes / self.rate

    def updated(self, asked: dict[str, Any], *, beta: bool) -> tuple["Setup", StartConfig]:
        """With what is asked for, and as a session is started with it; what is not named is as it was.

        Raises `ValueError` that says what is wrong.
        """
        audio: dict[str, Any] = asked if beta else _object(_object(asked, "audio"), "input")
        encoding, rate = self._format(audio.get("input_audio_format" if beta else "format"))
        detection = audio.get("turn_detection", SERVER_VAD if self.vad else None)
        kind = detection.get("type", DETECTIONS[0]) if isinstance(detection, dict) else detection
        if kind is not None and kind not in DETECTIONS:
            raise ValueError(f"turn_detection: expected {' or '.join(DETECTIONS)}, or null, got `{str(kind)[:40]}`")
        threshold = detection.get("threshold") if isinstance(detection, dict) else None
        heard = _object(audio, "input_audio_transcription" if beta else "transcription")
        languages = heard.get("languages") or [heard.get("language") or self.language]
        several = isinstance(languages, list) and len(languages) > 1
        among = spoken("languages", languages).languages if several else None
        try:
            config = started(
                sample_rate=rate,
                encoding=encoding,
                language=MULTI if among else str(languages[0]) if isinstance(languages, list) else "",
                languages=among,
                partial_results=True,
                vad_enabled=detection is not None,
                vad_threshold=threshold if isinstance(threshold, int | float) else None,
                keyterms=taken(words) or None if isinstance(words := heard.get("keywords"), list) else None,
            )
        except ValueError as error:
            told = str(error)
            for ours, theirs in NAMES.items():
                told = told.replace(ours, theirs)
            raise ValueError(told) from None
        setup = replace(
            self,
            encoding=encoding,
            rate=config.sample_rate or RATE,
            vad=detection is not None,
            model=str(heard.get("model") or self.model),
            language="" if among else config.lang_code or "",
        )
        return setup, config

    def _format(self, given: object) -> tuple[str, Any]:
        if given is None:
            return self.encoding, self.rate
        name, rate = (given.get("type"), given.get("rate", RATE)) if isinstance(given, dict) else (given, RATE)
        encoding = (FORMATS | BETA_FORMATS).get(str(name or "audio/pcm"))
        if encoding is None:
            raise ValueError(f"format: expected one of {', '.join(FORMATS)}, got `{str(name)[:40]}`")
        return encoding, rate if encoding == "linear16" else 8_000

    def told(self, session_id: str, *, beta: bool) -> dict[str, object]:
        """As the clients' types have it."""
        transcription = {"model": self.model or "whisper", "language": self.language or None, "prompt": ""}
        detection = SERVER_VAD if self.vad else None
        named: dict[str, object] = {"id": session_id, "object": "realtime.transcription_session"}
        if beta:
            forms = {encoding: name for name, encoding in BETA_FORMATS.items()}
            return named | {
                "input_audio_format": forms[self.encoding],
                "input_audio_transcription": transcription,
                "turn_detection": detection,
            }
        form: dict[str, object] = {"type": next(name for name, of in FORMATS.items() if of == self.encoding)}
        if self.encoding == "linear16":
            form["rate"] = round(self.rate)
        heard = {"format": form, "transcription": transcription, "turn_detection": detection, "noise_reduction": None}
        return named | {"type": "transcription", "audio": {"input": heard}}


def _object(outer: dict[str, Any], name: str) -> dict[str, Any]:
    inner = outer.get(name)
    return inner if isinstance(inner, dict) else {}
