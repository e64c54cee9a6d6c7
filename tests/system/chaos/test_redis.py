"""Redis restarted, or gone for a while: sockets stay open, audio is held, work resumes by itself."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from harness.audio import noise
from harness.echo import heard
from harness.stack import Stack
from harness.talker import Talker
from harness.waiting import off_the_loop
from tests.system.chaos.dictation import Dictation

RECOVERS_S = 20.0


@pytest.fixture(scope="module")
def stack(open_stack: Callable[..., Stack]) -> Stack:
    """Its Valkey forgets when it is restarted."""
    return open_stack().start(workers=2)


@pytest.fixture(scope="module")
def persistent(open_stack: Callable[..., Stack]) -> Stack:
    """Its Valkey does not."""
    return open_stack(persistent=True).start(workers=2)


async def speak_through(stack: Stack, fault: AbstractContextManager[None], patience_s: float) -> Dictation:
    """A session with finals asked for before and during a fault, and a segment open over it all."""
    async with Dictation(stack.ws_url) as talker:
        await talker.begin()
        await talker.dictate(8)
        await talker.speak(noise(0.5, 1))
        await asyncio.sleep(0.3)  # half of an open segment is in Redis
        async with off_the_loop(fault):
            await talker.speak(noise(0.5, 2))
            await asyncio.sleep(4.0)
            await talker.close_segment()
            await talker.dictate(4)
        await talker.dictate(4)
        await talker.finish(patience_s)
    return talker


@pytest.mark.parametrize("name", ["stack", "persistent"])
async def test_a_restart_is_survived(name: str, request: pytest.FixtureRequest) -> None:
    """Kill -9, back after four seconds: every final comes once, and every process is the one it was."""
    stack = request.getfixturevalue(name)
    before = stack.running("worker") + stack.running("web")
    talker = await speak_through(stack, stack.redis_down(), RECOVERS_S)

    assert talker.finals == talker.owed
    assert [child for child in before if child.returncode is not None] == []


async def test_a_restart_keeps_the_places(stack: Stack) -> None:
    """A live session_id is refused after a restart as before it."""
    async with Dictation(stack.ws_url) as talker, Talker(stack.ws_url) as other:
        await talker.begin(session_id="kept")
        async with off_the_loop(stack.redis_down()):
            pass
        await asyncio.sleep(6.0)  # two renewals
        refused = await other.start(session_id="kept")
        await talker.finish(RECOVERS_S)

    assert refused["code"] == "SESSION_EXISTS"


async def test_a_frozen_redis_is_survived(stack: Stack) -> None:
    """SIGSTOP: connections stay and nothing answers, for longer than a socket's time-out."""
    (redis,) = stack.running("redis")
    talker = await speak_through(stack, stack.frozen(redis), RECOVERS_S)

    assert talker.finals == talker.owed


async def test_more_audio_than_can_be_held_waits_in_the_client(stack: Stack) -> None:
    """Over the bound it is not read from; once Redis is back all of it is heard, word for word."""
    pcm = noise(200.0, 3)
    (redis,) = stack.running("redis")
    async with Talker(stack.ws_url) as talker:
        await talker.start(config={"vad_enabled": False, "partial_results": False})
        with stack.frozen(redis):
            sending = asyncio.create_task(talker.stream(pcm, pace=0))
            await asyncio.sleep(2.0)
            waits = not sending.done()
        await sending
        ended = await talker.end(RECOVERS_S)
    finals = talker.of("final_transcript")
    places = [(round(final["audio_start_ms"] * 32), round(final["audio_duration_ms"] * 32)) for final in finals]

    assert waits
    assert not talker.of("error")
    assert ended["total_audio_ms"] == 200_000
    assert [final["text"] for final in finals] == [heard(pcm[start : start + length]) for start, length in places]
    assert sum(length for _, length in places) == len(pcm)
