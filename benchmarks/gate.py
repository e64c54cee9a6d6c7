"""What it costs to ask whether anybody spoke, on one core: `python -m benchmarks.gate`.

Each recording of the test speech is decoded as a final; then the gate's parts are timed by themselves.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.clips import load, read_manifest
from benchmarks.hearing import SPECULATIVE, decoded, text_of
from benchmarks.options import Options
from workers.engines import evidence, gate
from workers.engines.model_store import resolve
from workers.engines.whisper import SILENCE_S, WhisperEngine

BUDGET_MS = 3.0
"""Of everything but the pass of `align`."""
ROUNDS = 20


def main() -> int:
    """Print medians of CPU time; the exit status says whether the gate kept within its budget."""
    model = Path(resolve("base", None, "~/.cache/whisper-stt"))
    engine = WhisperEngine(model, "cpu", "int8", cpu_threads=1, lanes=1)
    recordings = [load(clip) for clip in read_manifest(Options().manifest)]
    texts = [text_of(decoded(engine, SPECULATIVE, recording.pcm)) for recording in recordings]
    audio = [recording.pcm.astype(np.float32) / np.float32(32768) for recording in recordings]
    tokens = [engine._tokens(evidence.weighed(text)) for text in texts]
    sot_sequence = engine._tokenizer("pt").sot_sequence
    steps = {
        "is it silent": _median_ms(gate.is_silent, audio),
        "what is weighed, as tokens": _median_ms(lambda text: engine._tokens(evidence.weighed(text)), texts),
        "is it enough": _median_ms(lambda text: evidence.excess(text, 3.0, 0.1), texts),
    }
    aligned = _median_ms(lambda row: engine._silence.logprob(sot_sequence, row), tokens)
    gated = sum(steps.values())
    rows = [*steps.items(), ["all of these", gated], [f"`align` on {SILENCE_S} s of silence", aligned]]
    sys.stdout.write(tabulate(rows, ["a final", "CPU ms"], tablefmt="github", floatfmt=".3f") + "\n")
    return int(gated > BUDGET_MS)


def _median_ms(step: Callable[[Any], object], items: Sequence[Any]) -> float:
    return statistics.median(_took_ms(step, item) for _ in range(ROUNDS) for item in items)


def _took_ms(step: Callable[[Any], object], item: Any) -> float:
    began = time.process_time_ns()
    step(item)
    return (time.process_time_ns() - began) / 1e6


if __name__ == "__main__":
    sys.exit(main())
