"""How well the gate tells what was said from what was not, and which weights would: `python -m benchmarks.evidence`.

Pieces of the sounds in which nobody speaks, of another `--seed` than those that `noise` plays, and the recordings of a
manifest, clean, by telephone and in a street, are decoded as finals, whatever a VAD thinks of them. What the gate makes
of the texts is counted; the weights are those of a logistic regression of both kinds, as if they were equally many.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from benchmarks.clips import SAMPLE_RATE, Recording, load, made, read_manifest
from benchmarks.conditions import CONDITIONS, Surroundings
from benchmarks.hearing import SPECULATIVE, decoded
from benchmarks.options import Options
from benchmarks.sounds import sounds
from workers.engines.attempt import Attempt
from workers.engines.engine import Request
from workers.engines.evidence import LEAST, excess
from workers.engines.model_store import resolve
from workers.engines.whisper import WhisperEngine

PIECES_S = (0.6, 1.0, 1.7, 2.5, 4.0, 6.0)
LEVELS_DB = (-42.0, -14.0)
"""Root mean square of a piece, of full scale, from and to."""
AROUND_S = 0.5
"""Silence before and after what is said."""
UNDER = ("clean", "phone", "street10")
SHRINKAGE = 0.01
STEPS = 60


@dataclass(frozen=True, slots=True)
class Text:
    """What the model wrote, and what is known of it."""

    of: str
    text: str
    evidence: float
    no_speech: float

    @property
    def excess(self) -> float:
        """As the gate has it."""
        return excess(self.text, self.evidence, self.no_speech)

    @property
    def row(self) -> list[float]:
        """What is weighed: evidence, no speech, and what is asked of the words alone."""
        return [self.evidence, self.no_speech, -excess(self.text, 0.0, 0.0) - LEAST]


class Listener(WhisperEngine):
    """Keeps what is known of each text that is judged."""

    known: tuple[str, float, float] | None = None

    def _believed(self, request: Request, attempt: Attempt, least: float = 0.0) -> Attempt:
        judged = super()._believed(request, attempt, least)
        if not least or judged.hypothesis.text:
            self.known = (attempt.said, self._evidence(request, attempt), attempt.no_speech) if attempt.said else None
        return judged

    def texts(self, recordings: Sequence[Recording]) -> list[Text]:
        """Those of recordings that have one."""
        found: list[Text] = []
        for recording in recordings:
            self.known = None
            decoded(self, SPECULATIVE, recording.pcm)
            if self.known:
                found.append(Text(recording.clip.name, *self.known))
        return found


def pieces(seed: int, rounds: int) -> Iterator[Recording]:
    """Of each sound so many, of all lengths, at all levels."""
    random = np.random.default_rng(seed)
    lengths = cycle(PIECES_S)
    for round_ in range(rounds):
        for name, pcm in sounds(seed + round_).items():
            size = round(next(lengths) * SAMPLE_RATE)
            at = int(random.integers(pcm.size - size))
            piece = pcm[at : at + size].astype(np.float64)
            level = 32768 * 10 ** (random.uniform(*LEVELS_DB) / 20)
            piece *= level / max(np.sqrt(np.mean(piece**2)), 1.0)
            yield made(f"{name}, {size / SAMPLE_RATE:.1f} s", np.clip(piece, -32768, 32767).astype(np.int16))


def answers(manifest: Path, seed: int) -> Iterator[Recording]:
    """The recordings of a manifest between silences, under each condition."""
    around = Surroundings([load(clip) for clip in read_manifest(manifest)], [], seed)
    for name in UNDER:
        for recording in CONDITIONS[name].apply(around):
            yield made(f"{recording.clip.name}, {name}", np.pad(recording.pcm, round(AROUND_S * SAMPLE_RATE)))


def weights(said: NDArray[np.float64], unsaid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each column and of 1, by Newton's method, so that the sum is above 0 for what was said."""
    rows = np.column_stack([np.concatenate([said, unsaid]), np.ones(len(said) + len(unsaid))])
    is_said = np.repeat([1.0, 0.0], [len(said), len(unsaid)])
    counts = np.repeat([1.0, len(said) / len(unsaid)], [len(said), len(unsaid)])
    shrinkage = np.diag([SHRINKAGE] * said.shape[1] + [0.0])
    found = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-(rows @ found).clip(-30, 30)))
        slope = rows.T @ (counts * (likely - is_said)) + shrinkage @ found
        bend = (rows.T * (counts * likely * (1 - likely) + 1e-9)) @ rows + shrinkage
        found = found - np.linalg.solve(bend, slope)
    return found


def main() -> int:
    """Print what the gate lets in and loses, the texts nearest to its bound, and the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, default=Options().manifest, help="what is said (the test speech)")
    parser.add_argument("--model", default="base", help="a name or a directory (base)")
    parser.add_argument("--seed", type=int, default=100, help="of the sounds and the street (100)")
    parser.add_argument("--rounds", type=int, default=6, help="pieces of each sound (6)")
    options = parser.parse_args()
    model = Path(resolve(options.model, None, "~/.cache/whisper-stt"))
    listener = Listener(model, "cpu", "int8", cpu_threads=1, lanes=1)
    noises, spoken = list(pieces(options.seed, options.rounds)), list(answers(options.manifest, options.seed))
    unsaid, said = listener.texts(noises), listener.texts(spoken)
    lost, let_in = [text for text in said if text.excess < 0], [text for text in unsaid if text.excess >= 0]
    table = [
        ["speech", len(spoken), len(said), len(said) - len(lost)],
        ["sounds", len(noises), len(unsaid), len(let_in)],
    ]
    near = sorted(said, key=lambda one: one.excess)[:10] + sorted(unsaid, key=lambda one: -one.excess)[:10]
    sys.stdout.write(tabulate(table, ["", "pieces", "with a text", "believed"], tablefmt="github") + "\n\n")
    rows = [[one.of, one.text[:40], one.evidence, one.no_speech, one.excess] for one in near]
    head = ["nearest to the bound", "text", "evidence", "no speech", "excess"]
    sys.stdout.write(tabulate(rows, head, tablefmt="github", floatfmt=".2f") + "\n")
    if said and unsaid:
        found = weights(*(np.array([one.row for one in texts]) for texts in (said, unsaid)))
        names = ("no speech", "what is asked of the words", "1")
        told = ", ".join(f"{name} {weight / found[0]:+.2f}" for name, weight in zip(names, found[1:], strict=True))
        sys.stdout.write(f"\nWeights, of evidence 1: {told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
