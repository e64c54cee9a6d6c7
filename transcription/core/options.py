"""A client's `start_session.config` laid over the server's defaults."""

from dataclasses import replace

from transcription.core.config import SessionConfig
from transcription.core.protocol import StartConfig, normalise_language


def merge(defaults: SessionConfig, asked: StartConfig) -> SessionConfig:
    """The session's options: what was asked for, else the default."""
    vad = defaults.vad
    return replace(
        defaults,
        language=normalise_language(asked.lang_code or defaults.language) or defaults.language,
        sample_rate=asked.sample_rate or defaults.sample_rate,
        partial_results=defaults.partial_results if asked.partial_results is None else asked.partial_results,
        word_timestamps=defaults.word_timestamps if asked.word_timestamps is None else asked.word_timestamps,
        vad=replace(
            vad,
            enabled=vad.enabled if asked.vad_enabled is None else asked.vad_enabled,
            threshold=vad.threshold if asked.vad_threshold is None else asked.vad_threshold,
        ),
    )
