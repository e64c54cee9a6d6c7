"""The naive server, with a model that is only pretended."""

import asyncio
import time

import numpy as np
import pytest

from benchmarks.matching import measure
from benchmarks.naive import NaiveSession
from benchmarks.options import Options
from benchmarks.record import Record
from benchmarks.schedule import Script, assemble
from tests.benchmarks.material import spoken


class SlowModel:
    """Takes its time and answers with how much it was given."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.busy = 0
        self.most_busy = 0

    def transcribe(self, pcm: np.ndarray, beam: int) -> str:
        """So many samples."""
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        time.sleep(self._seconds)
        self.busy -= 1
        return f"{len(pcm)}"


@pytest.fixture
def script() -> Script:
    """0.35 s of speech: partials are due at 0.1, 0.2 and 0.3 s of it."""
    return assemble([spoken(0.35)], [0.0, 0.1])


async def play(script: Script, model: SlowModel, talkers: int = 1, drain_s: float = 5.0) -> list[Record]:
    """Sessions of the naive server."""
    options = Options(partial_interval_ms=100.0, endpoint_ms=60.0, drain_s=drain_s)
    lock, begin_at = asyncio.Lock(), time.perf_counter()
    sessions = [NaiveSession(options, script, model, lock, begin_at) for _ in range(talkers)]
    await asyncio.gather(*(session.play() for session in sessions))
    return [session.record for session in sessions]


async def test_a_fast_model_gives_every_partial_and_the_final(script: Script) -> None:
    """The final after the endpoint's silence, over all of the utterance."""
    (record,) = await play(script, SlowModel(0.0))

    kinds = [received.message["type"] for received in record.received]
    assert kinds == [
        "session_started",
        *["partial_transcript"] * 3,
        "vad_event",
        "final_transcript",
        "session_ended",
    ]
    assert [m.message["audio_end_ms"] for m in record.received[1:4]] == [100.0, 200.0, 300.0]
    measures = measure([record])
    # no sooner than the endpoint, which lies 60 ms after the last 10 ms that sound
    assert measures.final_ms[0] >= 55.0
    assert measures.audio_s == pytest.approx(script.seconds)


async def test_a_slow_model_gives_fewer_partials_never_two_at_once(script: Script) -> None:
    """Talkers wait for each other at the lock."""
    model = SlowModel(0.12)

    records = await play(script, model, talkers=2)

    assert model.most_busy == 1
    assert all(len(measure([record]).partial_ms) < 3 for record in records)
    assert measure(records).finals == 2


async def test_a_final_that_does_not_come_in_time_is_lost(script: Script) -> None:
    """The client saw the end of speech and nothing after."""
    (record,) = await play(script, SlowModel(0.5), drain_s=0.0)

    assert measure([record]).lost_segments == 1
