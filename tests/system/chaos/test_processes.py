"""Processes that die, freeze or are asked to go, and a database that does not answer, while finals are awaited."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator

import pytest

from harness.stack import Stack
from harness.waiting import until
from tests.system.chaos.dictation import Dictation
from transcription.core.contract.keyspace import LEASE_TTL_S

RECOVERS_S = 12.0
"""Patience, well under STT_RESULT_TIMEOUT_S: nothing but the loss itself may be what is noticed."""


@pytest.fixture(scope="module")
def shared(open_stack: Callable[..., Stack]) -> Stack:
    """One stack for the module."""
    return open_stack().start(workers=2, webs=2)


@pytest.fixture
def stack(shared: Stack) -> Iterator[Stack]:
    """As it was before: what has ended is started again, and counted on."""
    yield shared
    for child in [child for child in shared.children if child.returncode not in (None, 0) or child in shared.killed]:
        if child.wait(20):
            again = shared.again(child)
            if child.name == "worker":
                shared.await_worker(again)


def busy(stack: Stack) -> None:
    """Until both workers have jobs in hand."""
    until(lambda: stack.redis.hlen("unacked") >= 8, "jobs in hand")


def recorded(stack: Stack, session_id: str) -> list[tuple[str, str]]:
    """Segments and texts of a session in the audit records."""
    with contextlib.closing(sqlite3.connect(stack.database)) as database:
        rows = database.execute(
            "SELECT segment_id, text FROM transcription_segment WHERE session_id ="
            " (SELECT id FROM transcription_session WHERE session_id = ?) ORDER BY segment_id",
            [session_id],
        )
        return list(rows)


async def test_a_killed_worker_s_finals_are_run_by_another(stack: Stack) -> None:
    """Kill -9 with jobs in hand and jobs waiting: each final comes, once, in order, word for word."""
    async with Dictation(stack.ws_url) as one, Dictation(stack.ws_urls[1]) as two:
        for talker in (one, two):
            await talker.begin()
            await talker.dictate(12)
        await asyncio.to_thread(busy, stack)
        stack.kill(stack.ready("worker")[0])
        await asyncio.gather(one.finish(RECOVERS_S), two.finish(RECOVERS_S))

    assert one.finals == one.owed
    assert two.finals == two.owed


async def test_finals_wait_for_the_only_worker_to_be_back(stack: Stack) -> None:
    """All workers killed, one started again: it does what the dead ones had taken."""
    async with Dictation(stack.ws_url) as talker:
        await talker.begin()
        await talker.dictate(12)
        await asyncio.to_thread(busy, stack)
        first, second = stack.ready("worker")
        stack.kill(first)
        stack.kill(second)
        stack.again(first)
        await talker.finish(RECOVERS_S + 10)

    assert talker.finals == talker.owed


async def test_a_frozen_worker_s_finals_are_run_by_another(stack: Stack) -> None:
    """SIGSTOP; when it goes on with what others have done, nobody hears of it."""
    async with Dictation(stack.ws_url) as talker:
        await talker.begin()
        await talker.dictate(12)
        await asyncio.to_thread(busy, stack)
        with stack.frozen(stack.ready("worker")[0]):
            while len(talker.of("final_transcript")) < 12:
                await talker.next(RECOVERS_S)
        await asyncio.sleep(1.0)
        await talker.dictate(4)
        await talker.finish(RECOVERS_S)

    assert talker.finals == talker.owed


async def test_a_worker_that_is_asked_to_go_loses_nothing(stack: Stack) -> None:
    """SIGTERM under load, as a rolling deploy does; it ends by itself."""
    async with Dictation(stack.ws_url) as talker:
        await talker.begin()
        await talker.dictate(16)
        await asyncio.to_thread(busy, stack)
        leaving = stack.ready("worker")[0]
        stack.terminate(leaving)
        await talker.dictate(8)
        await talker.finish(RECOVERS_S)
        ended = await asyncio.to_thread(leaving.wait, 10)

    assert talker.finals == talker.owed
    assert ended
    assert leaving.returncode == 0


async def test_a_killed_web_process_takes_nobody_with_it(stack: Stack) -> None:
    """Sessions elsewhere go on; its session_id can be used again within seconds; what it stored expires."""
    doomed_web = stack.webs[1]
    async with Dictation(stack.ws_url) as other, Dictation(stack.ws_urls[1]) as doomed:
        await other.begin()
        await doomed.begin(session_id="doomed")
        await other.dictate(8)
        await doomed.dictate(8)
        stack.kill(doomed_web)
        await other.finish(RECOVERS_S)
    answer = {"type": "error"}
    deadline = time.monotonic() + LEASE_TTL_S + 3
    async with Dictation(stack.ws_url) as heir:
        while answer["type"] == "error" and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            answer = await heir.start(session_id="doomed")
    keys = stack.redis.keys("stt:audio:*") + stack.redis.keys("stt:result:*")

    assert other.finals == other.owed
    assert answer["type"] == "session_started"
    assert all(stack.redis.ttl(key) > 0 for key in keys)


async def test_a_client_that_hangs_up_at_once_is_transcribed_to_the_end(stack: Stack) -> None:
    """Gone before the first answer could be sent: what it had said is recorded, word for word."""
    async with Dictation(stack.ws_url) as talker:
        await talker.say("start_session", session_id="gone", config={"vad_enabled": False})
        await talker.dictate(4)
        # not `close`: with unread answers that resets the connection, and what the server has not read yet is lost
        talker.ws.transport.write_eof()
        await asyncio.to_thread(until, lambda: recorded(stack, "gone") == talker.owed, "the records", RECOVERS_S)


async def test_a_locked_database_holds_nobody_up(stack: Stack) -> None:
    """For longer than a writer waits: sessions begin, are answered and end; their records are written later."""
    async with Dictation(stack.ws_url) as talker:
        with stack.database_locked():
            await talker.begin(session_id="unrecorded")
            await talker.dictate(4)
            await talker.finish(RECOVERS_S)
            await asyncio.sleep(7.0)

    assert talker.finals == talker.owed
    await asyncio.to_thread(until, lambda: recorded(stack, "unrecorded") == talker.owed, "the records", 20)
