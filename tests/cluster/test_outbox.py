"""What is held while Redis is full and the broker takes nothing: a real Valkey, a scripted broker."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
import redis.asyncio

from transcription import metrics
from transcription.cluster import dispatch
from transcription.cluster import outbox as outboxes
from transcription.cluster.outbox import MAX_BATCH, Outbox, Sender
from transcription.core import resuming
from transcription.core.contract import keyspace
from transcription.core.contract.jobs import Job, Kind
from transcription.core.contract.keyspace import audio_key, before_key
from transcription.core.resuming import Checkpoint
from transcription.core.session.effects import (
    CancelPartials,
    DiscardAudio,
    Resend,
    SaveCheckpoint,
    StoreAudio,
    StoreBefore,
    Submit,
)

HELD, FREED = audio_key("test", "held"), audio_key("test", "freed")


class Broker:
    """Publishes, after some refusals."""

    def __init__(self, *errors: redis.RedisError) -> None:
        self.errors = list(errors)
        self.published: list[str] = []

    async def __call__(self, jobs: Sequence[Job]) -> list[redis.RedisError | None]:
        return [self._take(job) for job in jobs]

    def _take(self, job: Job) -> redis.RedisError | None:
        if self.errors:
            return self.errors.pop(0)
        self.published.append(job.job_id)
        return None


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not taken is tried again at once, or nearly."""
    monkeypatch.setattr(outboxes, "RETRY_S", 0.02)


def job(name: str, kind: Kind) -> Job:
    return Job(
        job_id=name, group="", segment_id="", kind=kind, audio_key=HELD, overtaken_key="", number=1, start=0, end=None,
        language="pt", beam_size=1, word_timestamps=False,
    )  # fmt: skip


def sender(stored: list[int], whole: bytes = b"", uid: str = "test", key_id: str = "") -> Sender:
    return Sender(uid, key_id, lambda segment_id: whole, lambda segment_id, samples: stored.append(samples))


async def eventually(holds: Callable[[], object]) -> None:
    """Give the outbox time, many retries of it."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


async def test_audio_and_its_final_wait_until_redis_has_memory(async_valkey: redis.asyncio.Redis) -> None:
    """Meanwhile what makes room is done, though it was asked for later; then all goes, in order."""
    await async_valkey.set(FREED, b"x")
    await async_valkey.config_set("maxmemory", 1)
    broker, stored = Broker(), list[int]()
    outbox = Outbox(async_valkey, broker)
    outbox.put(StoreAudio("held", 0, b"ab" * 100), sender(stored))
    outbox.put(Submit(job("final", Kind.FINAL)), sender(stored))
    await eventually(lambda: outbox.stuck)
    outbox.put(DiscardAudio(("freed",)), sender(stored))
    async with asyncio.timeout(10):
        while await async_valkey.exists(FREED):
            await asyncio.sleep(0.005)
    early = (list(stored), list(broker.published))
    await async_valkey.config_set("maxmemory", 0)
    await eventually(lambda: broker.published)

    assert early == ([], [])
    assert stored == [100]
    assert await async_valkey.get(HELD) == b"ab" * 100
    assert not outbox.stuck


async def test_the_segment_before_is_there_before_the_job_and_goes_with_the_segment(
    async_valkey: redis.asyncio.Redis,
) -> None:
    """Beside the audio of its own; and it does not outlive a web process that dies."""
    before = before_key("test", "held")
    broker = Broker()
    there: list[bytes | None] = []

    async def publish(jobs: Sequence[Job]) -> Sequence[redis.RedisError | None]:
        there.append(await async_valkey.get(before))
        return await broker(jobs)

    outbox = Outbox(async_valkey, publish)
    for effect in (StoreAudio("held", 0, b"ab"), StoreBefore("held", b"cd"), Submit(job("final", Kind.FINAL))):
        outbox.put(effect, sender([]))
    await eventually(lambda: there)
    left_s = await async_valkey.ttl(before)
    outbox.put(DiscardAudio(("held",)), sender([]))
    async with asyncio.timeout(10):
        while await async_valkey.exists(HELD, before):
            await asyncio.sleep(0.005)

    assert there == [b"cd"]
    assert 0 < left_s <= keyspace.AUDIO_TTL_S


async def test_a_final_the_broker_refuses_is_tried_again_a_partial_is_not(async_valkey: redis.asyncio.Redis) -> None:
    broker = Broker(*(redis.ResponseError("full") for _ in range(3)))
    outbox = Outbox(async_valkey, broker)
    for name, kind in (("partial", Kind.PARTIAL), ("kept", Kind.FINAL)):
        outbox.put(Submit(job(name, kind)), sender([]))
    await eventually(lambda: broker.published)
    outbox.put(Submit(job("after", Kind.PARTIAL)), sender([]))
    await eventually(lambda: len(broker.published) == 2)

    assert broker.published == ["kept", "after"]


async def test_a_broker_that_is_full_is_given_room(async_valkey: redis.asyncio.Redis, valkey: redis.Redis) -> None:
    """Audio may fit where its final does not any more; and as long as that waits the outbox is stuck."""
    valkey.set(FREED, b"x")
    stuck = list[bool]()

    async def publish(jobs: Sequence[Job]) -> Sequence[redis.RedisError | None]:
        valkey.config_set("maxmemory", 1 if valkey.exists(FREED) else 0)
        stuck.append(outbox.stuck)
        return await dispatch.publish(async_valkey, jobs)

    outbox = Outbox(async_valkey, publish)
    outbox.put(Submit(job("test:held:f1", Kind.FINAL)), sender([]))
    await eventually(lambda: outbox.stuck)
    outbox.put(DiscardAudio(("freed",)), sender([]))
    await eventually(lambda: valkey.llen(keyspace.FINALS_KEY))
    await eventually(lambda: not outbox.stuck)

    assert not stuck[0] and all(stuck[1:])


async def test_a_final_is_in_its_index_before_a_worker_can_have_it(async_valkey: redis.asyncio.Redis) -> None:
    """Audio too, before it is there: whatever is written can be erased. A partial leaves nothing of its own."""
    index = keyspace.index_key("test")
    indexed: list[set[bytes]] = []

    async def publish(jobs: Sequence[Job]) -> list[None]:
        indexed.append(await async_valkey.smembers(index))
        return [None] * len(jobs)

    outbox = Outbox(async_valkey, publish)
    outbox.put(StoreAudio("held", 0, b"ab" * 100), sender([]))
    outbox.put(Submit(job("test:held:p1", Kind.PARTIAL)), sender([]))
    await eventually(lambda: indexed)
    outbox.put(Submit(job("test:held:f1", Kind.FINAL)), sender([]))
    await eventually(lambda: len(indexed) == 2)

    assert indexed == [{b"held"}, {b"held", b"held:f1"}]


async def test_what_sessions_say_is_stored_in_order_before_the_jobs_that_need_it(
    async_valkey: redis.asyncio.Redis, valkey: redis.Redis
) -> None:
    """More than one round trip of it, of two sessions; each hears how much of its own is stored."""
    seen: dict[str, object] = {}
    stored: dict[str, list[int]] = {"a": [], "b": []}

    async def publish(jobs: Sequence[Job]) -> list[None]:
        seen.update((job.job_id, valkey.get(audio_key(job.job_id, "seg-0001"))) for job in jobs)
        return [None] * len(jobs)

    outbox = Outbox(async_valkey, publish)
    before = metrics.unstored_bytes._value.get()
    pieces = [bytes([number]) * 4 for number in range(MAX_BATCH)]
    for number, piece in enumerate(pieces):
        for uid in "ab":
            outbox.put(StoreAudio("seg-0001", 2 * number, piece), sender(stored[uid], uid=uid))
    held = metrics.unstored_bytes._value.get() - before
    for uid in "ab":
        outbox.put(Submit(job(uid, Kind.FINAL)), sender(stored[uid], uid=uid))
    await eventually(lambda: len(seen) == 2)

    assert seen == {"a": b"".join(pieces), "b": b"".join(pieces)}
    assert stored == {"a": [2] * MAX_BATCH, "b": [2] * MAX_BATCH}
    assert (held, metrics.unstored_bytes._value.get()) == (8 * MAX_BATCH, before)


async def test_a_piece_written_twice_is_there_once(async_valkey: redis.asyncio.Redis, valkey: redis.Redis) -> None:
    """Whoever does not hear the answer writes again; what lies behind it stays."""
    stored = list[int]()
    outbox = Outbox(async_valkey, Broker())
    for offset, pcm in ((0, b"aaaa"), (2, b"bbbb"), (0, b"aaaa")):
        outbox.put(StoreAudio("held", offset, pcm), sender(stored))
    await eventually(lambda: len(stored) == 3)

    assert valkey.get(HELD) == b"aaaabbbb"
    assert 0 < valkey.ttl(HELD) <= keyspace.AUDIO_TTL_S


async def test_audio_whose_beginning_redis_has_lost_is_stored_whole(
    async_valkey: redis.asyncio.Redis, valkey: redis.Redis
) -> None:
    """And noted again in what is to be erased."""
    stored = list[int]()
    outbox = Outbox(async_valkey, Broker())
    for offset, pcm in ((4, b"cccc"), (6, b"dddd")):
        outbox.put(StoreAudio("held", offset, pcm), sender(stored, whole=b"aaaabbbbccccdddd"))
    await eventually(lambda: len(stored) == 2)

    assert valkey.get(HELD) == b"aaaabbbbccccdddd"
    assert valkey.smembers(keyspace.index_key("test")) == {b"held"}


async def test_a_final_sent_again_brings_its_audio(async_valkey: redis.asyncio.Redis, valkey: redis.Redis) -> None:
    broker = Broker()
    outbox = Outbox(async_valkey, broker)
    outbox.put(Resend(job("test:held:f1", Kind.FINAL), b"whole"), sender([]))
    await eventually(lambda: broker.published)

    assert valkey.get(HELD) == b"whole"
    assert valkey.smembers(keyspace.index_key("test")) == {b"held", b"held:f1"}
    assert 0 < valkey.ttl(keyspace.index_key("test")) <= keyspace.INDEX_TTL_S
    assert 0 < valkey.ttl(HELD) <= keyspace.AUDIO_TTL_S


async def test_partials_not_wanted_any_more_and_audio_that_is_done_with(
    async_valkey: redis.asyncio.Redis, valkey: redis.Redis
) -> None:
    """The workers are told by number; of several segments only those named go."""
    for name in ("held", "freed", "other"):
        valkey.set(audio_key("test", name), b"x")
    broker = Broker()
    outbox = Outbox(async_valkey, broker)
    outbox.put(CancelPartials("held", 7), sender([]))
    outbox.put(DiscardAudio(()), sender([]))
    outbox.put(DiscardAudio(("held", "freed")), sender([]))
    outbox.put(Submit(job("last", Kind.PARTIAL)), sender([]))
    await eventually(lambda: broker.published)

    assert valkey.get(keyspace.overtaken_key("test", "held")) == b"7"
    assert valkey.exists(HELD, FREED, audio_key("test", "other")) == 1


async def test_how_far_a_session_is_settled_is_noted_by_its_owner_alone(
    async_valkey: redis.asyncio.Redis, valkey: redis.Redis
) -> None:
    """With its key, for as long as is said; who has lost the session to another has no word in it."""
    broker = Broker()
    outbox = Outbox(async_valkey, broker)
    valkey.set(keyspace.lease_key("s"), "mine")
    for uid, segments in (("mine", 1), ("theirs", 9), ("mine", 2), ("theirs", 9)):
        effect = SaveCheckpoint("s", Checkpoint(segments=segments), ttl_s=40)
        outbox.put(effect, sender([], uid=uid, key_id="7"))
    outbox.put(Submit(job("last", Kind.PARTIAL)), sender([]))
    await eventually(lambda: broker.published)
    kept = valkey.hgetall(keyspace.resume_key("s"))

    assert (kept[b"owner"], kept[b"key"]) == (b"mine", b"7")
    assert resuming.decode(kept[b"settled"]).segments == 2
    assert 30 < valkey.ttl(keyspace.resume_key("s")) <= 40


async def test_storing_it_whole_may_fail_too(async_valkey: redis.asyncio.Redis, valkey: redis.Redis) -> None:
    """It is tried again; no silence is left where the beginning was."""
    stored = list[int]()

    def whole(segment_id: str) -> bytes:
        if not outbox.stuck:
            valkey.config_set("maxmemory", 1)
        return b"aaaabbbbcccc"

    outbox = Outbox(async_valkey, Broker())
    outbox.put(
        StoreAudio("held", 4, b"cccc"), Sender("test", "", whole, lambda segment_id, samples: stored.append(samples))
    )
    await eventually(lambda: outbox.stuck)
    valkey.config_set("maxmemory", 0)
    await eventually(lambda: stored)

    assert valkey.get(HELD) == b"aaaabbbbcccc"


async def test_no_hole_is_left_where_nothing_is_kept_any_more(
    async_valkey: redis.asyncio.Redis, valkey: redis.Redis
) -> None:
    """A worker would take it for silence; without audio it says that it has none."""
    stored = list[int]()
    outbox = Outbox(async_valkey, Broker())
    outbox.put(StoreAudio("held", 4, b"cccc"), sender(stored))
    await eventually(lambda: stored)

    assert not valkey.exists(HELD)
