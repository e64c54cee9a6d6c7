"""What a client asks for in its `start_session`, laid over the server's defaults, and what it changes later."""

from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

from msgspec import UNSET

from transcription.core.config import SessionConfig
from transcription.core.encodings import Encoding
from transcription.core.languages import AUTO, normalise_language
from transcription.core.protocol import Configured, RedactType, StartSession, TurnOptions


def merge(defaults: SessionConfig, message: StartSession) -> SessionConfig:
    """The session's options: what was asked for, else the default. It may be resumed only if that was asked for."""
    asked = message.config
    defaults = changed(defaults, asked)
    vad = defaults.vad
    return replace(
        defaults,
        sample_rate=int(asked.sample_rate or defaults.sample_rate),
        encoding=Encoding(asked.encoding or defaults.encoding),
        channels=asked.channels or defaults.channels,
        channel_names=tuple(asked.channel_names or defaults.channel_names),
        partial_results=defaults.partial_results if asked.partial_results is None else asked.partial_results,
        word_timestamps=defaults.word_timestamps if asked.word_timestamps is None else asked.word_timestamps,
        format=asked.format or defaults.format,
        redact=tuple(kind for kind in get_args(RedactType) if kind in {*defaults.redact, *(asked.redact or ())}),
        vad=replace(
            vad,
            enabled=vad.enabled if asked.vad_enabled is None else asked.vad_enabled,
            threshold=vad.threshold if asked.vad_threshold is None else asked.vad_threshold,
        ),
        resume_window_s=defaults.resume_window_s if message.resume else 0.0,
    )


def changed(config: SessionConfig, asked: TurnOptions) -> SessionConfig:
    """The session's options with what was asked for another turn; what was not stays as it is."""
    vad = config.vad
    return replace(
        _in_language(config, asked),
        keyterms=config.keyterms if asked.keyterms is None else _written(asked.keyterms),
        vad=replace(
            vad,
            turn_mode=asked.turn_mode or vad.turn_mode,
            min_silence_ms=vad.min_silence_ms if asked.min_silence_ms is None else round(asked.min_silence_ms),
            max_hold_ms=vad.max_hold_ms if asked.max_hold_ms is None else round(asked.max_hold_ms),
        ),
    )


def _in_language(config: SessionConfig, asked: TurnOptions) -> SessionConfig:
    """The options with the language that was asked for, or those that it may be: expected is the one before, if it may
    be, else the first."""
    if asked.lang_code is None:
        return config
    if asked.lang_code != AUTO:
        return replace(config, language=normalise_language(asked.lang_code) or config.language, detect=False)
    given = [code for each in asked.languages or config.languages if (code := normalise_language(each))]
    language = config.language if config.language in given else given[0]
    return replace(config, language=language, detect=True, languages=tuple(dict.fromkeys(given)))


def told(session_id: str, config: SessionConfig) -> Configured:
    """What the client is told of options that may change."""
    return Configured(
        session_id=session_id,
        lang_code=AUTO if config.detect else config.language,
        turn_mode=config.vad.turn_mode,
        min_silence_ms=config.vad.min_silence_ms,
        max_hold_ms=config.vad.max_hold_ms,
        keyterms=list(config.keyterms) or UNSET,
    )


def _written(terms: Iterable[str]) -> tuple[str, ...]:
    """Terms as texts have them, each once."""
    return tuple(dict.fromkeys(" ".join(term.split()) for term in terms))


def noted(now: Configured) -> str:
    """What the records keep of options that have changed."""
    return f"configured: {now.lang_code}, {now.turn_mode}, silence {now.min_silence_ms} ms, hold {now.max_hold_ms} ms"
