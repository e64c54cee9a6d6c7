"""`ttfs`: time to the final segment, as pipecat's stt-benchmark has it: from the end of speech to the last final.

Each clip is said twice, each time in a session of its own: its end told by a `flush` as long after its speech as
pipecat's VAD waits, and left to the service's own endpointing. The end of speech is the clip's own, by energy.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tabulate import tabulate

from benchmarks.clips import SAMPLE_RATE, Recording
from benchmarks.figures import Percentiles, percentiles
from benchmarks.options import Options
from benchmarks.record import Record
from benchmarks.schedule import LEAD_S, Script, assemble
from benchmarks.talker import play
from benchmarks.wer import trouble

STOP_S = 0.2
"""`stop_secs` of pipecat's VADParams: all constants that it has for services were measured with it."""
TAIL_S = 2.0
"""Silence after a clip: longer than any endpoint's, so that the end of the session ends nothing."""


@dataclass(slots=True)
class Way:
    """One way of ending, over all clips."""

    name: str
    times_ms: list[float] = field(default_factory=list)
    unanswered: int = 0
    """Clips without a final that has text."""
    troubles: list[str] = field(default_factory=list)
    """What went wrong, by session."""

    def add(self, record: Record) -> None:
        """One clip more."""
        self.troubles += trouble(record)
        time_ms = ttfs_ms(record)
        if time_ms is None:
            self.unanswered += 1
        else:
            self.times_ms.append(time_ms)

    @property
    def ttfs(self) -> Percentiles:
        """Their spread."""
        return percentiles(self.times_ms)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self) | {"ttfs": self.ttfs}


def ttfs_ms(record: Record) -> float | None:
    """From the end of the session's one clip's speech to its last final with text; `None` without one."""
    finals = [r.at for r in record.received if r.message["type"] == "final_transcript" and r.message["text"]]
    return (max(finals) - record.due(record.script.placed[-1].speech_end)) * 1000 if finals else None


def ttfs(options: Options, pool: Sequence[Recording]) -> list[Way]:
    """Both ways, clip by clip; with every other clip the other way about."""
    flushed, left = Way(f"`flush` {STOP_S * 1000:.0f} ms after speech"), Way("the service's own endpoint")
    for number, script in enumerate(assemble([recording], [LEAD_S, TAIL_S]) for recording in pool):
        ways = [(flushed, _flushed(script)), (left, script)]
        for way, said in ways[:: -1 if number % 2 else 1]:
            way.add(asyncio.run(play(options.url, said, options.headers, options.drain_s)))
    return [flushed, left]


def _flushed(script: Script) -> Script:
    return replace(script, flush_at=script.placed[-1].speech_end + round(STOP_S * SAMPLE_RATE))


def ttfs_markdown(ways: Sequence[Way]) -> str:
    """One row a way, and what a pipecat user sets."""
    rows = [
        [way.name, way.ttfs["n"], *(_ms(way.ttfs[p]) for p in ("p50", "p95", "p99", "max")), way.unanswered]
        for way in ways
    ]
    headers = ["the utterance ends by", "clips", "p50", "p95", "p99", "max", "without a final"]
    table = tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
    told = [f"## Time to the final segment (TTFS), ms\n\n{table}"]
    if p99 := ways[0].ttfs["p99"]:
        told.append(f"For pipecat: `ttfs_p99_latency={p99 / 1000:.2f}`.")
    if troubles := [line for way in ways for line in way.troubles]:
        told.append("Trouble: " + ", ".join(sorted(set(troubles))))
    return "\n\n".join(told)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
