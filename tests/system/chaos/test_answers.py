"""Segments that kill or hang their worker, answers that get lost, come twice or late, clocks that are wrong."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.audio import noise
from harness.stack import Stack
from harness.supervision import kept
from tests.system.chaos.dictation import Dictation
from tests.system.chaos.misbehaving import KILLER, STUCK, marked

MISBEHAVING = "tests.system.chaos.misbehaving"
RECOVERS_S = 40.0
STAGES = ("preprocess_ms", "queue_wait_ms", "inference_ms", "postprocess_ms")


@pytest.fixture(scope="module")
def stack(open_stack: Callable[..., Stack], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Workers that misbehave when asked to, one of them an hour ahead, restarted when they end."""
    stuck: Path = tmp_path_factory.mktemp("stuck") / "once"
    settings = {"STT_DECODE_TIMEOUT_S": "2", "STT_ECHO_DECODE_MS": "20", "CHAOS_STUCK": str(stuck)}
    stack = open_stack(settings)
    stack.start_worker(MISBEHAVING)
    stack.start_web()
    stack.start_worker(MISBEHAVING, CHAOS_CLOCK_S="3600")
    with kept(stack):
        yield stack


async def test_an_answer_lost_is_fetched_and_one_too_many_ignored(stack: Stack) -> None:
    """Dropped, doubled and delayed by the channel layer: each final once, in order."""
    async with Dictation(stack.ws_url) as talker:
        await talker.begin()
        await talker.dictate(8)
        await talker.finish(15)

    assert talker.finals == talker.owed


async def test_clocks_that_differ_show_in_no_figure(stack: Stack) -> None:
    """One worker's wall clock is an hour ahead: no time is negative, none longer than the test."""
    began = asyncio.get_running_loop().time()
    finals = []
    for _ in range(8):
        async with Dictation(stack.ws_url) as talker:
            await talker.begin()
            await talker.dictate(1)
            await talker.finish(15)
        assert talker.finals == talker.owed
        finals += talker.of("final_transcript")
    took_ms = (asyncio.get_running_loop().time() - began) * 1000

    for timing in (final["timing"] for final in finals):
        assert all(0 <= timing[stage] <= took_ms for stage in STAGES), timing
        assert timing["server_total_ms"] <= took_ms


async def test_a_stuck_decode_costs_a_process_and_no_final(stack: Stack) -> None:
    """A thread that hangs in the model cannot be cancelled: the worker goes, its jobs are run again."""
    async with Dictation(stack.ws_url) as talker:
        await talker.begin()
        await talker.speak(marked(STUCK, noise(0.3, 5)))
        await talker.close_segment()
        await talker.dictate(5)
        await talker.finish(RECOVERS_S)

    assert talker.finals == talker.owed


async def test_a_segment_that_kills_its_workers_is_given_up(stack: Stack) -> None:
    """After three tries an error names it; the session's other segments, before and after, have their finals."""
    async with Dictation(stack.ws_url) as talker:
        await talker.begin()
        await talker.dictate(1)
        await talker.speak(marked(KILLER, noise(0.3, 6)))
        killer = await talker.close_segment()
        await talker.dictate(1)
        await talker.finish(RECOVERS_S)
    errors = talker.of("error")

    assert [(error["code"], error["segment_id"]) for error in errors] == [("INFERENCE_ERROR", killer)]
    assert talker.finals == [(segment, text) for segment, text in talker.owed if segment != killer]
