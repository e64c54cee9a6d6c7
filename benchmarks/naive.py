"""`naive`: the server one writes first - `transcribe()` for each request behind one lock - under the same talkers.

It is simulated in this process, without a network, and is told where speech begins and ends, so it is a flattering
stand-in for its kind. Its messages are those of the service, and the same code takes the figures.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.clips import SAMPLE_RATE, Recording
from benchmarks.figures import figures
from benchmarks.matching import measure, samples
from benchmarks.model import FINAL_BEAM, PARTIAL_BEAM, Model, newest
from benchmarks.options import Options
from benchmarks.processes import Watch
from benchmarks.record import Record
from benchmarks.results import Run
from benchmarks.schedule import Placed, Script, conversations
from harness.talker import Received, sleep_until


def naive(options: Options, pool: Sequence[Recording], model: Model) -> list[Run]:
    """One run for each number of talkers."""
    return [simulate(options, pool, model, talkers) for talkers in options.talkers]


def simulate(options: Options, pool: Sequence[Recording], model: Model, talkers: int) -> Run:
    """One run of the naive server."""
    scripts = conversations(pool, talkers, options.seconds, options.seed)
    with Watch(options.pid) as watch:
        records = asyncio.run(_play_all(options, scripts, model))
    return Run(figures(talkers, measure(records), options.partial_interval_ms), watch.usage())


async def _play_all(options: Options, scripts: Sequence[Script], model: Model) -> list[Record]:
    lock = asyncio.Lock()
    begin_at = time.perf_counter()
    sessions = [NaiveSession(options, script, model, lock, begin_at + script.starts_after_s) for script in scripts]
    await asyncio.gather(*(session.play() for session in sessions))
    return [session.record for session in sessions]


class NaiveSession:
    """One talker and the naive server's answers to it."""

    def __init__(self, options: Options, script: Script, model: Model, lock: asyncio.Lock, begin_at: float) -> None:
        self.record = Record(script, began_at=begin_at)
        self._options = options
        self._model = model
        self._lock = lock

    async def play(self) -> None:
        """The whole session; finals outstanding after `drain_s` are lost."""
        script = self.record.script
        self._receive({"type": "session_started"})
        ends_after_s = self.record.due(len(script.pcm)) - time.perf_counter()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ends_after_s + self._options.drain_s), asyncio.TaskGroup() as requests:
                for number, placed in enumerate(script.placed):
                    await self._utter(f"seg-{number:04d}", placed, requests)
                await self._heard(len(script.pcm))
        self._receive({"type": "session_ended", "reason": "completed"})

    async def _utter(self, segment_id: str, placed: Placed, requests: asyncio.TaskGroup) -> None:
        """Partials while there is speech, one at a time; the final when it has been silent long enough."""
        interval = samples(self._options.partial_interval_ms)
        partial: asyncio.Task[None] | None = None
        for position in range(placed.speech_start + interval, placed.speech_end, interval):
            await self._heard(position)
            if partial is None or partial.done():
                partial = requests.create_task(self._partial(segment_id, placed.speech_start, position))
        endpoint = placed.speech_end + samples(self._options.endpoint_ms)
        await self._heard(endpoint)
        self._receive({"type": "vad_event", "state": "speech_end", "segment_id": segment_id})
        requests.create_task(self._final(segment_id, placed.speech_start, endpoint))

    async def _heard(self, position: int) -> None:
        """Wait until all samples before `position` have come in."""
        due = self.record.due(position)
        await sleep_until(due)
        self.record.lags_ms.append((time.perf_counter() - due) * 1000)
        self.record.sent = position

    async def _partial(self, segment_id: str, start: int, end: int) -> None:
        text, timing = await self._transcribe(newest(self.record.script.pcm[start:end]), PARTIAL_BEAM)
        self._receive(
            {
                "type": "partial_transcript",
                "segment_id": segment_id,
                "text": text,
                "audio_end_ms": end * 1000 / SAMPLE_RATE,
                "timing": timing,
            }
        )

    async def _final(self, segment_id: str, start: int, end: int) -> None:
        text, timing = await self._transcribe(self.record.script.pcm[start:end], FINAL_BEAM)
        self._receive(
            {
                "type": "final_transcript",
                "segment_id": segment_id,
                "text": text,
                "audio_start_ms": start * 1000 / SAMPLE_RATE,
                "audio_duration_ms": (end - start) * 1000 / SAMPLE_RATE,
                "timing": timing,
            }
        )

    async def _transcribe(self, pcm: np.ndarray, beam: int) -> tuple[str, dict[str, float]]:
        asked = time.perf_counter()
        async with self._lock:
            began = time.perf_counter()
            text = await asyncio.to_thread(self._model.transcribe, pcm, beam)
        done = time.perf_counter()
        parts = {"queue_wait_ms": began - asked, "inference_ms": done - began, "server_total_ms": done - asked}
        return text, {part: seconds * 1000 for part, seconds in parts.items()}

    def _receive(self, message: dict[str, Any]) -> None:
        self.record.received.append(Received(time.perf_counter(), message))
