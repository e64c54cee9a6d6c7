"""Places in a cluster of a real Valkey and of workers that are only heard of: who gets one, keeps it, gives it back."""

import asyncio
import time
from collections.abc import Callable

import msgspec
import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.cluster.workers import announce
from transcription.cluster import capacity
from transcription.cluster.capacity import Capacity, read_cluster, read_gave_up
from transcription.core import resuming
from transcription.core.capacity.admission import Admission, Admitted, Principal, Refusal
from transcription.core.config import Limits
from transcription.core.contract import keyspace
from transcription.core.contract.heartbeat import Cost, GaveUp
from transcription.core.protocol import ErrorCode
from transcription.core.resuming import Checkpoint

LIMITS = Limits(max_sessions=3, max_queue_depth=4, max_estimated_server_total_ms=2_000)
ANA, BEA = Principal("1", "ana", 1), Principal("2", "bea", None)


@pytest.fixture(autouse=True)
def worker(valkey: redis.Redis) -> None:
    announce(valkey)


@pytest.fixture
def places(async_valkey: redis.asyncio.Redis) -> Capacity:
    return Capacity(async_valkey, LIMITS)


@pytest.fixture
def elsewhere(async_valkey: redis.asyncio.Redis) -> Capacity:
    """Another web process's."""
    return Capacity(async_valkey, LIMITS)


def code(admission: Admission) -> ErrorCode | None:
    return admission.code if isinstance(admission, Refusal) else None


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def test_many_who_ask_at_once_get_as_many_places_as_there_are(
    places: Capacity, elsewhere: Capacity, valkey: redis.Redis
) -> None:
    """On two processes, whatever they have read: looking and taking are one."""
    asked = [(places, elsewhere)[i % 2].admit(f"s{i}", f"owner{i}") for i in range(12)]
    answers = [code(admission) for admission in await asyncio.gather(*asked)]

    assert answers.count(None) == 3
    assert answers.count(ErrorCode.MAX_SESSIONS_REACHED) == 9
    assert valkey.zcard(keyspace.SESSIONS_KEY) == 3
    assert valkey.hgetall(keyspace.COUNTERS_KEY) == {b"requests": b"12", b"rejected": b"9"}


async def test_a_name_is_taken_once_and_free_when_it_is_given_back(places: Capacity, elsewhere: Capacity) -> None:
    assert code(await places.admit("s", "first")) is None
    assert code(await elsewhere.admit("s", "second")) is ErrorCode.SESSION_EXISTS
    await places.release("first")
    assert code(await elsewhere.admit("s", "second")) is None


async def test_an_answer_that_was_lost_does_not_cost_the_place(places: Capacity, valkey: redis.Redis) -> None:
    """The connection may break after the script has run: who asks again under the same owner has what he has."""
    for _ in range(2):
        assert await places.admit("s", "owner", ANA) == Admitted()
        places._owned.clear()

    assert valkey.zcard(keyspace.SESSIONS_KEY) == valkey.zcard(keyspace.STARTING_KEY) == 1


async def test_giving_back_twice_or_too_late_takes_nothing_from_others(
    places: Capacity, elsewhere: Capacity, valkey: redis.Redis
) -> None:
    """A place that has lapsed may be somebody else's by now."""
    await places.admit("s", "first")
    valkey.delete(keyspace.lease_key("s"))
    await elsewhere.admit("s", "second")
    await places.release("first")
    await places.release("first")

    assert valkey.get(keyspace.lease_key("s")) == b"second"
    assert valkey.zcard(keyspace.SESSIONS_KEY) == 1


async def test_a_key_has_so_many_sessions_and_others_are_not_counted(places: Capacity) -> None:
    assert code(await places.admit("a", "1", ANA)) is None
    refused = await places.admit("b", "2", ANA)
    assert (code(refused), refused.message) == (
        ErrorCode.MAX_SESSIONS_REACHED,
        "Maximum sessions of this API key reached: 1",
    )
    assert code(await places.admit("c", "3", BEA)) is None
    await places.release("1")
    assert code(await places.admit("b", "2", ANA)) is None


async def test_places_of_a_dead_process_lapse(places: Capacity, valkey: redis.Redis) -> None:
    """By Redis' own clock: what is not renewed counts no more, neither here nor for the key."""
    for name in ("a", "b", "c"):
        valkey.zadd(keyspace.SESSIONS_KEY, {name: time.time() - 1})
    valkey.zadd(keyspace.key_sessions_key(ANA.key_id), {"a": time.time() - 1})

    assert code(await places.admit("d", "4", ANA)) is None
    assert valkey.zrange(keyspace.SESSIONS_KEY, 0, -1) == [b"d"]


def no_worker(client: redis.Redis) -> None:
    client.delete(keyspace.WORKERS_KEY)


def queue_full(client: redis.Redis) -> None:
    client.rpush(keyspace.QUEUE, *"abcd")


def slow_and_three_starting(client: redis.Redis) -> None:
    announce(client, final_cost=Cost(base_ms=700.0), max_batch=1)
    client.zadd(keyspace.SESSIONS_KEY, {"a": 9e9})
    client.zadd(keyspace.STARTING_KEY, dict.fromkeys("abc", time.time() * 1000))


@pytest.mark.parametrize(
    ("prepare", "expected", "message"),
    [
        (no_worker, ErrorCode.QUEUE_CONGESTION, "No worker is ready"),
        (queue_full, ErrorCode.QUEUE_FULL, "Queue full: 4/4"),
        (slow_and_three_starting, ErrorCode.QUEUE_CONGESTION, "Estimated latency 2460 ms exceeds 2000 ms"),
    ],
)
async def test_a_refusal_says_why(
    places: Capacity, valkey: redis.Redis, prepare: Callable[[redis.Redis], None], expected: ErrorCode, message: str
) -> None:
    prepare(valkey)
    refused = await places.admit("s", "owner")

    assert (code(refused), refused.message) == (expected, message)
    assert refused.retry_after_ms
    assert not valkey.exists(keyspace.lease_key("s"))


async def test_redis_without_memory_takes_nobody_in(places: Capacity, valkey: redis.Redis) -> None:
    """Also where the load, read a moment ago, did not say so; those inside lose nothing."""
    await places.read()
    valkey.config_set("maxmemory", 1)
    refused = await places.admit("s", "owner")

    assert (code(refused), refused.message) == (ErrorCode.QUEUE_CONGESTION, "The queue's memory is full: 90 %")
    assert not valkey.exists(keyspace.lease_key("s"), keyspace.SESSIONS_KEY)


async def test_a_redis_that_is_away_refuses_for_a_while() -> None:
    away = Capacity(redis.asyncio.Redis(port=1, retry=Retry(NoBackoff(), 0)), LIMITS)

    assert await away.admit("s", "owner") == Refusal(
        ErrorCode.QUEUE_CONGESTION, "The service cannot reach its queue", retry_after_ms=2_000
    )


async def test_a_session_goes_on_elsewhere_with_what_is_settled(
    places: Capacity, elsewhere: Capacity, valkey: redis.Redis
) -> None:
    """It is told whom it was taken from, each time; another key's is as good as not there, but not free."""
    settled = Checkpoint(segments=2, position=32_000)
    await places.admit("s", "first", BEA, 30)
    kept = {"owner": "first", "key": BEA.key_id, "settled": resuming.encode(settled)}
    valkey.hset(keyspace.resume_key("s"), mapping=kept)

    assert code(await elsewhere.admit("s", "thief", ANA, 30)) is ErrorCode.SESSION_EXISTS
    assert code(await elsewhere.admit("s", "plain", BEA)) is ErrorCode.SESSION_EXISTS
    for _ in range(2):  # the first answer may be lost
        assert await elsewhere.admit("s", "second", BEA, 30) == Admitted(settled, "first")
    await places.release("first")
    assert valkey.get(keyspace.lease_key("s")) == b"second"
    assert valkey.hget(keyspace.resume_key("s"), "owner") == b"second"


async def test_what_may_be_resumed_is_kept_only_if_that_is_asked_for(places: Capacity, valkey: redis.Redis) -> None:
    for name, resumable in (("kept", True), ("over", False)):
        await places.admit(name, name, None, 30)
        valkey.hset(keyspace.resume_key(name), mapping={"owner": name, "key": "", "settled": b"x"})
        await places.release(name, resumable=resumable)

    assert [valkey.exists(keyspace.resume_key(name)) for name in ("kept", "over")] == [1, 0]
    assert valkey.zcard(keyspace.SESSIONS_KEY) == 0


async def test_leases_are_renewed_while_there_are_sessions(
    places: Capacity, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost ones come back; a place that another has is left alone; the last one out ends it."""
    monkeypatch.setattr(capacity, "LEASE_RENEW_S", 0.0)
    monkeypatch.setattr(capacity, "READ_S", 0.01)
    for name in ("mine", "taken"):
        await places.admit(name, name, BEA)
    valkey.flushall()
    announce(valkey)
    valkey.set(keyspace.lease_key("taken"), "another")
    await eventually(lambda: valkey.get(keyspace.lease_key("mine")))
    assert valkey.zrange(keyspace.key_sessions_key(BEA.key_id), 0, -1) == [b"mine"]
    assert valkey.get(keyspace.lease_key("taken")) == b"another"
    for name in ("mine", "taken"):
        await places.release(name)
    keeper = places._keeper
    await asyncio.wait_for(keeper, 5)

    assert not valkey.exists(keyspace.lease_key("mine"))


async def test_a_renewal_under_way_does_not_bring_back_what_is_given_back(
    places: Capacity, valkey: redis.Redis
) -> None:
    for _ in range(20):
        await places.admit("s", "owner")
        await asyncio.gather(places._renew_all(), places.release("owner"), places._renew_all())

        assert not valkey.exists(keyspace.lease_key("s"), keyspace.SESSIONS_KEY)


async def test_the_keeper_outlives_a_redis_that_is_away(
    places: Capacity, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And tells of it once."""
    monkeypatch.setattr(capacity, "READ_S", 0.01)
    monkeypatch.setattr(capacity, "LEASE_RENEW_S", 0.0)
    await places.admit("s", "owner")
    valkey.rename(keyspace.SESSIONS_KEY, "aside")
    valkey.set(keyspace.SESSIONS_KEY, "no set: whatever asks for it fails")
    await eventually(lambda: "cannot be kept up" in caplog.text)
    await asyncio.sleep(0.05)
    valkey.rename("aside", keyspace.SESSIONS_KEY)
    valkey.delete(keyspace.lease_key("s"))
    await eventually(lambda: valkey.exists(keyspace.lease_key("s")))
    await places.release("owner")

    assert caplog.text.count("cannot be kept up") == 1


async def test_all_who_ask_at_once_share_a_read_and_ask_again_later(
    places: Capacity, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No job waits for Redis to say what it said a moment ago."""
    clock = 1_000.0
    monkeypatch.setattr(capacity.time, "monotonic", lambda: clock)
    before = valkey.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]

    def reads() -> int:
        return valkey.info("commandstats")["cmdstat_evalsha"]["calls"] - before

    await places.read()
    first = reads()
    clock += capacity.READ_S / 2
    await asyncio.gather(*(places.read() for _ in range(5)))
    assert reads() == first
    clock += capacity.READ_S
    await asyncio.gather(*(places.read() for _ in range(5)))
    assert reads() == first + 1


async def test_while_there_are_sessions_the_load_is_kept_fresh(
    places: Capacity, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at it asks nobody."""
    monkeypatch.setattr(capacity, "READ_S", 0.01)
    await places.admit("s", "owner")
    valkey.rpush(keyspace.QUEUE, "a")
    await eventually(lambda: places.load.depth == 1)
    await places.release("owner")


async def test_the_step_is_one_for_all_processes(places: Capacity, elsewhere: Capacity, valkey: redis.Redis) -> None:
    """Who sees pressure moves it, others read it; it is left one at a time, and not at once."""
    valkey.rpush(keyspace.QUEUE, *"abc")  # 3 of 4: pressure 0.75
    first, second = await places.read(), await elsewhere.read()
    valkey.delete(keyspace.QUEUE)
    await places._read()
    early = places.load.step
    held = int(valkey.hget(keyspace.SHEDDING_KEY, "at_ms"))
    valkey.hset(keyspace.SHEDDING_KEY, "at_ms", held - 2_100)
    await places._read()

    assert (first.step, second.step, early, places.load.step) == (3, 3, 3, 2)
    assert valkey.hget(keyspace.SHEDDING_KEY, "step") == b"2"


def test_the_picture_counts_what_waits_and_runs_and_forgets_the_dead(valkey: redis.Redis) -> None:
    """Finals, partials and recordings apart, costs averaged over the workers, a dead one's name taken away."""
    announce(valkey, "w2", lanes=3, avg_final_ms=300.0, handling_ms=0.0, max_batch=4)
    valkey.sadd(keyspace.WORKERS_KEY, "dead")
    valkey.rpush(keyspace.QUEUE_KEYS[0], "f")
    valkey.rpush(keyspace.QUEUE_KEYS[2], "p", "p")
    valkey.rpush(keyspace.RECORDED_KEY, "r", "r", "r")
    for tag, priority in (("1", "0"), ("2", "6"), ("3", "0"), ("4", "9")):
        valkey.hset(keyspace.UNACKED_KEY, tag, f'[{{"properties": {{"priority": {priority}}}}}, "", "stt"]')
    now_ms = time.time() * 1000
    valkey.zadd(keyspace.STARTING_KEY, {"new": now_ms, "older": now_ms - 5_000, "settled": now_ms - 60_000})
    valkey.zadd(keyspace.SESSIONS_KEY, dict.fromkeys(("new", "older", "settled"), 9e9))
    picture = read_cluster(valkey)
    load = picture.load

    assert (load.waiting_finals, load.waiting_partials, load.running_finals, load.running_partials) == (1, 2, 2, 1)
    assert (load.waiting_recorded, load.running_recorded, load.depth) == (3, 1, 6)
    assert (load.sessions, load.starting, load.settled) == (3, 1, 1)
    assert (load.workers, load.lanes, load.threads, load.max_batch) == (2, 4, 8, 8)
    assert (load.avg_final_ms, load.handling_ms, load.final_cost.base_ms) == (200.0, 10.0, 100.0)
    assert valkey.smembers(keyspace.WORKERS_KEY) == {b"w1", b"w2"}
    assert {worker.worker_id for worker in picture.workers} == {"w1", "w2"}


async def test_recordings_keep_nobody_out_who_speaks(places: Capacity, valkey: redis.Redis) -> None:
    """They count neither as starting nor as a queue; of their own there are no more than have their turns in time."""
    for number in range(2):
        assert code(await places.admit(f"file{number}", f"owner{number}", recorded=True)) is None
    starting = valkey.zcard(keyspace.STARTING_KEY)
    valkey.rpush(keyspace.RECORDED_KEY, *["r"] * 40)
    await places.read(0)
    refused = await places.admit("file2", "owner2", recorded=True)

    assert starting == 0
    assert (code(refused), refused.message) == (
        ErrorCode.QUEUE_FULL,
        "Too many recordings: 40 of their segments wait",
    )
    assert code(await places.admit("call", "owner3")) is None
    assert valkey.zcard(keyspace.STARTING_KEY) == 1


def test_workers_that_gave_up_are_told_of_for_a_while(valkey: redis.Redis) -> None:
    gave_up = [GaveUp(worker_id=name, reason="broken", at=time.time() - ago) for name, ago in (("a", 5), ("b", 4_000))]
    valkey.rpush(keyspace.GAVE_UP_KEY, *map(msgspec.json.encode, gave_up))

    assert read_gave_up(valkey) == gave_up[:1]


async def test_memory_in_use_counts_where_it_is_bounded(places: Capacity, valkey: redis.Redis) -> None:
    unbounded = await places.read()
    valkey.config_set("maxmemory", "1gb")
    bounded = read_cluster(valkey).load

    assert unbounded.memory == 0.0
    assert 0 < bounded.memory < 0.1
