"""Figures as Markdown, JSON on disk, and the one way to the terminal."""

import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks.capacity import Capacity
from benchmarks.figures import FINAL_TARGET_MS, PARTIAL_TARGET_MS, Figures, Percentiles
from benchmarks.floor import Cost
from benchmarks.overload import Overload
from benchmarks.results import Run
from benchmarks.wer import Accuracy

WORST = 5
SHOWN_STAGES = ("queue_wait_ms", "inference_ms", "server_total_ms")
"""Of the server's own receipts; the JSON has all."""


def report(text: str) -> None:
    """Say something to whoever runs the benchmark."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def save(folder: Path, name: str, results: dict[str, Any], markdown: str) -> None:
    """Write `name.json` and `name.md`, and show the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, ensure_ascii=False, indent=1)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(markdown + "\n", encoding="utf-8")
    report(markdown)


def machine() -> dict[str, Any]:
    """Where the figures were taken."""
    return {"system": platform.platform(), "python": platform.python_version(), "cpus": os.cpu_count()}


def runs_markdown(title: str, runs: Sequence[Run]) -> str:
    """One column a run."""
    rows = [[name, *(cell(run.figures) for run in runs)] for name, cell in _FIGURE_ROWS]
    rows += [[_timing_name(part), *(_timing(run, part) for run in runs)] for part in _timing_parts(runs)]
    for group in sorted({group for run in runs for group in run.usage}):
        rows.append([f"CPU s per audio s: {group}", *(_cpu(run, group) for run in runs)])
        rows.append([f"peak RSS, MiB: {group}", *(_rss(run, group) for run in runs)])
    columns = [f"{run.figures.talkers} talker{'s' * (run.figures.talkers != 1)}" for run in runs]
    return f"## {title}\n\n{_table(rows, ['p50 / p95 / p99, ms', *columns])}\n{_notes(runs)}"


def capacity_markdown(title: str, capacity: Capacity) -> str:
    """The answer, why it is not more, and each run."""
    targets = f"partial p95 ≤ {PARTIAL_TARGET_MS:.0f} ms, final p95 ≤ {FINAL_TARGET_MS:.0f} ms from the end of speech"
    verdicts = [[n, "; ".join(capacity.reasons[n]) or "within"] for n in sorted(capacity.runs)]
    runs = [capacity.runs[n] for n in sorted(capacity.runs)]
    answer = f"**{capacity.talkers} talkers** ({targets}, nothing lost)"
    return f"## {title}\n\n{answer}\n\n{_table(verdicts, ['talkers', 'verdict'])}\n\n{runs_markdown('Its runs', runs)}"


def overload_markdown(runs: dict[str, Overload]) -> str:
    """One table a run, a row a phase, and what it comes to."""
    return "\n\n".join(["## Overload", *(_overload(name, run) for name, run in runs.items())])


def _overload(name: str, run: Overload) -> str:
    rows = [
        [
            figures.phase.name,
            f"{figures.phase.first} → {figures.phase.last}",
            figures.sessions,
            "–".join(str(step) for step in sorted(set(figures.steps))),
            figures.final["n"],
            _spread(figures.final),
            f"{figures.partials / (figures.phase.ends_s - figures.phase.begins_s):.1f}",
            figures.refused["n"],
            _spread(figures.refused),
            f"{_number(figures.predicted_ms)} / {_number(figures.actual_ms)}",
        ]
        for figures in run.phases
    ]
    headers = ["phase", "talkers", "sessions", "step", "finals", "final, ms", "partials/s", "refused", "refusal, ms"]
    verdict = (
        f"Worst final p95 after reaching capacity: {_number(run.times_worse)} × that at capacity. Refusals p95 at most "
        f"{_number(run.refused_p95_ms)} ms ({', '.join(f'{code} {n}' for code, n in run.codes.items()) or 'none'}). "
        f"Segments without a final: {run.lost}; sessions broken: {run.broken}. Step at the end: {run.last_step}."
    )
    return f"### {name.capitalize()}\n\n{_table(rows, [*headers, 'predicted / took, ms'])}\n\n{verdict}"


def floor_markdown(costs: Sequence[Cost]) -> str:
    """One row a way of decoding."""
    rows = [
        [
            cost.name,
            cost.decode["n"],
            _spread(cost.decode),
            f"{cost.real_time_factor:.3f}",
            f"{cost.cpu_s / cost.decoded_s:.2f}",
            "" if cost.wer is None else _percent(cost.wer),
        ]
        for cost in costs
    ]
    headers = ["decode", "n", "p50 / p95 / p99, ms", "real-time factor", "CPU s per audio s", "WER"]
    return f"## Model floor\n\n{_table(rows, headers)}"


def wer_markdown(accuracy: Accuracy) -> str:
    """Both rates, the difference, the worst clips."""
    rows = [
        [name, _percent(s.wer), s.words, s.substitutions, s.deletions, s.insertions]
        for name, s in (("service", accuracy.service), ("offline", accuracy.offline))
    ]
    table = _table(rows, ["", "WER", "words", "substituted", "deleted", "inserted"])
    difference = f"{len(accuracy.clips)} clips; service less offline: **{accuracy.difference * 100:+.2f} points**"
    worst = _table(
        [[h.name, _percent(h.service_wer), _percent(h.offline_wer), h.service, h.said] for h in accuracy.worst(WORST)],
        ["worst against offline", "service", "offline", "heard", "said"],
    )
    troubled = [f"- {heard.name}: {', '.join(heard.trouble)}" for heard in accuracy.clips if heard.trouble]
    notes = ["\n".join(["Trouble:", *troubled])] if troubled else []
    return "\n\n".join(["## Word error rate", table, difference, worst, *notes])


_FIGURE_ROWS: list[tuple[str, Callable[[Figures], object]]] = [
    ("partial, after its last sample", lambda f: _spread(f.partial)),
    ("first partial, after start of speech", lambda f: _spread(f.first_partial)),
    ("final, after end of speech", lambda f: _spread(f.final)),
    ("final, after endpoint", lambda f: _spread(f.final_after_endpoint)),
    ("harness behind schedule", lambda f: _spread(f.pacing_lag)),
    ("partials per second of speech", lambda f: f"{f.partials_per_speech_s:.2f}"),
    ("partial intervals missed", lambda f: f.partial_slots_missed),
    (f"partials later than {PARTIAL_TARGET_MS:.0f} ms", lambda f: f"{f.late_partials} of {f.partial['n']}"),
    (f"finals later than {FINAL_TARGET_MS:.0f} ms", lambda f: f"{f.late_finals} of {f.final['n']}"),
    ("WER", lambda f: f"{_percent(f.wer)} of {f.words} words"),
    ("segments lost / finals repeated", lambda f: f"{f.lost_segments} / {f.repeated_finals}"),
    ("clips unheard", lambda f: f.unheard_clips),
    ("sessions refused / broken", lambda f: f"{f.refused} / {f.broken}"),
    ("errors", lambda f: ", ".join(f"{code} {count}" for code, count in f.errors.items()) or "none"),
    ("audio sent, s / speech in it, s", lambda f: f"{f.audio_s:.0f} / {f.speech_s:.0f}"),
]


def _notes(runs: Sequence[Run]) -> str:
    """The server's counters and broken connections of each run."""
    lines = []
    for run in runs:
        counted = ", ".join(f"`{name}` {by:g}" for name, by in run.counters.items())
        said = [f"server counters: {counted}"] * bool(counted) + run.failures
        lines += [f"- {run.figures.talkers}: {text}" for text in said]
    return "\n" + "\n".join(lines) if lines else ""


def _timing_parts(runs: Sequence[Run]) -> list[str]:
    seen = {part for run in runs for part in run.figures.timing}
    return [f"{kind}.{stage}" for kind in ("partial", "final") for stage in SHOWN_STAGES if f"{kind}.{stage}" in seen]


def _timing_name(part: str) -> str:
    kind, _, stage = part.partition(".")
    return f"server's own receipt, {kind}: {stage.removesuffix('_ms').replace('_', ' ')}"


def _timing(run: Run, part: str) -> str:
    return _spread(run.figures.timing[part]) if part in run.figures.timing else ""


def _cpu(run: Run, group: str) -> str:
    return f"{run.usage[group].cpu_per_audio_s(run.figures.audio_s):.3f}" if group in run.usage else ""


def _rss(run: Run, group: str) -> str:
    return " + ".join(f"{peak:.0f}" for peak in run.usage[group].peak_rss_mib) if group in run.usage else ""


def _spread(latency: Percentiles) -> str:
    return " / ".join("–" if value is None else f"{value:.0f}" for value in (latency[p] for p in ("p50", "p95", "p99")))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _percent(rate: float) -> str:
    return f"{rate * 100:.1f} %"


def _table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    return str(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))
