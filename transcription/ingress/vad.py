"""Silero's speech probability, from the weights in the silero-vad package, by ONNX Runtime alone.

Importing silero_vad would import torch (+190 MB, 2 s); its data files are found without. One inference session a
process and rate with one thread, one state a stream: 2×1×128 floats and the last 64 samples, which the model wants
before each window of 512 (silero-vad, utils_vad.py `OnnxWrapper`); half as many samples at 8 kHz. About 0.1 ms a
window, or 0.06 ms where several streams' are judged together (`ingress/listening.py`): cheap enough for the event
loop, docs/decisions.md has the measurement.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from transcription.core.config import SAMPLE_RATE
from transcription.core.session.endpointing import WINDOW

CONTEXT = 64
TELEPHONE_RATE = 8_000
"""Silero has weights of its own for it, which hear a narrow band better than those for 16 kHz."""
RATES = (SAMPLE_RATE, TELEPHONE_RATE)
_FILES = {SAMPLE_RATE: "silero_vad_op18_ifless.onnx", TELEPHONE_RATE: "silero_vad.onnx"}
"""Of the first those for 8 kHz are not the published ones."""
_FULL_SCALE = np.float32(32768.0)
_OUTPUTS = ("output", "stateN")


@cache
def model(rate: int = SAMPLE_RATE) -> onnxruntime.InferenceSession:
    """The process's one inference session for audio of a rate; loading it takes some 20 ms."""
    spec = find_spec("silero_vad")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The silero-vad package is not installed")
    path = Path(spec.submodule_search_locations[0]) / "data" / _FILES[rate]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of unused initialisers in Silero's graph
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, sess_options=options, providers=["CPUExecutionProvider"])


class SileroVad:
    """One stream's voice activity; call it with each 512 samples in turn."""

    def __init__(self, rate: int = SAMPLE_RATE) -> None:
        """`rate` is what the stream came at (Hz): of a telephone's, which is resampled, its own samples are heard."""
        self.step = SAMPLE_RATE // TELEPHONE_RATE if rate == TELEPHONE_RATE else 1
        """Of so many samples one is heard."""
        self.state = np.zeros((2, 1, 128), dtype=np.float32)
        self.window = np.zeros((1, (CONTEXT + WINDOW) // self.step), dtype=np.float32)
        """The last one; until it is judged its first samples are the end of the one before."""

    def __call__(self, pcm: bytes) -> float:
        """Speech probability (0 to 1) of 512 samples of 16 kHz PCM."""
        (probability,) = judge([(self, pcm)])
        return probability

    def take(self, pcm: bytes) -> None:
        """Let the window be the next 512 samples of 16 kHz PCM."""
        context = CONTEXT // self.step
        np.divide(np.frombuffer(pcm, dtype="<i2")[:: self.step], _FULL_SCALE, out=self.window[0, context:])

    def move_on(self, state: NDArray[np.float32]) -> None:
        """The window is judged; the state after it has shape (2, 128)."""
        context = CONTEXT // self.step
        self.state[:, 0], self.window[0, :context] = state, self.window[0, -context:]


def judge(asked: Sequence[tuple[SileroVad, bytes]]) -> list[float]:
    """Speech probabilities (0 to 1) of the next 512 samples of 16 kHz PCM of each of some streams, in one run.

    In one of each rate, where there are several. Should one fail, no stream has moved on.
    """
    for vad, pcm in asked:
        vad.take(pcm)
    judged: dict[SileroVad, tuple[float, NDArray[np.float32]]] = {}
    for step in {vad.step for vad, _ in asked}:
        judged |= _run([vad for vad, _ in asked if vad.step == step], SAMPLE_RATE // step)
    for vad, (_, state) in judged.items():
        vad.move_on(state)
    return [judged[vad][0] for vad, _ in asked]


def _run(vads: Sequence[SileroVad], rate: int) -> dict[SileroVad, tuple[float, NDArray[np.float32]]]:
    """Of each its probability and its state after the window."""
    windows, state = vads[0].window, vads[0].state
    if len(vads) > 1:
        windows = np.concatenate([vad.window for vad in vads])
        state = np.concatenate([vad.state for vad in vads], axis=1)
    asked = {"input": windows, "state": state, "sr": np.array(rate, dtype=np.int64)}
    output, state = model(rate).run(_OUTPUTS, asked)
    return {vad: (float(output[i, 0]), state[:, i]) for i, vad in enumerate(vads)}
