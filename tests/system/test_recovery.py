"""Things break under a session: each final still arrives once, word for word."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from harness.audio import noise
from harness.echo import heard
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import off_the_loop, until
from launcher.supervisor import Child
from transcription.core.contract import keyspace

SLOW = ECHO | {"STT_ECHO_DECODE_MS": "1000", "STT_LANES": "1", "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "15000"}
POLLED_S = 2.0
"""After so long nothing is left of a frozen worker's last look into the queue."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One web process and one worker that takes a second for a decode, with nobody else."""
    with Stack(tmp_path_factory.mktemp("recovery"), SLOW) as stack:
        yield stack.start()


def worker_of(stack: Stack) -> Child:
    """The stack's worker, the latest."""
    return stack.running("worker")[-1]


async def begin(talker: Talker, pcm: bytes) -> None:
    """One utterance without VAD, flushed, its final in a worker's hands."""
    await talker.start(config={"vad_enabled": False, "partial_results": False})
    await talker.stream(pcm, pace=0)
    await talker.say("flush")
    await asyncio.sleep(0.5)


async def finals(talker: Talker) -> list[str]:
    """The texts of all finals up to the end of the session."""
    await talker.end()
    assert talker.of("error") == []
    return [final["text"] for final in talker.of("final_transcript")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_worker_dies_or_freezes_with_a_final_in_hand(stack: Stack, number: signal.Signals) -> None:
    """Another runs it."""
    pcm = noise(2.0)
    worker = worker_of(stack)
    async with Talker(stack.ws_url) as talker:
        await begin(talker, pcm)
        worker.signal(number)
        await asyncio.to_thread(stack.start_worker)

        assert await finals(talker) == [heard(pcm)]
    worker.signal(signal.SIGKILL)


async def test_a_final_lost_on_its_way_is_missed_though_others_wait(stack: Stack) -> None:
    """It is in the queue again while nobody takes anything from there."""
    said = noise(2.0, 5), noise(1.0, 6)
    worker = worker_of(stack)

    def both_wait() -> bool:
        return stack.redis.llen(keyspace.QUEUE) == len(said)

    async with Talker(stack.ws_url) as first, Talker(stack.ws_url) as second:
        for talker in (first, second):
            await talker.start(config={"vad_enabled": False, "partial_results": False})
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(POLLED_S)
        for talker, pcm in zip((first, second), said, strict=True):
            await talker.stream(pcm, pace=0)
            await talker.say("flush")
        await asyncio.to_thread(until, both_wait, "two finals in the queue")

        stack.redis.rpop(keyspace.QUEUE)
        await asyncio.to_thread(until, both_wait, "the lost final in the queue again")

        worker.signal(signal.SIGKILL)
        await asyncio.to_thread(stack.start_worker)
        assert [await finals(first), await finals(second)] == [[heard(pcm)] for pcm in said]


async def test_redis_comes_back_empty_in_the_middle_of_an_utterance(stack: Stack) -> None:
    """What was said before is stored again; the socket stays open, nobody else is restarted."""
    first, second = noise(2.0, 1), noise(1.0, 2)
    async with Talker(stack.ws_url) as talker:
        await talker.start(config={"vad_enabled": False})
        await talker.stream(first)
        async with off_the_loop(stack.redis_down()):
            pass
        await talker.stream(second)

        assert await finals(talker) == [heard(first + second)]


async def test_redis_comes_back_empty_while_a_final_is_awaited(stack: Stack) -> None:
    """Its job and its audio are gone; both are sent again."""
    pcm = noise(2.0, 3)
    async with Talker(stack.ws_url) as talker:
        await begin(talker, pcm)
        async with off_the_loop(stack.redis_down()):
            await asyncio.sleep(3.0)

        assert await finals(talker) == [heard(pcm)]


async def test_an_answer_that_the_channel_layer_dropped_is_fetched(stack: Stack) -> None:
    """From its stored copy."""
    pcm = noise(2.0, 4)
    async with Talker(stack.ws_url) as talker:
        await begin(talker, pcm)
        stack.redis.client_kill_filter(_type="pubsub", skipme=False)  # the answer comes while nobody listens

        assert await finals(talker) == [heard(pcm)]
