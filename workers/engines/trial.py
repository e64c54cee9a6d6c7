"""Whether a device decodes at all, before a model is downloaded: `python -m workers.engines.trial cuda float16`.

One second of noise through a small model with random weights, in a process of its own: what a driver or a library does
to it, even if that is to end it, is seen from outside, and the card's memory is free again.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import ctranslate2
import numpy as np

from workers.engines import cuda, random_model

SHAPE = random_model.SHAPES["tiny"]
FRAMES, TOKENS = 100, 5


def decode(device: str, compute_type: str) -> str:
    """Decode a second on a device, and say in what type. Raises `CudaUnavailable`, or what CTranslate2 does."""
    if device == "cuda":
        if not ctranslate2.get_cuda_device_count():
            raise cuda.CudaUnavailable(cuda.why_none())
        cuda.load_libraries()
    with tempfile.TemporaryDirectory(prefix="whisper-stt-trial-") as directory:
        random_model.write(SHAPE, Path(directory))
        model = ctranslate2.models.Whisper(directory, device=device, compute_type=compute_type)
    noise = np.random.default_rng(0).standard_normal((1, SHAPE.mels, FRAMES), np.float32)
    encoded = model.encode(ctranslate2.StorageView.from_array(noise))
    model.generate(encoded, [random_model.start_tokens(SHAPE)], beam_size=2, max_length=2 * TOKENS)
    return str(model.compute_type)


def main() -> int:
    """Print what came of it in one sentence; exit status 1 where it failed."""
    parser = argparse.ArgumentParser(prog="python -m workers.engines.trial", description=main.__doc__)
    parser.add_argument("device", choices=("cpu", "cuda"))
    parser.add_argument("compute_type")
    asked = parser.parse_args()
    try:
        done = decode(asked.device, asked.compute_type)
    except (cuda.CudaUnavailable, RuntimeError, ValueError) as error:
        sys.stdout.write(f"{asked.device} cannot decode as {asked.compute_type}: {cuda.meaning(error)}\n")
        return 1
    sys.stdout.write(f"{asked.device} decodes as {done}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
