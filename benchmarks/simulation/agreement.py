"""The simulation against the real service, with the same speech and a worker that keeps the same pace.

The first number of talkers is run to see what the service's parts take on this machine; the rest are foretold. A final
waits for what the card happens to be at, and that hangs on fractions of a millisecond seconds before: a run is
simulated `TIMES` times, with other noise, the mean is what is foretold, and how far single runs lie apart is told, too.
"""

import dataclasses
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from benchmarks.clips import Recording
from benchmarks.latency import serve
from benchmarks.options import Options
from benchmarks.results import Run
from benchmarks.service import NO_LIMITS, launched
from benchmarks.simulation.cell import Plan
from benchmarks.simulation.run import Outcome, run
from benchmarks.simulation.service import Service, write
from benchmarks.simulation.speech import longest, spoken
from transcription.core.config import Limits, SessionConfig
from workers.engines import pace

WITHIN, WITHIN_MS = 0.15, 10.0
"""How far apart what agrees may be: so much of the real figure, or so many milliseconds where that is little: half a
frame, and less than anybody hears."""
TIMES = 20
DRAIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Row:
    """One figure at one load."""

    talkers: int
    figure: str
    real: float
    simulated: float
    by_chance: tuple[float, float]
    """Between which single simulated runs are, but for one in ten."""

    @property
    def apart(self) -> float:
        """As a share of the real figure."""
        return abs(self.simulated - self.real) / self.real if self.real else float(self.simulated > 0)

    @property
    def agrees(self) -> bool:
        """Whether they are close enough."""
        least = WITHIN_MS if self.figure.endswith("ms") else 0.0
        return abs(self.simulated - self.real) <= max(WITHIN * self.real, least)


def compare(
    options: Options, pool: Sequence[Recording], loads: Sequence[int], card: pace.Pace, plan: Plan, out: Path
) -> tuple[list[Row], Service]:
    """Rows for every load but the first, and what the parts took in that one."""
    plan = dataclasses.replace(
        plan, webs=1, cards=1,
        limits=Limits(max_sessions=10**6, max_queue_depth=10**6, max_estimated_server_total_ms=1e9),
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="whisper-stt-pace-") as directory:
        file = Path(directory) / "pace.json"
        pace.write(card, file)
        worker = {
            "STT_ENGINE": "echo", "STT_ECHO_PACE": str(file), "STT_DEVICE": card.device, "STT_WHISPER_MODEL": "echo",
            "STT_LANES": str(plan.lanes), "STT_WORKER_THREADS": str(plan.threads), "STT_MAX_BATCH": str(plan.max_batch),
            "STT_MIN_FINAL_WINDOW_S": str(plan.least_final_window_s),
        }  # fmt: skip
        with launched(options.checkout, NO_LIMITS | os.environ | worker) as (options.url, options.pid):
            reals = [serve(options, pool, talkers) for talkers in loads]
    used = calibrated(options, pool, loads[0], reals[0], card, plan)
    write(used, out / "service.json")
    rows: list[Row] = []
    for talkers, real in zip(loads[1:], reals[1:], strict=True):
        rows += against(talkers, real, simulated(options, pool, talkers, card, plan, used))
    return rows, used


def simulated(
    options: Options, pool: Sequence[Recording], talkers: int, card: pace.Pace, plan: Plan, used: Service
) -> list[Outcome]:
    """The run that the service had, `TIMES` times."""
    config = SessionConfig()
    speech = spoken(pool, talkers, options.seconds, options.seed, config)
    seconds = longest(speech) + DRAIN_S
    return [
        run(talkers, 1, plan, card, used, speech, config, seconds=seconds, once=True, seed=seed)
        for seed in range(TIMES)
    ]  # fmt: skip


def calibrated(
    options: Options, pool: Sequence[Recording], talkers: int, real: Run, card: pace.Pace, plan: Plan
) -> Service:
    """What the parts took in a run, by the processor time of each and by what no processor was busy with."""
    jobs = max(real.figures.partial["n"] + 2 * real.figures.finals, 1)
    audio_s = real.figures.audio_s

    def cpu_s(group: str) -> float:
        return real.usage[group].cpu_s if group in real.usage else 0.0

    known = Service()
    used = Service(
        web_job_ms=known.web_job_ms,
        web_session=round(max(cpu_s("web") - jobs * known.web_job_ms / 1000, 0.0) / audio_s, 4),
        redis_job_ms=known.redis_job_ms,
        redis_session=round(max(cpu_s("store") - jobs * known.redis_job_ms / 1000, 0.0) / audio_s, 5),
        worker_job_ms=round(cpu_s("worker") / jobs * 1000, 2),
        ways_ms=0.0,
    )
    alone = simulated(options, pool, talkers, card, plan, used)
    more_ms = (real.figures.partial["p50"] or 0.0) - float(np.mean([one.partial["p50"] or 0.0 for one in alone]))
    return dataclasses.replace(used, ways_ms=round(max(more_ms, 0.0), 1))


def against(talkers: int, real: Run, outcomes: Sequence[Outcome]) -> list[Row]:
    """A load's figures beside each other."""
    figures = real.figures
    finals, partials = [one.final for one in outcomes], [one.partial for one in outcomes]
    rows = [
        _row(talkers, "finals", figures.finals, [one["n"] for one in finals]),
        _row(talkers, "partials", figures.partial["n"], [one["n"] for one in partials]),
    ]
    for name, of, simulated in (
        ("final after the endpoint", figures.final_after_endpoint, finals),
        ("partial", figures.partial, partials),
    ):
        rows += [
            _row(talkers, f"{name} p50, ms", of["p50"], [one["p50"] for one in simulated]),
            _row(talkers, f"{name} p95, ms", of["p95"], [one["p95"] for one in simulated]),
        ]
    return rows


def _row(talkers: int, figure: str, real: float | None, simulated: Sequence[float | None]) -> Row:
    found = [value or 0.0 for value in simulated]
    low, high = np.percentile(found, [5, 95])
    return Row(talkers, figure, real or 0.0, float(np.mean(found)), (float(low), float(high)))


def markdown(title: str, rows: Sequence[Row], used: Service) -> str:
    """A table, and what the service's parts took."""
    cells = [
        [
            row.talkers,
            row.figure,
            f"{row.real:.0f}",
            f"{row.simulated:.0f}",
            f"{row.by_chance[0]:.0f} to {row.by_chance[1]:.0f}",
            f"{row.apart:.0%}",
            "yes" if row.agrees else "NO",
        ]
        for row in rows
    ]
    headers = ["talkers", "figure", "real", "simulated", "nine runs of ten", "apart",
               f"within {WITHIN:.0%} or {WITHIN_MS:g} ms"]  # fmt: skip
    shown = tabulate(cells, headers=headers, tablefmt="github", disable_numparse=True)
    parts = ", ".join(f"`{name}` {value:g}" for name, value in dataclasses.asdict(used).items())
    return f"## {title}\n\n{parts}\n\n{shown}"
