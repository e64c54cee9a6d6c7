"""Measures boiled down to the figures of a report, and judged against the targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from benchmarks.matching import Measures
from benchmarks.scoring import score

PARTIAL_TARGET_MS = 400.0
FINAL_TARGET_MS = 1000.0
"""p95 from the true end of speech, the endpoint's silence included."""


class Percentiles(TypedDict):
    """Of one latency, in milliseconds; `None` where there is nothing to count."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run's figures. Latencies in milliseconds."""

    talkers: int
    audio_s: float
    speech_s: float
    partial: Percentiles
    first_partial: Percentiles
    final: Percentiles
    final_after_endpoint: Percentiles
    partials_per_speech_s: float
    partial_slots_missed: int
    """Intervals of speech (see `--partial-interval-ms`) that brought no partial: skipped or shed by the server."""
    late_partials: int
    """Later than `PARTIAL_TARGET_MS`."""
    late_finals: int
    """Later than `FINAL_TARGET_MS`."""
    finals: int
    lost_segments: int
    repeated_finals: int
    unheard_clips: int
    refused: int
    broken: int
    errors: dict[str, int]
    wer: float
    words: int
    timing: dict[str, Percentiles]
    pacing_lag: Percentiles
    """How late the harness itself was with a frame: large values make the run void."""


def percentiles(values: Sequence[float]) -> Percentiles:
    """Median and tails, linearly interpolated."""
    if not len(values):
        return Percentiles(n=0, p50=None, p95=None, p99=None, max=None)
    p50, p95, p99, most = (round(float(value), 1) for value in np.percentile(values, [50, 95, 99, 100]))
    return Percentiles(n=len(values), p50=p50, p95=p95, p99=p99, max=most)


def figures(talkers: int, measures: Measures, partial_interval_ms: float) -> Figures:
    """The figures of a run of so many talkers."""
    words = score(measures.references, measures.hypotheses)
    partials = len(measures.partial_ms)
    return Figures(
        talkers=talkers,
        audio_s=round(measures.audio_s, 2),
        speech_s=round(measures.speech_s, 2),
        partial=percentiles(measures.partial_ms),
        first_partial=percentiles(measures.first_partial_ms),
        final=percentiles(measures.final_ms),
        final_after_endpoint=percentiles(measures.final_after_endpoint_ms),
        partials_per_speech_s=round(partials / measures.speech_s, 2) if measures.speech_s else 0.0,
        partial_slots_missed=max(0, int(measures.speech_s * 1000 / partial_interval_ms) - partials),
        late_partials=sum(latency > PARTIAL_TARGET_MS for latency in measures.partial_ms),
        late_finals=sum(latency > FINAL_TARGET_MS for latency in measures.final_ms),
        finals=measures.finals,
        lost_segments=measures.lost_segments,
        repeated_finals=measures.repeated_finals,
        unheard_clips=measures.unheard_clips,
        refused=measures.refused,
        broken=measures.broken,
        errors=dict(sorted(measures.errors.items())),
        wer=round(words.wer, 4),
        words=words.words,
        timing={part: percentiles(values) for part, values in sorted(measures.timing_ms.items())},
        pacing_lag=percentiles(measures.lags_ms),
    )


def shortfalls(run: Figures) -> list[str]:
    """Why a run is beyond capacity; empty when it is within."""
    reasons = []
    for name, value, target in (
        ("partial p95", run.partial["p95"], PARTIAL_TARGET_MS),
        ("final p95", run.final["p95"], FINAL_TARGET_MS),
    ):
        if value is None:
            reasons.append(f"no {name.split()[0]}s")
        elif value > target:
            reasons.append(f"{name} {value:.0f} ms > {target:.0f} ms")
    counts = {
        "lost segments": run.lost_segments,
        "unheard clips": run.unheard_clips,
        "sessions refused": run.refused,
        "sessions broken": run.broken,
        "errors": sum(run.errors.values()),
        "repeated finals": run.repeated_finals,
    }
    return reasons + [f"{count} {name}" for name, count in counts.items() if count]
