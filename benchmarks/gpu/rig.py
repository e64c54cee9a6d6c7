"""One model on one device, and how long it takes for each part of a decode."""

import importlib.util
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np

from workers.engines import cuda
from workers.engines.random_model import Shape, start_tokens

FRAMES_PER_SECOND = 100
SAMPLE_RATE = 16_000
ENOUGH_S = 2.0
"""A cell is measured again until it has taken so long, if it has been often enough."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing that was timed."""

    part: str
    """encode, generate, align or whole."""
    ms: float
    """The median."""
    batch: int = 1
    window_s: float = 0.0
    tokens: int = 0
    beam: int = 1
    lanes: int = 1


class Rig:
    """A loaded model, and features of noise for it."""

    def __init__(
        self, directory: Path, shape: Shape, device: str, compute_type: str, *, lanes: int, threads: int, repeats: int
    ) -> None:
        """`threads` a lane, on a CPU. Raises `CudaUnavailable`, or what CTranslate2 does."""
        if device == "cuda":
            cuda.load_libraries()
        self._model = ctranslate2.models.Whisper(
            str(directory), device=device, compute_type=compute_type, inter_threads=lanes, intra_threads=threads
        )
        self.compute_type = str(self._model.compute_type)
        self._shape, self._repeats, self._device = shape, repeats, device
        self._random = np.random.default_rng(0)
        self._prompt = start_tokens(shape)

    def encode(self, batch: int, window_s: float) -> Cell:
        """The encoder, over a batch of windows."""
        features = self._features(batch, window_s)
        return Cell("encode", self._timed(lambda: self._encoded(features)), batch, window_s)

    def generate(self, batch: int, window_s: float, tokens: int, beam: int) -> Cell:
        """The decoder, until each of a batch has so many tokens."""
        encoded = self._encoded(self._features(batch, window_s))
        ms = self._timed(lambda: self._generated(encoded, batch, tokens, beam))
        return Cell("generate", ms, batch, window_s, tokens, beam)

    def align(self, batch: int, window_s: float, tokens: int) -> Cell:
        """The times of the words of a batch of texts."""
        encoded = self._encoded(self._features(batch, window_s))
        texts, frames = [list(range(tokens))] * batch, [round(window_s * FRAMES_PER_SECOND)] * batch
        ms = self._timed(lambda: self._model.align(encoded, self._prompt, texts, frames))
        return Cell("align", ms, batch, window_s, tokens)

    def whole(self, lanes: int, batch: int, window_s: float, tokens: int, beam: int) -> Cell:
        """Encode and generate, by so many threads at once: one batch of theirs."""
        features = self._features(batch, window_s)
        took: list[float] = []

        def lane() -> None:
            for _ in range(self._repeats + 1):
                began = time.perf_counter()
                self._generated(self._encoded(features), batch, tokens, beam)
                took.append((time.perf_counter() - began) * 1000)

        threads = [threading.Thread(target=lane) for _ in range(lanes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # those that ran when fewer did, at the beginning and at the end, are the few that do not count
        return Cell("whole", statistics.median(took), batch, window_s, tokens, beam, lanes)

    def memory_mb(self) -> int:
        """What is in use, on the card by all, on a CPU at most by this process; 0 where nobody says."""
        if self._device == "cuda":
            command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
            try:
                return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])
            except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
                return 0
        lines = Path("/proc/self/status").read_text().splitlines()
        return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)

    def _features(self, batch: int, window_s: float) -> np.ndarray:
        frames = round(window_s * FRAMES_PER_SECOND)
        return self._random.standard_normal((batch, self._shape.mels, frames), np.float32)

    def _encoded(self, features: np.ndarray) -> Any:
        return self._model.encode(ctranslate2.StorageView.from_array(features))

    def _generated(self, encoded: Any, batch: int, tokens: int, beam: int) -> None:
        said = self._model.generate(
            encoded,
            [self._prompt] * batch,
            beam_size=beam,
            max_length=2 * tokens,
            suppress_tokens=[self._shape.end_of_text],
            return_scores=True,
            return_no_speech_prob=True,
        )
        if (counts := {len(one.sequences_ids[0]) for one in said}) != {tokens}:
            raise RuntimeError(f"the model wrote {sorted(counts)} tokens instead of {tokens}: nothing to compare")

    def _timed(self, work: Callable[[], object]) -> float:
        """Milliseconds, the median; the first time does not count."""
        work()
        took: list[float] = []
        while len(took) < self._repeats or (sum(took) < ENOUGH_S and len(took) < 3 * self._repeats):
            began = time.perf_counter()
            work()
            took.append(time.perf_counter() - began)
        return statistics.median(took) * 1000


def features_ms(mels: int, repeats: int) -> float:
    """What the host takes for a second of audio's log-mel spectrogram, as faster-whisper makes it; 0 without its wheel.

    Its package would import `av`, so the one module is loaded by its path.
    """
    package = importlib.util.find_spec("faster_whisper")
    if package is None or not package.submodule_search_locations:
        return 0.0
    path = Path(package.submodule_search_locations[0]) / "feature_extractor.py"
    spec = importlib.util.spec_from_file_location("feature_extractor_alone", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    extractor = module.FeatureExtractor(feature_size=mels)
    audio = np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE, np.float32)
    took = []
    for _ in range(repeats + 1):
        began = time.process_time()
        extractor(audio)
        took.append(time.process_time() - began)
    return statistics.median(took[1:]) * 1000 / 10
