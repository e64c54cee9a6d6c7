"""Processes that die, freeze or are asked to go, and a database that does not answer, while finals are awaited."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator

import pytest

from reliability.cluster import Cluster
from tests.system.chaos.dictation import Dictation
from tests.system.stack import until
from transcription.core.cluster import LEASE_TTL_S

RECOVERS_S = 12.0
"""Patience, well under STT_RESULT_TIMEOUT_S: nothing but the loss itself may be what is noticed."""


@pytest.fixture(scope="module")
def shared(start_cluster: Callable[..., Cluster]) -> Cluster:
    """One cluster for the module."""
    return start_cluster()


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """As it was before: what has ended is started again, and counted on."""
    yield shared
    for child in [child for child in shared.children if child.returncode not in (None, 0) or child in shared.killed]:
        if child.wait(20):
            again = shared.again(child)
            if child.name == "worker":
                shared.await_worker(again)


def busy(cluster: Cluster) -> None:
    """Until both workers have jobs in hand."""
    until(lambda: cluster.redis.hlen("unacked") >= 8, "jobs in hand")


def recorded(cluster: Cluster, session_id: str) -> list[tuple[str, str]]:
    """Segments and texts of a session in the audit records."""
    with contextlib.closing(sqlite3.connect(cluster.database)) as database:
        rows = database.execute(
            "SELECT segment_id, text FROM transcription_segment WHERE session_id ="
            " (SELECT id FROM transcription_session WHERE session_id = ?) ORDER BY segment_id",
            [session_id],
        )
        return list(rows)


async def test_a_killed_worker_s_finals_are_run_by_another(cluster: Cluster) -> None:
    """Kill -9 with jobs in hand and jobs waiting: each final comes, once, in order, word for word."""
    async with Dictation(cluster.ws_url) as one, Dictation(cluster.ws_urls[1]) as two:
        for talker in (one, two):
            await talker.begin()
            await talker.dictate(12)
        await asyncio.to_thread(busy, cluster)
        cluster.kill(cluster.ready("worker")[0])
        await asyncio.gather(one.finish(RECOVERS_S), two.finish(RECOVERS_S))

    assert one.received == one.owed
    assert two.received == two.owed


async def test_finals_wait_for_the_only_worker_to_be_back(cluster: Cluster) -> None:
    """All workers killed, one started again: it does what the dead ones had taken."""
    async with Dictation(cluster.ws_url) as talker:
        await talker.begin()
        await talker.dictate(12)
        await asyncio.to_thread(busy, cluster)
        first, second = cluster.ready("worker")
        cluster.kill(first)
        cluster.kill(second)
        cluster.again(first)
        await talker.finish(RECOVERS_S + 10)

    assert talker.received == talker.owed


async def test_a_frozen_worker_s_finals_are_run_by_another(cluster: Cluster) -> None:
    """SIGSTOP; when it goes on with what others have done, nobody hears of it."""
    async with Dictation(cluster.ws_url) as talker:
        await talker.begin()
        await talker.dictate(12)
        await asyncio.to_thread(busy, cluster)
        with cluster.frozen(cluster.ready("worker")[0]):
            while len(talker.of("final_transcript")) < 12:
                await talker.next(RECOVERS_S)
        await asyncio.sleep(1.0)
        await talker.dictate(4)
        await talker.finish(RECOVERS_S)

    assert talker.received == talker.owed


async def test_a_worker_that_is_asked_to_go_loses_nothing(cluster: Cluster) -> None:
    """SIGTERM under load, as a rolling deploy does; it ends by itself."""
    async with Dictation(cluster.ws_url) as talker:
        await talker.begin()
        await talker.dictate(16)
        await asyncio.to_thread(busy, cluster)
        leaving = cluster.ready("worker")[0]
        cluster.terminate(leaving)
        await talker.dictate(8)
        await talker.finish(RECOVERS_S)
        ended = await asyncio.to_thread(leaving.wait, 10)

    assert talker.received == talker.owed
    assert ended
    assert leaving.returncode == 0


async def test_a_killed_web_process_takes_nobody_with_it(cluster: Cluster) -> None:
    """Sessions elsewhere go on; its session_id can be used again within seconds; what it stored expires."""
    doomed_web = cluster.webs[1]
    async with Dictation(cluster.ws_url) as other, Dictation(cluster.ws_urls[1]) as doomed:
        await other.begin()
        await doomed.begin(session_id="doomed")
        await other.dictate(8)
        await doomed.dictate(8)
        cluster.kill(doomed_web)
        await other.finish(RECOVERS_S)
    answer = {"type": "error"}
    deadline = time.monotonic() + LEASE_TTL_S + 3
    async with Dictation(cluster.ws_url) as heir:
        while answer["type"] == "error" and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            answer = await heir.start(session_id="doomed")
    keys = cluster.redis.keys("stt:audio:*") + cluster.redis.keys("stt:result:*")

    assert other.received == other.owed
    assert answer["type"] == "session_started"
    assert all(cluster.redis.ttl(key) > 0 for key in keys)


async def test_a_client_that_hangs_up_at_once_is_transcribed_to_the_end(cluster: Cluster) -> None:
    """Gone before the first answer could be sent: what it had said is recorded, word for word."""
    async with Dictation(cluster.ws_url) as talker:
        await talker.say("start_session", session_id="gone", config={"vad_enabled": False})
        await talker.dictate(4)
        talker.ws.transport.close()

    await asyncio.to_thread(until, lambda: recorded(cluster, "gone") == talker.owed, "the records", RECOVERS_S)


async def test_a_locked_database_holds_nobody_up(cluster: Cluster) -> None:
    """For longer than a writer waits: sessions begin, are answered and end; their records are written later."""
    async with Dictation(cluster.ws_url) as talker:
        with cluster.database_locked():
            await talker.begin(session_id="unrecorded")
            await talker.dictate(4)
            await talker.finish(RECOVERS_S)
            await asyncio.sleep(7.0)

    assert talker.received == talker.owed
    await asyncio.to_thread(until, lambda: recorded(cluster, "unrecorded") == talker.owed, "the records", 20)
