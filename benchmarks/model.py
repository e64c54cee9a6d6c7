"""Whisper itself, without any service: what accuracy and speed are compared with."""

from pathlib import Path

import numpy as np

from benchmarks.clips import SAMPLE_RATE

LANGUAGE = "pt"
PARTIAL_BEAM, FINAL_BEAM = 1, 5
PARTIAL_WINDOW_S = 8.0
"""A partial decodes at most so much of the newest audio, as the service does by default."""
WINDOW_FRAMES = 3_000


def chosen(device: str, compute_type: str | None) -> tuple[str, str]:
    """Device and compute type: `auto` is a GPU where there is one, `None` `float16` on it and `int8` on a CPU."""
    import ctranslate2  # as below

    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    return device, compute_type or ("float16" if device == "cuda" else "int8")


class Model:
    """A CTranslate2 Whisper model."""

    def __init__(self, directory: Path, device: str, compute_type: str | None, threads: int) -> None:
        """`compute_type` `None` is `float16` on a GPU and `int8` on a CPU; `threads` 0 lets CTranslate2 choose."""
        # Imported here: latency and capacity of a service elsewhere must not need Whisper, nor pay for loading it.
        from faster_whisper import WhisperModel
        from faster_whisper.tokenizer import Tokenizer

        self.device, self.compute_type = chosen(device, compute_type)
        self._whisper = WhisperModel(
            str(directory),
            device=self.device,
            compute_type=self.compute_type,
            cpu_threads=threads,
            local_files_only=True,
        )
        self._tokenizer = Tokenizer(
            self._whisper.hf_tokenizer, self._whisper.model.is_multilingual, task="transcribe", language=LANGUAGE
        )
        self.transcribe(np.zeros(SAMPLE_RATE, dtype=np.int16), PARTIAL_BEAM)

    def transcribe(self, pcm: np.ndarray, beam: int) -> str:
        """Text of int16 `pcm`, shape `(samples,)`, by faster-whisper with its defaults."""
        segments, _ = self._whisper.transcribe(
            _floats(pcm), language=LANGUAGE, beam_size=beam, condition_on_previous_text=False
        )
        return " ".join(segment.text.strip() for segment in segments)

    def decode_once(self, pcm: np.ndarray, beam: int) -> str:
        """Text of int16 `pcm`, at most 30 s, by CTranslate2 alone: one pass, no second try at another temperature."""
        # 3,000 frames are the 30 s Whisper was trained on; given less, it repeats itself
        features = self._whisper.feature_extractor(_floats(pcm))[:, :WINDOW_FRAMES]
        features = np.pad(features, ((0, 0), (0, WINDOW_FRAMES - features.shape[1])))
        prompt = self._whisper.get_prompt(self._tokenizer, [], without_timestamps=True)
        result = self._whisper.model.generate(self._whisper.encode(features), [prompt], beam_size=beam)
        return str(self._tokenizer.decode(result[0].sequences_ids[0])).strip()


def newest(pcm: np.ndarray) -> np.ndarray:
    """The stretch a partial decodes."""
    return pcm[-int(PARTIAL_WINDOW_S * SAMPLE_RATE) :]


def _floats(pcm: np.ndarray) -> np.ndarray:
    return pcm.astype(np.float32) / 32768.0
