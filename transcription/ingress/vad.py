"""Silero's speech probability, from the weights in the silero-vad package, by ONNX Runtime alone.

Importing silero_vad would import torch (+190 MB, 2 s); its data files are found without. One inference session a
process with one thread, one state a stream: 2×1×128 floats and the last 64 samples, which the model wants before
each window of 512 (silero-vad, utils_vad.py `OnnxWrapper`). About 0.1 ms a window, or 0.06 ms where several streams'
are judged together (`ingress/listening.py`): cheap enough for the event loop, docs/decisions.md has the measurement.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime

from transcription.core.config import SAMPLE_RATE
from transcription.core.session.endpointing import WINDOW

CONTEXT = 64
_RATE = np.array(SAMPLE_RATE, dtype=np.int64)
_FULL_SCALE = np.float32(32768.0)
_OUTPUTS = ("output", "stateN")


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
        self.state = np.zeros((2, 1, 128), dtype=np.float32)
        self.window = np.zeros((1, CONTEXT + WINDOW), dtype=np.float32)
        """The last one; until it is judged its first samples are the end of the one before."""

    def __call__(self, pcm: bytes) -> float:
        """Speech probability (0 to 1) of 512 samples of 16 kHz PCM."""
        (probability,) = judge([(self, pcm)])
        return probability


def judge(asked: Sequence[tuple[SileroVad, bytes]]) -> list[float]:
    """Speech probabilities (0 to 1) of the next 512 samples of 16 kHz PCM of each of some streams, in one run.

    Should it fail, no stream has moved on.
    """
    for vad, pcm in asked:
        np.divide(np.frombuffer(pcm, dtype="<i2"), _FULL_SCALE, out=vad.window[0, CONTEXT:])
    windows, state = asked[0][0].window, asked[0][0].state
    if len(asked) > 1:
        windows = np.concatenate([vad.window for vad, _ in asked])
        state = np.concatenate([vad.state for vad, _ in asked], axis=1)
    output, state = model().run(_OUTPUTS, {"input": windows, "state": state, "sr": _RATE})
    for i, (vad, _) in enumerate(asked):
        vad.state[:, 0], vad.window[0, :CONTEXT] = state[:, i], vad.window[0, -CONTEXT:]
    return [float(probability) for probability in output[:, 0]]
