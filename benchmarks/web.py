"""What talkers cost the web process: `python -m benchmarks.web --talkers 2,20 --variant "before: @DIR" --variant now`.

Starts every variant with the echo engine, which costs the machine nothing, all at the same time, and has the same
talkers speak to each: what else the machine does falls on all of them alike. CPU time of the web process, threads
included, a second of audio, after a first session has opened its connections.
"""

import argparse
import asyncio
import os
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tabulate import tabulate

from benchmarks import clips
from benchmarks.options import Options
from benchmarks.paired import Variant
from benchmarks.processes import Watch
from benchmarks.record import Record
from benchmarks.schedule import Script, conversations
from benchmarks.service import NO_LIMITS, launched
from benchmarks.talker import play_all

ECHO = {"STT_ENGINE": "echo", "STT_WHISPER_MODEL": "echo", "STT_DEVICE": "cpu", "STT_COMPUTE_TYPE": "int8"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one variant's web process used in one round."""

    cpu_ms: float
    """CPU time a second of audio; ten are one per cent of a core a talker."""
    peak_rss_mib: float
    late_ms: float
    """How late the harness's frames were (p99): more than some 20 and they came in bursts, which cost less."""


def costs(variants: Sequence[Variant], scripts: Sequence[Script], options: Options) -> list[Cost]:
    """One round. Raises `SystemExit` where a talker's connection broke."""
    audio_s = sum(script.seconds for script in scripts)
    with ExitStack() as stack:
        services = [
            stack.enter_context(launched(v.checkout or options.checkout, NO_LIMITS | ECHO | v.settings))
            for v in variants
        ]
        urls = [url for url, _ in services]
        asyncio.run(_play(urls, scripts[:1], options))
        with ExitStack() as watching:
            watches = [watching.enter_context(Watch(pid)) for _, pid in services]
            records = asyncio.run(_play(urls, scripts, options))
    if failures := {record.failure for played in records for record in played if record.failure}:
        raise SystemExit(f"Connections broke: {', '.join(sorted(failures))}")
    used = [watch.usage()["web"] for watch in watches]
    lags_ms = [sorted(lag for record in played for lag in record.lags_ms) for played in records]
    return [
        Cost(1000 * usage.cpu_per_audio_s(audio_s), max(usage.peak_rss_mib), lags[int(0.99 * len(lags))])
        for usage, lags in zip(used, lags_ms, strict=True)
    ]


async def _play(urls: Sequence[str], scripts: Sequence[Script], options: Options) -> list[list[Record]]:
    return await asyncio.gather(*(play_all(url, scripts, (), options.drain_s) for url in urls))


def table(talkers: int, found: dict[str, list[Cost]]) -> str:
    """One row a variant: the median of its rounds, with the least and the most."""
    rows = [
        [
            name,
            f"{statistics.median(c.cpu_ms for c in of):.1f} ({min(c.cpu_ms for c in of):.1f}–"
            f"{max(c.cpu_ms for c in of):.1f})",
            f"{max(c.peak_rss_mib for c in of):.0f}",
            f"{max(c.late_ms for c in of):.0f}",
        ]
        for name, of in found.items()
    ]
    headers = [f"{talkers} talkers", "web CPU, ms a second of audio", "peak, MiB", "harness late, ms"]
    return str(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))


def main() -> int:
    """Measure and print a table for each number of talkers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=main.__doc__)
    parser.add_argument("--talkers", type=lambda text: [int(part) for part in text.split(",")], default=[2, 20, 40])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--variant", dest="variants", type=Variant.parse, action="append")
    chosen = parser.parse_args()
    variants = chosen.variants or [Variant("now", {})]
    options = Options()
    os.environ.pop("PYTHONPATH", None)  # each service's code is its own checkout's
    pool = [clips.load(clip) for clip in clips.read_manifest(options.manifest)]
    for talkers in chosen.talkers:
        scripts = conversations(pool, talkers, chosen.seconds, options.seed)
        found: dict[str, list[Cost]] = {variant.name: [] for variant in variants}
        for _ in range(chosen.rounds):
            for variant, cost in zip(variants, costs(variants, scripts, options), strict=True):
                found[variant.name].append(cost)
        sys.stdout.write(table(talkers, found) + "\n\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
