"""The minutes of keys by the day, and who is watched: a real Valkey, a clock in hand, keys in memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis.asyncio
from django.db import OperationalError

from transcription.core.contract import keyspace
from transcription.core.protocol import ErrorCode
from transcription.keys import access, keyring
from transcription.keys.access import Key
from transcription.keys.keyring import Keyring, KeysUnavailableError

ANA, BEA, CAIO = Key("1", "ana", None, 2), Key("2", "bea", None, 1), Key("3", "caio", None, None)
EVENING = datetime(2026, 3, 1, 23, 50, tzinfo=UTC)


class Clock(datetime):
    """The day and the time, as `keyring` asks for them."""

    at = EVENING

    @classmethod
    def now(cls, tz: object = None) -> Any:
        return cls.at


class Table:
    """The keys there are."""

    def __init__(self) -> None:
        self.keys = {key.key_id: key for key in (ANA, BEA, CAIO)}
        self.away = False

    def good(self, key_ids: list[str]) -> dict[str, Key]:
        if self.away:
            raise OperationalError("gone")
        return {key_id: self.keys[key_id] for key_id in key_ids if key_id in self.keys}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    monkeypatch.setattr(Clock, "at", EVENING)
    monkeypatch.setattr(keyring, "datetime", Clock)
    return Clock


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    table = Table()
    monkeypatch.setattr(access, "good", table.good)
    monkeypatch.setattr(keyring, "WATCH_S", 0.01)
    return table


@pytest.fixture
async def ring(async_valkey: redis.asyncio.Redis, clock: type[Clock], table: Table) -> AsyncIterator[Keyring]:
    ring = Keyring(async_valkey)
    yield ring
    if ring._watcher:
        ring._watcher.cancel()


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


def spent(valkey: redis.Redis, key: Key, day: str = "2026-03-01") -> int:
    return int(valkey.get(keyspace.minutes_key(key.key_id, day)) or 0)


async def test_a_day_s_minutes_are_spent_on_all_processes_together(
    ring: Keyring, async_valkey: redis.asyncio.Redis, valkey: redis.Redis
) -> None:
    """Then nobody starts under the key, and who is in must end; it is told how long the day still is."""
    elsewhere = Keyring(async_valkey)
    with ring.holding(ANA), elsewhere.holding(ANA):
        for each in (ring, elsewhere):
            each.count(ANA, 60_000)
        await eventually(lambda: spent(valkey, ANA) == 120_000)
        await eventually(lambda: ring.verdict(ANA) and elsewhere.verdict(ANA))
        refused = await ring.refusal(ANA)

    assert refused == ring.verdict(ANA)
    assert (refused.code, refused.retry_after_ms) == (ErrorCode.QUOTA_EXCEEDED, 600_000)
    assert 0 < valkey.ttl(keyspace.minutes_key("1", "2026-03-01")) <= keyspace.MINUTES_TTL_S
    elsewhere._watcher.cancel()


async def test_what_is_not_in_redis_yet_counts_too(ring: Keyring) -> None:
    """A client that is quick to come back gains nothing."""
    ring.count(ANA, 119_999)
    just_below = await ring.refusal(ANA)
    ring.count(ANA, 1)

    assert just_below is None
    assert (await ring.refusal(ANA)).code is ErrorCode.QUOTA_EXCEEDED


async def test_the_next_day_has_minutes_of_its_own(ring: Keyring, clock: type[Clock], valkey: redis.Redis) -> None:
    """By UTC; a session that ran into its end is not barred any more."""
    with ring.holding(BEA):
        ring.count(BEA, 60_000)
        await eventually(lambda: ring.verdict(BEA))
        clock.at = EVENING + timedelta(minutes=20)
        await eventually(lambda: ring.verdict(BEA) is None)
        ring.count(BEA, 5_000)
        await eventually(lambda: spent(valkey, BEA, "2026-03-02") == 5_000)
        assert await ring.refusal(BEA) is None

    assert spent(valkey, BEA) == 60_000


async def test_a_key_without_a_limit_is_counted_and_never_spent(ring: Keyring, valkey: redis.Redis) -> None:
    with ring.holding(CAIO):
        ring.count(CAIO, 90_000_000)
        await eventually(lambda: spent(valkey, CAIO) == 90_000_000)
        assert ring.verdict(CAIO) is None
    assert await ring.refusal(CAIO) is None


async def test_one_key_s_end_is_not_another_s(ring: Keyring, table: Table) -> None:
    """Withdrawn: its sessions end. Given other limits: those count."""
    with ExitStack() as held:
        for key in (ANA, BEA, CAIO):
            held.enter_context(ring.holding(key))
        ring.count(ANA, 60_000)
        del table.keys[BEA.key_id]
        table.keys[ANA.key_id] = Key("1", "ana", None, 1)
        await eventually(lambda: ring.verdict(ANA) and ring.verdict(BEA))

        assert ring.verdict(ANA).code is ErrorCode.QUOTA_EXCEEDED
        assert ring.verdict(BEA).code is ErrorCode.UNAUTHORIZED
        assert ring.verdict(CAIO) is None


async def test_what_the_last_connection_used_is_counted_before_the_watch_ends(
    ring: Keyring, valkey: redis.Redis
) -> None:
    """With the next connection it begins anew."""
    with ring.holding(ANA):
        pass
    ring.count(ANA, 7_000)
    await asyncio.wait_for(ring._watcher, 5)
    settled = spent(valkey, ANA)
    with ring.holding(ANA):
        ring.count(ANA, 1_000)
        await eventually(lambda: spent(valkey, ANA) == 8_000)

    assert settled == 7_000


async def test_the_watch_outlives_a_database_and_a_redis_that_are_away(
    ring: Keyring, table: Table, valkey: redis.Redis
) -> None:
    """Nobody is thrown out; minutes are counted once, later."""
    table.away = True
    valkey.set(keyspace.minutes_key("1", "2026-03-01"), "no number")
    with ring.holding(ANA):
        ring.count(ANA, 60_000)
        await asyncio.sleep(0.05)
        assert ring.verdict(ANA) is None
        valkey.delete(keyspace.minutes_key("1", "2026-03-01"))
        table.away = False
        del table.keys[ANA.key_id]
        await eventually(lambda: ring.verdict(ANA) and spent(valkey, ANA) == 60_000)


async def test_a_key_is_looked_up_off_the_loop(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database in error is told as what it is: keys cannot be checked."""
    threads = list[threading.Thread]()
    monkeypatch.setattr(access, "find", lambda token: threads.append(threading.current_thread()))
    unknown = await ring.find("x")

    def fail(token: str) -> Key:
        raise OperationalError("too many connections")

    monkeypatch.setattr(access, "find", fail)
    with pytest.raises(KeysUnavailableError, match="too many connections"):
        await ring.find("x")
    assert unknown is None
    assert threads[0] is not threading.current_thread()
