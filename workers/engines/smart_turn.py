"""Whether a turn sounds over: Smart Turn v3, an open model (BSD-2) that hears how something was said, not what.

What it is given is what pipecat gives it (its `LocalSmartTurnAnalyzerV3`): the last 8 s, silence before a shorter turn,
at mean 0 and variance 1, as Whisper's log-mel spectrogram.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from transcription.core.config import SAMPLE_RATE
from workers.engines.engine import EngineError

HEARD_S = 8
_LEAST_VARIANCE = np.float32(1e-7)
# The file's weights are 8 bits. On CPUs without VNNI the sums of their products overflow 16 bits, and an open sentence
# at 0.05 comes out at 0.41 (ONNX Runtime's `onnxruntime_session_options_config_keys.h`); others ignore it.
_PRECISE = ("session.x64quantprecision", "1")


class SmartTurn:
    """The loaded model; any number of threads may ask it."""

    def __init__(self, path: Path) -> None:
        """Load the ONNX file. Raises `EngineError` where it is another model's, or none."""
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.add_session_config_entry(*_PRECISE)
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            self(np.zeros(SAMPLE_RATE, np.float32))
        except Exception as error:  # ONNX Runtime has a class of its own for each of its reasons
            raise EngineError(f"STT_TURN_MODEL: {path} is no Smart Turn v3 model", retryable=False) from error

    def __call__(self, audio: NDArray[np.float32]) -> float:
        """The probability (0 to 1) that the turn is over whose samples these are, at 16 kHz, -1 to 1."""
        (probabilities,) = self._session.run(None, {"input_features": features(audio)[np.newaxis]})
        return float(probabilities[0, 0])


def features(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the model is given of samples at 16 kHz: shape `(80, 800)`."""
    size = HEARD_S * SAMPLE_RATE
    heard = np.pad(audio[-size:], (max(size - audio.size, 0), 0))
    normal = (heard - heard.mean()) / np.sqrt(heard.var() + _LEAST_VARIANCE)
    mels: NDArray[np.float32] = _extractor(normal, padding=0)
    return mels


_extractor = FeatureExtractor(chunk_length=HEARD_S)
