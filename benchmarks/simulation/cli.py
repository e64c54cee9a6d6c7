"""The command line of `python -m benchmarks simulate`."""

import argparse
import dataclasses
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks import clips
from benchmarks.figures import Percentiles
from benchmarks.options import Options
from benchmarks.reporting import machine, report, save
from benchmarks.service import NO_LIMITS
from benchmarks.simulation import agreement, service
from benchmarks.simulation.cell import Plan
from benchmarks.simulation.run import Outcome, as_json, run
from benchmarks.simulation.speech import Speech, spoken, talking_share
from transcription.core.config import Limits, SessionConfig
from workers.engines import pace

PACE = Path(__file__).parents[1] / "paces" / "assumed-turbo.json"
VOICES = 64
"""So many sessions are spoken; talkers beyond say the same again, begun at another time."""
WITHOUT_LIMITS = Limits(
    max_sessions=10**6,
    max_queue_depth=int(NO_LIMITS["STT_MAX_QUEUE_DEPTH"]),
    max_estimated_server_total_ms=float(NO_LIMITS["STT_MAX_ESTIMATED_SERVER_TOTAL_MS"]),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate each number of talkers, or compare with the real service; returns the exit status."""
    asked = parse(arguments)
    try:
        card = pace.read(asked.pace).slower(asked.slower)
        times = service.read(asked.service) if asked.service else service.Service()
    except ValueError as error:
        raise SystemExit(str(error)) from None
    about = {"machine": machine(), "began_at": datetime.now(UTC).isoformat(timespec="seconds"), "pace": card.name}
    title = f"{card.name}{'' if card.measured else ' (not measured)'}, {asked.slower:g} times slower"
    plan = Plan(
        webs=asked.webs, cards=asked.cards, lanes=asked.lanes, threads=asked.threads, max_batch=asked.max_batch,
        least_final_window_s=asked.min_final_window_s,
        limits=WITHOUT_LIMITS if asked.no_limits else Limits(
            max_sessions=asked.max_sessions, max_queue_depth=asked.max_queue_depth,
            max_estimated_server_total_ms=asked.max_estimated_ms,
        ),
    )  # fmt: skip
    config = SessionConfig(partial_interval_ms=asked.partial_interval_ms)
    if asked.check:
        options = Options(command="check", seconds=asked.seconds, seed=asked.seed, partial_interval_ms=300.0)
        rows, used = agreement.compare(options, pool(options), asked.talkers, card, plan, asked.out)
        results: dict[str, Any] = {"agreement": [dataclasses.asdict(row) for row in rows]}
        results |= {"service": dataclasses.asdict(used)}
        save(asked.out, "simulate-check", about | results, agreement.markdown(title, rows, used))
        return 0 if all(row.agrees for row in rows) else 1
    options = Options(seconds=asked.seconds, seed=asked.seed)
    speech = spoken(pool(options), min(max(asked.talkers), VOICES), asked.seconds, asked.seed, config)
    if asked.ramp:
        best, tried = ramp(asked, plan, card, times, speech, config)
        text = f"**{best} talkers** in one cell: final p95 ≤ {asked.ramp:g} ms after the endpoint, partials for all"
        save(asked.out, "simulate-ramp", about | {"talkers": best, "runs": list(map(as_json, tried))},
             f"## {title}\n\n{text}\n\n{table(tried)}")  # fmt: skip
        return 0
    outcomes = []
    for talkers in asked.talkers:
        cells = asked.cells or math.ceil(talkers / asked.cell_talkers)
        lose_at = asked.lose_at if cells > 1 else None
        outcomes.append(
            run(
                talkers, cells, plan, card, times, speech, config,
                seconds=asked.seconds, spread=asked.spread, lose_at=lose_at, seed=asked.seed,
            )
        )  # fmt: skip
        report(f"{talkers} talkers: {outcomes[-1].events} events in {outcomes[-1].took_s:.0f} s")
    share = f"An utterance is open {talking_share(speech):.0%} of a talker's time."
    save(
        asked.out,
        "simulate",
        about | {"runs": list(map(as_json, outcomes))},
        f"## {title}\n\n{share}\n\n{table(outcomes)}",
    )
    return 0


def pool(options: Options) -> list[clips.Recording]:
    """The repository's own clips."""
    chosen = clips.select(
        clips.read_manifest(options.manifest), folder=None, refs=options.refs, limit=None, seed=options.seed
    )
    return [clips.load(clip) for clip in chosen]


def ramp(
    asked: argparse.Namespace, plan: Plan, card: pace.Pace, times: service.Service, speech: Sequence[Speech],
    config: SessionConfig,
) -> tuple[int, list[Outcome]]:  # fmt: skip
    """The most talkers of one cell whose finals come within `asked.ramp` ms; what was tried."""
    good, bad = 0, 0
    tried: list[Outcome] = []
    while not bad or bad - good > max(good // 20, 1):
        talkers = (good + bad) // 2 if bad else max(2 * good, 1)
        cell = dataclasses.replace(plan, webs=max(plan.webs, math.ceil(talkers / asked.web_talkers)))
        tried.append(run(talkers, 1, cell, card, times, speech, config, seconds=asked.seconds, seed=asked.seed))
        if fits(tried[-1], asked.ramp):
            good = talkers
        else:
            bad = talkers
    return good, sorted(tried, key=lambda one: one.talkers)


def fits(outcome: Outcome, final_ms: float) -> bool:
    """Whether everybody is inside, finals are in time and partials come."""
    p95 = outcome.final["p95"]
    inside = outcome.inside == outcome.talkers
    return inside and p95 is not None and p95 <= final_ms and outcome.partials_per_speech_s >= 1.0


def table(outcomes: Sequence[Outcome]) -> str:
    """A row a run."""
    rows = [
        [
            o.talkers, o.cells, o.cards, o.inside, o.refused, _spread(o.final), _spread(o.partial),
            o.partials_per_speech_s, max(o.steps), o.batch,
            ", ".join(f"{name} {share:.0%}" for name, share in o.shares.items()), o.tightest,
            _spread(o.moved) if o.moved["n"] else "",
        ]
        for o in outcomes
    ]  # fmt: skip
    headers = ["talkers", "cells", "cards", "inside", "refusals", "final p50 / p95 / p99, ms", "partial, ms",
               "partials/s", "step", "batch", "busiest", "tightest", "moved, ms"]  # fmt: skip
    return str(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))


def _spread(of: Percentiles) -> str:
    return " / ".join("–" if value is None else f"{value:.0f}" for value in (of["p50"], of["p95"], of["p99"]))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What to simulate."""
    parser = argparse.ArgumentParser("python -m benchmarks simulate", description=main.__doc__)
    add = parser.add_argument
    add("--talkers", type=_numbers, default=(1, 10, 100), help="numbers of talkers, 1,10,100,1000,10000")
    add("--pace", type=Path, default=PACE, help="of the card (an assumed one)")
    add("--slower", type=float, default=1.0, help="so many times slower is the card")
    add("--service", type=Path, help="what the service's parts take, as --check leaves it (docs/scaling.md's figures)")
    add("--seconds", type=float, default=30.0, help="of speech that count (30)")
    add("--cells", type=int, default=0, help="(as many as --cell-talkers says)")
    add("--cell-talkers", type=int, default=300, help="talkers a cell is made for (300)")
    add("--cards", type=int, default=1, help="of a cell (1)")
    add("--webs", type=int, default=15, help="web processes of a cell (15)")
    add("--web-talkers", type=int, default=20, help="talkers a web process, where --ramp chooses (20)")
    add("--lanes", type=int, default=1)
    add("--threads", type=int, default=16)
    add("--max-batch", type=int, default=16)
    add("--min-final-window-s", type=int, default=Plan().least_final_window_s, help="as STT_MIN_FINAL_WINDOW_S")
    add("--partial-interval-ms", type=int, default=300)
    add("--max-sessions", type=int, default=1000, help="of a cell (1000)")
    add("--max-queue-depth", type=int, default=Limits().max_queue_depth)
    add("--max-estimated-ms", type=float, default=Limits().max_estimated_server_total_ms)
    add("--no-limits", action="store_true", help="admission out of the way")
    add("--spread", choices=("least", "random"), default="least", help="how calls are spread over cells (least)")
    add("--lose-at", type=float, help="lose a cell then (s)")
    add("--ramp", type=float, metavar="MS", help="find the most talkers of one cell with finals' p95 within so much")
    add("--check", action="store_true", help="run the real service with a worker of this pace, and compare")
    add("--seed", type=int, default=0)
    add("--out", type=Path, default=Path(__file__).parents[1] / "out")
    return parser.parse_args(arguments)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
