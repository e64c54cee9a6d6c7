"""A session of two channels costs two talkers: it takes two places, keeps both, and gives both back."""

from typing import cast

import pytest
import redis
import redis.asyncio

from tests.cluster.workers import announce
from transcription.cluster.capacity import Capacity, read_cluster
from transcription.cluster.memory import MemoryCluster
from transcription.core.capacity.admission import Admission, Admitted, Principal, Refusal, decide
from transcription.core.capacity.load import ClusterLoad
from transcription.core.config import Limits
from transcription.core.contract import keyspace
from transcription.core.protocol import ErrorCode

LIMITS = Limits(max_sessions=3, max_queue_depth=4, max_estimated_server_total_ms=2_000)
KEY = Principal("1", "ana", 2)


@pytest.fixture
def places(async_valkey: redis.asyncio.Redis, valkey: redis.Redis) -> Capacity:
    announce(valkey)
    return Capacity(async_valkey, LIMITS)


def code(admission: Admission) -> ErrorCode | None:
    return admission.code if isinstance(admission, Refusal) else None


async def test_two_places_are_taken_and_given_back(places: Capacity, valkey: redis.Redis) -> None:
    """Of all, of the key, and of those that are starting; nobody gets the one place that is left with two channels."""
    assert code(await places.admit("stereo", "owner", KEY, places=2)) is None
    for key in (keyspace.SESSIONS_KEY, keyspace.STARTING_KEY, keyspace.key_sessions_key("1")):
        assert valkey.zcard(key) == 2
    assert read_cluster(valkey).load.sessions == 2
    assert code(await places.admit("another", "other", places=2)) is ErrorCode.MAX_SESSIONS_REACHED
    assert code(await places.admit("mono", "other")) is None
    await places.release("owner")

    assert valkey.zrange(keyspace.SESSIONS_KEY, 0, -1) == [b"mono"]
    assert not valkey.exists(keyspace.key_sessions_key("1"), keyspace.lease_key("stereo"))


async def test_a_key_with_one_session_left_may_not_have_two_channels(places: Capacity) -> None:
    """They are two of its sessions."""
    assert code(await places.admit("one", "first", KEY)) is None
    assert code(await places.admit("two", "second", KEY, places=2)) is ErrorCode.MAX_SESSIONS_REACHED


async def test_both_are_kept(places: Capacity, valkey: redis.Redis) -> None:
    """As long as the session lasts."""
    await places.admit("stereo", "owner", places=2)
    for name in cast("list[bytes]", valkey.zrange(keyspace.SESSIONS_KEY, 0, -1)):
        valkey.zadd(keyspace.SESSIONS_KEY, {name: 1})
    await places._renew_all()

    assert valkey.zcount(keyspace.SESSIONS_KEY, 2, "+inf") == 2
    assert valkey.zcard(keyspace.SESSIONS_KEY) == 2


async def test_another_connection_that_goes_on_has_the_same_two(
    places: Capacity, async_valkey: redis.asyncio.Redis, valkey: redis.Redis
) -> None:
    """Taken over, not taken again."""
    elsewhere = Capacity(async_valkey, LIMITS)
    await places.admit("stereo", "first", resume_window_s=10, places=2)
    valkey.hset(keyspace.resume_key("stereo"), mapping={"owner": "first", "key": "", "settled": b"\x80"})
    assert isinstance(await elsewhere.admit("stereo", "second", resume_window_s=10, places=2), Admitted)

    assert valkey.zcard(keyspace.SESSIONS_KEY) == 2


def test_the_rule_counts_both() -> None:
    """Where nobody is inside one session may be, whatever it takes."""
    idle = ClusterLoad(workers=1, lanes=1, threads=1)
    limits = Limits(max_sessions=2)

    assert decide(idle, limits, places=2) is None
    assert code(decide(ClusterLoad(workers=1, lanes=1, threads=1, sessions=1), limits, places=2)) == (
        ErrorCode.MAX_SESSIONS_REACHED
    )
    assert code(decide(idle, Limits(max_sessions=1), places=2)) == ErrorCode.MAX_SESSIONS_REACHED


async def test_the_cluster_in_memory_counts_as_the_real_one() -> None:
    """Else tests on it would show nothing."""
    cluster = MemoryCluster(Limits(max_sessions=3))
    assert code(await cluster.admit("stereo", "owner", places=2)) is None
    assert code(await cluster.admit("another", "other", places=2)) is ErrorCode.MAX_SESSIONS_REACHED
    assert code(await cluster.admit("mono", "other")) is None
