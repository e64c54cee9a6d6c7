"""Silero's speech probability, from the weights in the silero-vad package, by ONNX Runtime alone.

Importing silero_vad would import torch (+190 MB, 2 s); its data files are found without. One inference session a
process with one thread, one state a stream: 2×1×128 floats and the last 64 samples, which the model wants before
each window of 512 (silero-vad, utils_vad.py `OnnxWrapper`). About 0.12 ms a window, cheap enough for the event loop:
docs/decisions.md has the measurement.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime

from transcription.core.config import SAMPLE_RATE

CONTEXT = 64
_RATE = np.array(SAMPLE_RATE, dtype=np.int64)


@cache
def model() -> onnxruntime.InferenceSession:
    """The process's one inference session; loading it takes some 20 ms."""
    spec = find_spec("silero_vad")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The silero-vad package is not installed")
    path = Path(spec.submodule_search_locations[0]) / "data" / "silero_vad_op18_ifless.onnx"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of unused initialisers in Silero's graph
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, sess_options=options, providers=["CPUExecutionProvider"])


class SileroVad:
    """One stream's voice activity; call it with each 512 samples in turn."""

    def __init__(self) -> None:
        self._model = model()
        self._state = np.zeros((2, 1, 128), dtype=np.float32)
        self._input = np.zeros((1, CONTEXT + 512), dtype=np.float32)

    def __call__(self, pcm: bytes) -> float:
        """Speech probability (0 to 1) of 512 samples of 16 kHz PCM."""
        self._input[0, :CONTEXT] = self._input[0, -CONTEXT:]
        self._input[0, CONTEXT:] = np.frombuffer(pcm, dtype="<i2") / np.float32(32768.0)
        output, self._state = self._model.run(None, {"input": self._input, "state": self._state, "sr": _RATE})
        return float(output[0, 0])
