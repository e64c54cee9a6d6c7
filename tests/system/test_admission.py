"""Places, leases and refusals, in a cluster of their own."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from harness.audio import noise
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import until
from transcription.core.contract.keyspace import LEASE_TTL_S


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two places, a queue of four, a worker that takes 400 ms a job, one after the other."""
    settings = ECHO | {"STT_MAX_SESSIONS": "2", "STT_MAX_QUEUE_DEPTH": "4", "STT_ECHO_DECODE_MS": "400"}
    settings |= {"STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "1200", "STT_IDLE_TIMEOUT_S": "3", "STT_LANES": "1"}
    with Stack(tmp_path_factory.mktemp("small"), settings) as stack:
        stack.start_web()
        stack.start_web()
        yield stack


async def test_without_a_worker_nobody_is_admitted(small: Stack) -> None:
    """Not ready, and a refusal that says why and when to try again."""
    async with Talker(small.ws_url) as talker:
        refused = await talker.start()
    ready = requests.get(f"{small.http_url}/health/ready", timeout=5)

    assert (refused["code"], refused["message"]) == ("QUEUE_CONGESTION", "No worker is ready")
    assert refused["retry_after_ms"] > 0
    assert ready.status_code == 503
    assert ready.json()["checks"]["worker"] != "ok"


async def test_the_limit_of_sessions_holds_across_processes(small: Stack) -> None:
    """Twenty starts race on two processes for two places: two get in; a freed place is free at once."""
    small.start_worker()
    async with asyncio.TaskGroup() as group:
        talkers = [Talker(url) for url in small.ws_urls * 10]
        for talker in talkers:
            group.create_task(talker.__aenter__())
    answers = await asyncio.gather(*(talker.start() for talker in talkers))
    started = [talker for talker, answer in zip(talkers, answers, strict=True) if answer["type"] == "session_started"]
    refused = [answer for answer in answers if answer["type"] == "error"]
    await started[0].end()
    async with Talker(small.ws_url) as late:
        answer = await late.start()
    for talker in talkers:
        await talker.ws.close()

    assert len(started) == 2
    assert {(error["code"], error["message"]) for error in refused} == {
        ("MAX_SESSIONS_REACHED", "Maximum sessions reached: 2")
    }
    assert answer["type"] == "session_started"


def accepting(stack: Stack) -> bool:
    """Whether nobody is inside, every job is acknowledged, and admission has recovered from what was."""
    status = requests.get(f"{stack.http_url}/health/status", timeout=5).json()
    return status["accepting_requests"] and not status["sessions"]["active"] and not status["queue"]["depth"]


async def refused_behind(small: Stack, jobs: int, after_s: float) -> tuple[dict[str, Any], Talker]:
    """The refusal of a session that starts while so many finals of another wait, and that other, at its end."""
    until(lambda: accepting(small), "room for two")
    async with Talker(small.ws_url) as busy, Talker(small.ws_urls[1]) as late:
        await busy.start(config={"vad_enabled": False, "partial_results": False})
        for seed in range(jobs):
            await busy.ws.send(noise(0.3, seed))
            await busy.say("flush")
        await asyncio.sleep(after_s)
        refused = await late.start()
        await busy.end()
    return refused, busy


async def test_a_full_queue_refuses_with_its_figures(small: Stack) -> None:
    """Jobs that wait and run count, whoever sent them."""
    refused, busy = await refused_behind(small, jobs=8, after_s=0.3)

    assert refused["code"] == "QUEUE_FULL"
    depth, limit = refused["message"].removeprefix("Queue full: ").split("/")
    assert int(depth) >= int(limit) == 4
    assert len(busy.of("final_transcript")) == 8, "finals of an admitted session are never refused"


async def test_a_predicted_wait_refuses_as_congestion(small: Stack) -> None:
    """Three jobs of 400 ms before a final: over 1200 ms."""
    refused, _ = await refused_behind(small, jobs=3, after_s=0.2)

    assert refused["code"] == "QUEUE_CONGESTION"
    assert "exceeds 1200 ms" in refused["message"]


async def test_a_silent_client_times_out(small: Stack) -> None:
    """Nothing sent for STT_IDLE_TIMEOUT_S ends the session, reason timeout; its place is free."""
    until(lambda: accepting(small), "room")
    async with Talker(small.ws_url) as talker:
        await talker.start(session_id="idle")
        ended = await talker.until("session_ended", patience_s=10)

    assert ended["reason"] == "timeout"
    assert not small.redis.exists("stt:session:idle")


async def test_a_dead_process_loses_its_places(small: Stack) -> None:
    """Kill -9 of a web process: its session_id can be used again once the lease has lapsed."""
    async with Talker(small.ws_urls[1]) as doomed, Talker(small.ws_url) as heir:
        await doomed.start(session_id="orphan")
        small.kill(small.webs[1])
        refused = await heir.start(session_id="orphan")
        deadline = time.monotonic() + LEASE_TTL_S + 3
        answer = refused
        while answer["type"] == "error" and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            answer = await heir.start(session_id="orphan")

    assert refused["code"] == "SESSION_EXISTS"
    assert answer == {"type": "session_started", "session_id": "orphan"}


async def test_a_worker_that_is_gone_is_noticed(small: Stack) -> None:
    """Within two seconds, without anybody being told."""
    small.kill(small.running("worker")[0])
    until(lambda: requests.get(f"{small.http_url}/health/ready", timeout=5).status_code == 503, "readiness to go", 2.1)
    status = requests.get(f"{small.http_url}/health/status", timeout=5).json()

    assert status["status"] == "not_ready"
    assert status["accepting_requests"] is False
