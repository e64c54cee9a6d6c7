"""`latency`: N talkers in real time against the service, for each N asked for."""

import asyncio
import time
from collections.abc import Sequence

from benchmarks import observe
from benchmarks.clips import Recording
from benchmarks.figures import figures
from benchmarks.matching import measure
from benchmarks.options import Options
from benchmarks.processes import Watch
from benchmarks.results import Run
from benchmarks.schedule import conversations
from benchmarks.talker import play_all

SETTLE_S = 1.5
"""Workers tell their counters with a heartbeat, once a second: the last ones of a run come that much later."""


def latency(options: Options, pool: Sequence[Recording]) -> list[Run]:
    """One run for each number of talkers."""
    return [serve(options, pool, talkers) for talkers in options.talkers]


def serve(options: Options, pool: Sequence[Recording], talkers: int) -> Run:
    """One run against the service."""
    scripts = conversations(pool, talkers, options.seconds, options.seed)
    before = observe.counters(options.url)
    with Watch(options.pid) as watch:
        records = asyncio.run(play_all(options.url, scripts, options.headers, options.drain_s))
    if before:
        time.sleep(SETTLE_S)
    return Run(
        figures(talkers, measure(records), options.partial_interval_ms),
        watch.usage(),
        observe.increments(before, observe.counters(options.url)),
        sorted({record.failure for record in records if record.failure}),
    )
