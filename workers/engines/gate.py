"""Whether there is anything to decode. What a Whisper makes of audio in which nobody speaks is invented.

Audio that is as good as silent is never decoded. Where an endpointer has found speech it is believed; where none has
looked (`vad_enabled: false`), Silero does here, as faster-whisper ships it, over the whole request at once: some 3 ms a
second of audio. Little is asked of it, for what it says no to is lost: 204 recordings, each at -70, -45 and -20 dBFS,
gave 0.38 at least; 47 noises and tones gave 0.34 at most; of 23 recordings without speech three had more, two animals
and an office where somebody does talk.
"""

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

from transcription.core.config import SAMPLE_RATE

SILENT = 1e-4
"""RMS of the loudest tenth of a second, full scale 1: -80 dBFS, three steps of 16 bits. Speech at -70 dBFS is above."""
LIFTED_TO = 0.03
MOST_LIFT = 300.0
"""Quiet audio is brought to this RMS, where Silero hears speech best, by at most this factor."""
NO_SPEECH = 0.35
"""Below this probability, on average over each tenth of a second, nobody speaks."""
WINDOW, WINDOWS = 512, 3


def is_silent(audio: NDArray[np.float32]) -> bool:
    """Whether nothing in it is louder than the noise of a quiet line."""
    return _loudest(audio) < SILENT


def has_speech(audio: NDArray[np.float32]) -> bool:
    """Whether Silero thinks it possible that somebody speaks somewhere in it (samples at 16 kHz, -1 to 1)."""
    lift = np.clip(LIFTED_TO / max(_loudest(audio), 1e-9), 1.0, MOST_LIFT)
    # a copy in any case: faster-whisper 1.2.1 writes zeros into the last samples of what it is given
    lifted = np.pad(audio * np.float32(lift), (0, -audio.size % WINDOW)).clip(-1.0, 1.0)
    found = np.pad(get_vad_model()(lifted).reshape(-1), (WINDOWS - 1, 0)) if lifted.size else np.zeros(WINDOWS)
    return bool(np.convolve(found, np.full(WINDOWS, 1 / WINDOWS), "valid").max() >= NO_SPEECH)


def _loudest(audio: NDArray[np.float32]) -> float:
    """RMS of the loudest tenth of a second; 0 of nothing."""
    frame = SAMPLE_RATE // 10
    frames = np.pad(audio, (0, -audio.size % frame)).reshape(-1, frame)
    return float(np.sqrt(np.square(frames, dtype=np.float64).mean(axis=1)).max(initial=0.0))
