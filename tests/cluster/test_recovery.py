"""What became of finals, as Redis has it: one question for all sessions of a process, an answer to each."""

import asyncio
from collections.abc import Callable

import pytest
import redis.asyncio

from tests.cluster.workers import announce
from transcription.cluster import recovery
from transcription.cluster.recovery import JobStates, Recovery
from transcription.core.contract import jobs, keyspace
from transcription.core.contract.jobs import Failure, Kind

GONE = Failure(job_id="answered", segment_id="seg-0001", kind=Kind.FINAL, reason="no", retryable=False)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "GATHER_S", 0.01)


@pytest.fixture
def finals(valkey: redis.Redis) -> None:
    """One of each kind."""
    announce(valkey, "alive")
    valkey.set(keyspace.result_key("answered"), jobs.encode_result(GONE))
    valkey.set(keyspace.claim_key("in hand"), "alive")
    valkey.set(keyspace.claim_key("died"), "dead")
    valkey.rpush(keyspace.QUEUE, '{"properties": {"correlation_id": "queued"}}', '{"body": "of another kind"}')


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("finals")
async def test_each_session_hears_of_its_own(async_valkey: redis.asyncio.Redis) -> None:
    """Answered unheard, lost on the way, taken by a worker that is gone; who has nothing to hear is left alone."""
    told: dict[str, JobStates] = {}
    asks = Recovery(async_valkey)
    asks.ask(("queued", "in hand"), lambda states: told.update(waits=states))
    asks.ask(("answered", "queued", "lost"), lambda states: told.update(first=states))
    asks.ask(("died",), lambda states: told.update(second=states))
    await eventually(lambda: len(told) == 2)

    assert told == {"first": JobStates(results=[GONE], lost=["lost"]), "second": JobStates(died=["died"])}


@pytest.mark.usefixtures("finals")
async def test_a_dead_worker_s_claim_is_told_once(async_valkey: redis.asyncio.Redis, valkey: redis.Redis) -> None:
    """It is taken away, for the next worker's; until then the job is nobody's."""
    told = list[JobStates]()
    asks = Recovery(async_valkey)
    for number in (1, 2):
        asks.ask(("died",), told.append)
        await eventually(lambda number=number: len(told) == number)

    assert told == [JobStates(died=["died"]), JobStates(lost=["died"])]
    assert not valkey.exists(keyspace.claim_key("died"))


async def test_a_question_that_fails_does_not_cost_the_next(
    async_valkey: redis.asyncio.Redis, valkey: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is it answered: nothing is taken for lost because Redis is away."""
    told = list[object]()
    asks = Recovery(async_valkey)
    valkey.set(keyspace.QUEUE, "no list")
    asks.ask(("lost",), lambda states: told.append("early"))
    await eventually(lambda: "cannot be asked after" in caplog.text)
    valkey.delete(keyspace.QUEUE)
    asks.ask(("lost",), told.append)
    await eventually(lambda: told)

    assert told == [JobStates(lost=["lost"])]


@pytest.mark.usefixtures("finals")
async def test_a_question_that_comes_while_another_is_answered_is_asked_too(
    async_valkey: redis.asyncio.Redis,
) -> None:
    """Not when the next one comes, whoever may ask it."""
    told = list[JobStates]()
    asks = Recovery(async_valkey)
    asks.ask(("lost",), lambda states: asks.ask(("died",), told.append))
    await eventually(lambda: told)

    assert told == [JobStates(died=["died"])]
