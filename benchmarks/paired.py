"""`paired`: variants of the service in turn, round after round; what else the machine does falls on all alike."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tabulate import tabulate

from benchmarks.results import Run


@dataclass(frozen=True, slots=True)
class Variant:
    """A service to launch: settings on top of the environment's, and whose code."""

    name: str
    settings: dict[str, str]
    checkout: Path | None = None

    @classmethod
    def parse(cls, text: str) -> "Variant":
        """From `NAME: SETTING=VALUE … @CHECKOUT`, all but the name optional. Raises `ValueError`."""
        name, _, rest = text.partition(":")
        settings, checkout = {}, None
        for word in rest.split():
            setting, separator, value = word.partition("=")
            if word.startswith("@"):
                checkout = Path(word[1:])
            elif separator:
                settings[setting] = value
            else:
                raise ValueError(f"expected SETTING=VALUE or @CHECKOUT, got {word}")
        return cls(name.strip(), settings, checkout)


Found = TypeVar("Found")
"""What comes of one variant's round."""

Column = tuple[str, Callable[[Run], float | None], int]
"""A heading, its figure of a run, the digits shown."""

COLUMNS: list[Column] = [
    ("partial p50", lambda run: run.figures.partial["p50"], 0),
    ("partial p95", lambda run: run.figures.partial["p95"], 0),
    ("final p50", lambda run: run.figures.final["p50"], 0),
    ("final p95", lambda run: run.figures.final["p95"], 0),
    ("after endpoint p50", lambda run: run.figures.final_after_endpoint["p50"], 0),
    ("partials / s", lambda run: run.figures.partials_per_speech_s, 2),
    ("worker CPU", lambda run: _cpu(run, "worker"), 2),
    ("web CPU", lambda run: _cpu(run, "web"), 3),
    ("WER %", lambda run: 100 * run.figures.wer, 1),
]


def rounds(variants: Sequence[Variant], count: int, trial: Callable[[Variant], Found]) -> dict[str, list[Found]]:
    """Each variant once a round; what is found by variant name. Every other round goes backwards."""
    runs: dict[str, list[Found]] = {variant.name: [] for variant in variants}
    for turn in range(count):
        for variant in variants[:: -1 if turn % 2 else 1]:
            runs[variant.name].append(trial(variant))
    return runs


def paired_markdown(title: str, runs: dict[str, list[Run]]) -> str:
    """One row a variant: the median over its rounds, with the least and the most."""
    rows = [[name, *(_spread(column, of) for column in COLUMNS)] for name, of in runs.items()]
    table = tabulate(rows, headers=[title, *(name for name, _, _ in COLUMNS)], tablefmt="github", disable_numparse=True)
    troubles = [f"- {name}: {trouble}" for name, of in runs.items() for run in of for trouble in _troubles(run)]
    return "\n\n".join([f"## Paired, {len(next(iter(runs.values())))} rounds", str(table), "\n".join(troubles)]).strip()


def paired_json(variants: Sequence[Variant], runs: dict[str, list[Run]]) -> list[dict[str, Any]]:
    """All runs of each variant, with its settings, as built-in types."""
    return [
        {"variant": v.name, "settings": v.settings, "runs": [run.as_json() for run in runs[v.name]]} for v in variants
    ]


def _spread(column: Column, runs: Sequence[Run]) -> str:
    _, figure, digits = column
    values = [value for run in runs if (value := figure(run)) is not None]
    if not values:
        return "–"
    least, middle, most = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f}" + (f" ({least:.{digits}f}–{most:.{digits}f})" if len(values) > 1 else "")


def _cpu(run: Run, group: str) -> float | None:
    return run.usage[group].cpu_per_audio_s(run.figures.audio_s) if group in run.usage else None


def _troubles(run: Run) -> list[str]:
    """What must be nought for a run to count."""
    f = run.figures
    counts = {"lost": f.lost_segments, "unheard": f.unheard_clips, "refused": f.refused, "broken": f.broken} | f.errors
    late = [f"harness late by {f.pacing_lag['p99']:.0f} ms (p99)"] if (f.pacing_lag["p99"] or 0) > 20 else []
    return [f"{count} {name}" for name, count in counts.items() if count] + late
