"""What is held while Redis is full and the broker takes nothing: a real Valkey, a scripted broker."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import redis.asyncio
from kombu.exceptions import OperationalError

from tests.system.stack import Stack
from transcription.core.jobs import Job, Kind
from transcription.outbox import RETRY_S, Append, Delete, Outbox

HELD, FREED = "stt:audio:test:held", "stt:audio:test:freed"


class Broker:
    """Publishes, after some refusals."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.published: list[str] = []

    def __call__(self, job: Job) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.errors:
            done.set_exception(self.errors.pop(0))
        else:
            self.published.append(job.job_id)
            done.set_result(None)
        return done


@pytest.fixture
async def client(echo_stack: Stack) -> AsyncIterator[redis.asyncio.Redis]:
    """The stack's Valkey; what was done to its memory is undone."""
    async with redis.asyncio.Redis.from_url(echo_stack.redis_url) as client:
        yield client
        await client.config_set("maxmemory", 0)
        await client.delete(HELD, FREED)


def job(name: str, kind: Kind) -> Job:
    return Job(
        job_id=name, group="", segment_id="", kind=kind, audio_key=HELD, overtaken_key="", number=1, start=0, end=None,
        language="pt", beam_size=1, word_timestamps=False,
    )  # fmt: skip


async def eventually(holds: Callable[[], object]) -> None:
    """Give the outbox time, many retries of it."""
    async with asyncio.timeout(20 * RETRY_S):
        while not holds():
            await asyncio.sleep(0.02)


async def test_audio_and_its_final_wait_until_redis_has_memory(client: redis.asyncio.Redis) -> None:
    """Meanwhile what makes room is done, though it was asked for later; then all goes, in order."""
    await client.set(FREED, b"x")
    await client.config_set("maxmemory", 1)
    broker, stored = Broker(), []
    outbox = Outbox(client, broker)
    outbox.put(Append(HELD, 0, b"ab" * 100, bytes, stored.append))
    outbox.put(job("final", Kind.FINAL))
    await eventually(lambda: outbox.stuck)
    outbox.put(Delete((FREED,)))
    async with asyncio.timeout(20 * RETRY_S):
        while await client.exists(FREED):
            await asyncio.sleep(0.02)
    early = (list(stored), list(broker.published))
    await client.config_set("maxmemory", 0)
    await eventually(lambda: broker.published)

    assert early == ([], [])
    assert stored == [100]
    assert await client.get(HELD) == b"ab" * 100
    assert not outbox.stuck


async def test_a_final_the_broker_refuses_is_tried_again_a_partial_is_not(client: redis.asyncio.Redis) -> None:
    """Nor is one that would fail again."""
    broker = Broker(OperationalError("full"), OperationalError("full"), TypeError("a bug"), OperationalError("full"))
    outbox = Outbox(client, broker)
    for name, kind in (("partial", Kind.PARTIAL), ("kept", Kind.FINAL), ("broken", Kind.FINAL)):
        outbox.put(job(name, kind))
    await eventually(lambda: broker.published)
    outbox.put(job("after", Kind.PARTIAL))
    await eventually(lambda: len(broker.published) == 2)

    assert broker.published == ["kept", "after"]
