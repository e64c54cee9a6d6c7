"""What a session and the service are configured with, as frozen values.

`sttproject/env.py` fills these from the environment; the core never reads it. Names and defaults are those of
the configuration table in `docs/configuration.md`.
"""

from dataclasses import dataclass, field

SAMPLE_RATE = 16_000
"""Samples a second of everything inside: VAD, buffers and Whisper. Other rates are resampled at the door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VadConfig:
    """When speech is taken to begin and to end."""

    enabled: bool = True
    threshold: float = 0.5
    """Speech probability (0 to 1) from which a window counts as speech."""
    min_speech_ms: int = 250
    """Shorter speech is not an utterance."""
    min_silence_ms: int = 500
    """Silence that ends an utterance."""
    pre_roll_ms: int = 300
    """Audio kept from before the first speech window, so that first syllables survive."""
    speculate_ms: int = 150
    """Silence after which the final is decoded ahead of the endpoint; 0: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """One session's options: the server's defaults with the client's `start_session.config` laid over them."""

    language: str = "pt"
    sample_rate: int = SAMPLE_RATE
    partial_results: bool = True
    word_timestamps: bool = True
    vad: VadConfig = field(default_factory=VadConfig)
    partial_interval_ms: int = 300
    max_partial_window_s: float = 8.0
    max_utterance_s: float = 30.0
    max_buffer_ms: int = 5_000
    """Audio accepted but not yet in Redis that a session may hold."""
    max_frame_bytes: int = 131_072
    """Longest binary or text frame."""
    beam_size: int = 5
    start_timeout_s: float = 30.0
    """A connection that has not started a session by then is closed."""
    idle_timeout_s: float = 300.0
    """A session that has sent nothing for so long is ended."""
    resume_window_s: float = 30.0
    """A client that asked for it may come back for so long; 0: never."""
    result_timeout_s: float = 20.0
    """A final not answered by then, over what it has to wait for its turn, is sent again; see `core/ledger.py`."""
    max_final_wait_s: float = 120.0
    """A final not answered by then is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What admission goes by, cluster-wide."""

    max_sessions: int = 100
    max_queue_depth: int = 20
    max_estimated_server_total_ms: float = 500.0
