"""Figures as Markdown, JSON on disk, and the one way to the terminal."""

import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks.capacity import Capacity
from benchmarks.figures import FINAL_TARGET_MS, PARTIAL_TARGET_MS, Figures, Percentiles
from benchmarks.floor import Cost
from benchmarks.noise import Invented
from benchmarks.overload import Overload
from benchmarks.results import Run
from benchmarks.short import Answers
from benchmarks.turns import CUT_SHARES, DEAD_AIR_MS, Swept
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
    """Runs as a Markdown table, a column each."""
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


def wer_markdown(found: dict[str, Accuracy]) -> str:
    """One row a condition, then what is behind each."""
    rows = [
        [
            name,
            len(a.clips),
            a.service.words,
            _percent(a.service.wer),
            _percent(a.offline.wer),
            _points(a.difference),
            sum(heard.dropped for heard in a.clips),
        ]
        for name, a in found.items()
    ]
    table = _table(rows, ["condition", "clips", "words", "service", "offline", "points", "finals dropped"])
    return "\n\n".join(["## Word error rate", table, *(_accuracy(name, accuracy) for name, accuracy in found.items())])


def noise_markdown(ways: Sequence[Invented]) -> str:
    """One row a way of hearing them, then each text."""
    rows = [
        [
            way.name,
            f"{len(way.texts)} of {way.clips}",
            way.finals,
            way.finals_with_text,
            way.partials_with_text,
            "–" if way.cpu_s is None else f"{way.cpu_s:.1f}",
            "–" if way.cpu_s is None else f"{way.cpu_s / way.audio_s * 60:.1f}",
        ]
        for way in ways
    ]
    headers = ["", "clips with text", "finals", "with text", "partials with text", "CPU s", "CPU s per minute"]
    said = [[way.name, clip, text] for way in ways for clip, text in way.texts.items()]
    texts = [_table(said, ["", "clip", "text"])] if said else []
    troubled = [f"- {way.name}, {clip}: {', '.join(of)}" for way in ways for clip, of in way.troubles.items()]
    return "\n\n".join(["## Noise", _table(rows, headers), *texts, *_troubles(troubled)])


def short_markdown(found: Sequence[Answers]) -> str:
    """One row a condition, then which words got no text."""
    rows = [
        [
            heard.condition,
            len(heard.answers),
            sum(a.began for a in heard.answers),
            sum(a.finals > 0 for a in heard.answers),
            sum(bool(a.service) for a in heard.answers),
            sum(a.dropped for a in heard.answers),
            sum(a.right for a in heard.answers),
            sum(bool(a.offline) for a in heard.answers),
            sum(a.right_offline for a in heard.answers),
        ]
        for heard in found
    ]
    service = ["speech start", "final", "with text", "dropped", "right"]
    headers = ["condition", "answers", *service, "offline: with text", "right"]
    unheard = [(heard.condition, Counter(a.said for a in heard.answers if not a.service)) for heard in found]
    lines = [f"- {name}: {', '.join(f'{w} {n}' for w, n in of.most_common())}" for name, of in unheard if of]
    silent = ["\n".join(["Without text:", "", *lines])] if lines else []
    troubled = [f"- {h.condition}, {a.name}: {', '.join(a.trouble)}" for h in found for a in h.answers if a.trouble]
    return "\n\n".join(["## Short answers", _table(rows, headers), *silent, *_troubles(troubled)])


def turns_markdown(swept: Sequence[Swept]) -> str:
    """What each policy does within each budget, then by default, CPFs included, then which turns it cuts then."""
    budgets = [f"cut at {ms} ms of dead air" for ms in DEAD_AIR_MS] + [
        f"dead air at {_percent(s)} cut" for s in CUT_SHARES
    ]
    rows = [
        [
            each.turns,
            each.policy,
            *(_or_none(each.cut_within(ms), _percent) for ms in DEAD_AIR_MS),
            *(_or_none(each.waited_within(share), "{:.0f} ms".format) for share in CUT_SHARES),
            f"{_percent(each.default.cut_share)}, {each.default.dead_air_ms:.0f} ms",
            "{1} of {0}".format(*each.default.whole),
        ]
        for each in swept
    ]
    kinds = sorted({kind for each in swept for kind in each.default.kinds})
    by_kind = [
        [
            kind,
            *("{1} of {0}".format(*each.default.kinds[kind]) if kind in each.default.kinds else "" for each in swept),
        ]
        for kind in kinds
    ]
    headers = ["turns", "policy", *budgets, "by default", "CPFs whole then"]
    names = [f"{each.turns}: {each.policy}" for each in swept]
    return "\n\n".join(["## Turns", _table(rows, headers), "Cut by default:", _table(by_kind, ["kind", *names])])


def _or_none(value: float | None, shown: Callable[[float], str]) -> str:
    return "–" if value is None else shown(value)


def _accuracy(name: str, accuracy: Accuracy) -> str:
    """Both rates, the difference, the worst clips."""
    rows = [
        [name, _percent(s.wer), s.words, s.substitutions, s.deletions, s.insertions]
        for name, s in (("service", accuracy.service), ("offline", accuracy.offline))
    ]
    table = _table(rows, ["", "WER", "words", "substituted", "deleted", "inserted"])
    difference = f"{len(accuracy.clips)} clips; service less offline: **{_points(accuracy.difference)} points**"
    worst = _table(
        [[h.name, _percent(h.service_wer), _percent(h.offline_wer), h.service, h.said] for h in accuracy.worst(WORST)],
        ["worst against offline", "service", "offline", "heard", "said"],
    )
    troubled = [f"- {heard.name}: {', '.join(heard.trouble)}" for heard in accuracy.clips if heard.trouble]
    return "\n\n".join([f"### {name.capitalize()}", table, difference, worst, *_troubles(troubled)])


def _troubles(lines: Sequence[str]) -> list[str]:
    return ["\n".join(["Trouble:", "", *lines])] if lines else []


def _points(difference: float) -> str:
    return f"{difference * 100:+.2f}"


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
