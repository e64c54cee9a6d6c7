"""What a session and the service are configured with, as frozen values.

`sttproject/env.py` fills these from the environment; the core never reads it. Names and defaults are those of
the configuration table in `docs/configuration.md`.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from transcription.core.encodings import Encoding
from transcription.core.languages import PORTUGUESE
from transcription.core.protocol import RedactType, TextFormat, TurnMode

SAMPLE_RATE = 16_000
"""Samples a second of everything inside: VAD, buffers and Whisper. Other rates are resampled at the door."""
Task = Literal["transcribe", "translate"]
"""What Whisper makes of speech: its text, or its text in English."""
RECORDING_FINALS = 2
"""Finals that an upload may be owed before its audio waits."""
RECORDING_WAIT_S = 240.0
"""A recording's final not answered by then is given up: the longest that its audio is sure to be there."""


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
    piece_ms: int = 8_000
    """How long what was decoded ahead is at least to be kept where speech goes on; 0: nothing is."""
    turn_mode: TurnMode = "fixed"
    """How the text that is decoded ahead changes the silence that ends an utterance (`core/session/turns.py`)."""
    min_silence_early_ms: int = 300
    """Silence that ends an utterance which is complete; never more than `min_silence_ms`."""
    max_hold_ms: int = 2_500
    """Silence that ends an utterance which is open; never less than `min_silence_ms`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """One session's options: the server's defaults with the client's `start_session.config` laid over them."""

    language: str = "pt"
    """What is spoken; if that is to be found out, what is expected."""
    detect: bool = False
    """Whether it is to be found out."""
    languages: tuple[str, ...] = ("pt", "es", "en")
    """Those that it may be, if it is."""
    channels: int = 1
    channel_names: tuple[str, ...] = ()
    """Who they are, for the records; empty: nobody said."""
    sample_rate: int = SAMPLE_RATE
    encoding: Encoding = Encoding.PCM_S16LE
    partial_results: bool = True
    word_timestamps: bool = True
    task: Task = "transcribe"
    format: TextFormat = "off"
    redact: tuple[RedactType, ...] = ()
    """What is kept out of all that the session says."""
    keyterms: tuple[str, ...] = ()
    """Names and products that may be said, as they are written."""
    vad: VadConfig = field(default_factory=VadConfig)
    partial_interval_ms: int = 300
    """From one partial's job to the next one's, at least."""
    max_partial_window_s: float = 8.0
    """How much audio a partial looks at, at most."""
    max_utterance_s: float = 30.0
    """An utterance is cut into segments no longer than this."""
    max_audio_gap_ms: int = 900
    """Silence after which an utterance is over, audio that did not come counted in; 0: only audio ends it."""
    max_buffer_ms: int = 5_000
    """Audio accepted but not yet in Redis from which on a client is not read from."""
    max_pending_finals: int = 8
    """Finals that a client may be owed before it is not read from: one that sends faster than it is answered would else
    put its whole recording before everybody else's utterances."""
    max_frame_bytes: int = 131_072
    """Longest binary or text frame."""
    beam_size: int = 5
    """Of finals; partials have 1."""
    start_timeout_s: float = 30.0
    """A connection that has not started a session by then is closed."""
    idle_timeout_s: float = 300.0
    """A session that has sent nothing for so long is ended."""
    resume_window_s: float = 30.0
    """A client that asked for it may come back for so long; 0: never."""
    result_timeout_s: float = 20.0
    """A final not answered by then, over what it has to wait for its turn, is sent again
    (`core/session/pending_finals.py`)."""
    max_final_wait_s: float = 120.0
    """A final not answered by then is given up."""
    recorded: bool = False
    """Whether all the audio was there before the session: its finals yield to those of people who speak."""

    @property
    def of_recordings(self) -> "SessionConfig":
        """The same where all the audio is there already: what comes late is no silence, and no pause is waited in.

        Few finals are owed at a time: enough for a worker to have the next one, too few to fill the queue. One that
        yields for long is not late: only what was lost is sent again.
        """
        return replace(
            self,
            partial_results=False,
            recorded=True,
            max_audio_gap_ms=0,
            result_timeout_s=RECORDING_WAIT_S,
            max_final_wait_s=RECORDING_WAIT_S,
            max_pending_finals=min(self.max_pending_finals, RECORDING_FINALS),
            vad=replace(self.vad, speculate_ms=0),
        )

    def keyterms_in(self, language: str) -> tuple[str, ...]:
        """The terms that are listened for: where the text is Portuguese, which they are compared in the sounds of."""
        return self.keyterms if language == PORTUGUESE and self.task == "transcribe" else ()

    def formats(self, language: str) -> bool:
        """Whether finals in a language have formatted text: where it was asked for, and the language has rules."""
        return self.format != "off" and language == PORTUGUESE


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What admission goes by, cluster-wide."""

    max_sessions: int = 100
    max_queue_depth: int = 20
    """Jobs waiting and running."""
    max_estimated_server_total_ms: float = 500.0
    """What a final may be expected to take, from its job's dispatch to its message."""
    max_recorded_wait_s: float = RECORDING_WAIT_S / 2
    """What a recording's final may be expected to wait for its turn."""
