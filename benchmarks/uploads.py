"""`uploads`: what talkers' finals lose by recordings that are transcribed at the same time, in pairs.

Each round has the same talkers twice, alone and beside uploads that never end, each time of a service launched for it;
every other round the other way about. Percentiles are over the finals of all rounds.
"""

import asyncio
import io
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
import numpy as np
from tabulate import tabulate

from benchmarks import observe
from benchmarks.clips import SAMPLE_RATE, Recording
from benchmarks.figures import Figures, figures
from benchmarks.latency import SETTLE_S
from benchmarks.matching import measure
from benchmarks.options import Options
from benchmarks.paired import Variant, rounds
from benchmarks.record import Record
from benchmarks.reporting import report
from benchmarks.schedule import conversations
from benchmarks.talker import play_all

RECORDING_S = 300.0
"""Length of what is uploaded."""
PAUSE_S = 0.3
"""Between the clips of it: shorter than an endpoint's silence, as people speak who are not answered."""
AHEAD_S = 3.0
"""Uploads run for so long before talkers come."""
AGAIN_S = 0.5
"""An upload that was refused is tried again after so long."""
PATH = "/v1/audio/transcriptions"
DECODED = "stt_worker_audio_seconds_total{kind=recorded}"

Launch = Callable[[Variant], AbstractContextManager[Options]]
"""A variant of the service, running: the options to reach it with."""


@dataclass(slots=True)
class Beside:
    """What one variant's rounds came to, so far."""

    alone: list[list[Record]] = field(default_factory=list)
    """The talkers' records, by round."""
    beside: list[list[Record]] = field(default_factory=list)
    decoded_s: float = 0.0
    """Of recordings, beside the talkers."""
    lasted_s: float = 0.0

    def figures(self, talkers: int, interval_ms: float) -> tuple[Figures, Figures]:
        """Alone and beside, over all rounds."""
        pooled = [[record for records in of for record in records] for of in (self.alone, self.beside)]
        alone, beside = (figures(talkers, measure(records), interval_ms) for records in pooled)
        return alone, beside


def uploads(options: Options, pool: Sequence[Recording], talkers: int, launch: Launch) -> dict[str, Beside]:
    """All rounds of all variants; by variant name."""
    recording = _wav(pool, options.seed)
    found: dict[str, Beside] = {}
    turn = 0

    def trial(variant: Variant) -> Beside:
        nonlocal turn
        beside = found.setdefault(variant.name, Beside())
        for with_uploads in (False, True)[:: -1 if turn // len(options.variants) % 2 else 1]:
            with launch(variant) as reached:
                records = _play(reached, pool, talkers, recording if with_uploads else b"", beside)
            final = figures(talkers, measure(records), options.partial_interval_ms).final
            how = "beside uploads" if with_uploads else "alone"
            report(f"{variant.name}, {how}: final p50 {final['p50']}, p95 {final['p95']} ms of {final['n']}")
        turn += 1
        return beside

    rounds(options.variants, options.rounds, trial)
    return found


def _play(options: Options, pool: Sequence[Recording], talkers: int, recording: bytes, into: Beside) -> list[Record]:
    scripts = conversations(pool, talkers, options.seconds, options.seed)
    if not recording:
        records = asyncio.run(play_all(options.url, scripts, options.headers, options.drain_s))
        into.alone.append(records)
        return records
    records, lasted_s, decoded_s = asyncio.run(_beside(options, scripts, recording))
    into.beside.append(records)
    into.lasted_s += lasted_s
    into.decoded_s += decoded_s
    return records


async def _beside(options: Options, scripts: Any, recording: bytes) -> tuple[list[Record], float, float]:
    async with aiohttp.ClientSession(headers=options.headers) as http:
        uploading = [asyncio.create_task(_upload(http, options.url, recording)) for _ in range(options.uploads)]
        await asyncio.sleep(AHEAD_S)
        before, began = await asyncio.to_thread(observe.counters, options.url), time.perf_counter()
        records = await play_all(options.url, scripts, options.headers, options.drain_s)
        lasted_s = time.perf_counter() - began
        await asyncio.sleep(SETTLE_S)
        after = await asyncio.to_thread(observe.counters, options.url)
        for task in uploading:
            task.cancel()
        await asyncio.gather(*uploading, return_exceptions=True)
    return records, lasted_s, observe.increments(before, after).get(DECODED, 0.0)


async def _upload(http: aiohttp.ClientSession, url: str, recording: bytes) -> None:
    """One after the other, for ever."""
    while True:
        form = aiohttp.FormData({"model": "whisper-1", "language": "pt"})
        form.add_field("file", io.BytesIO(recording), filename="recording.wav", content_type="audio/wav")
        async with http.post(observe.http_url(url, PATH), data=form, timeout=aiohttp.ClientTimeout(None)) as answer:
            await answer.read()
            if answer.status != 200:
                await asyncio.sleep(AGAIN_S)


def _wav(pool: Sequence[Recording], seed: int) -> bytes:
    """Clips in a random order, one behind the other."""
    pcm = np.concatenate(list(_spoken(pool, np.random.default_rng(seed))))
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm[: int(RECORDING_S * SAMPLE_RATE)].astype("<i2").tobytes())
    return written.getvalue()


def _spoken(pool: Sequence[Recording], random: np.random.Generator) -> Iterator[np.ndarray]:
    left = RECORDING_S * SAMPLE_RATE
    while left > 0:
        recording = pool[int(random.integers(len(pool)))]
        yield recording.pcm
        yield np.zeros(int(PAUSE_S * SAMPLE_RATE), np.int16)
        left -= len(recording.pcm) + PAUSE_S * SAMPLE_RATE


def uploads_json(found: dict[str, Beside], talkers: int, interval_ms: float) -> list[dict[str, Any]]:
    """Each variant's figures, alone and beside, as built-in types."""
    listed = []
    for name, beside in found.items():
        alone, loaded = map(asdict, beside.figures(talkers, interval_ms))
        listed.append({"variant": name, "talkers": talkers, "alone": alone, "beside": loaded, "speed": _speed(beside)})
    return listed


def uploads_markdown(title: str, found: dict[str, Beside], talkers: int, interval_ms: float) -> str:
    """One row a variant; times in ms, alone → beside, with what one is of the other."""
    rows = []
    for name, beside in found.items():
        alone, loaded = beside.figures(talkers, interval_ms)
        pairs = [(getattr(alone, latency)[p], getattr(loaded, latency)[p]) for latency, p in LATENCIES]
        often = f"{alone.partials_per_speech_s:.2f} → {loaded.partials_per_speech_s:.2f}"
        rows.append([name, loaded.finals, *map(_pair, pairs), often, f"{_speed(beside):.1f} ×", _lost(alone, loaded)])
    headers = [title, "finals", *(f"{latency.replace('_', ' ')} {p}" for latency, p in LATENCIES)]
    headers += ["partials / s", "recordings", "lost, refused, broken"]
    return str(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))


LATENCIES = [
    ("final", "p50"),
    ("final", "p95"),
    ("final_after_endpoint", "p50"),
    ("final_after_endpoint", "p95"),
    ("partial", "p50"),
    ("partial", "p95"),
]


def _pair(pair: tuple[float | None, float | None]) -> str:
    alone, beside = pair
    if not alone or beside is None:
        return "–"
    return f"{alone:.0f} → {beside:.0f} ({beside / alone:.2f})"


def _speed(beside: Beside) -> float:
    return beside.decoded_s / beside.lasted_s if beside.lasted_s else 0.0


def _lost(*runs: Figures) -> str:
    counted = [(run.lost_segments + run.unheard_clips, run.refused, run.broken) for run in runs]
    return ", ".join(str(sum(counts)) for counts in zip(*counted, strict=True))
