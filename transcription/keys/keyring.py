"""A web process's dealings with API keys: whose a token is, whether keys in use may go on, the minutes they use.

The database is asked in threads, with a time limit. Keys are not cached: a handshake is one indexed query, and a
revoked key is out at the next one, on every process. Keys that hold connections are looked at again every `WATCH_S`.
Minutes are counted in Redis, in milliseconds, by the day in UTC.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import redis
import redis.asyncio
from django.db import Error

from transcription.core.capacity.admission import Refusal, key_withdrawn, minutes_spent
from transcription.core.contract import keyspace
from transcription.keys import access
from transcription.keys.access import Key

logger = logging.getLogger(__name__)

T = TypeVar("T")

WATCH_S = 2.0
LOOKUP_TIMEOUT_S = 2.0
MS_A_MINUTE = 60_000


class KeysUnavailableError(Exception):
    """The database of keys does not answer, or not in time."""


class Keyring:
    """The keys in use by a process's connections; there is one a process, used in its event loop."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._redis = client
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="keys")
        self._live: Counter[str] = Counter()
        """Connections, by key."""
        self._uncounted: Counter[str] = Counter()
        """Milliseconds not yet in Redis, by key."""
        self._barred: dict[str, Refusal] = {}
        self._watcher: asyncio.Task[None] | None = None

    async def find(self, token: str) -> Key | None:
        """The key with this token if it is good, else `None`. Raises `KeysUnavailableError`."""
        return await self._ask(access.find, token)

    async def refusal(self, key: Key) -> Refusal | None:
        """Why the key may not start a session; `None` if it may, or if Redis is away, which admission will tell."""
        if key.minutes_a_day is None:
            return None
        try:
            spent_ms = int(await self._redis.get(_counter(key.key_id)) or 0) + self._uncounted[key.key_id]
        except redis.RedisError as error:
            logger.warning("Minutes of a key cannot be read: %s", error)
            return None
        return _spent(key, spent_ms)

    @contextmanager
    def holding(self, key: Key) -> Iterator[None]:
        """While a connection is open under a key, just found good, the key is watched."""
        if not self._live[key.key_id]:
            self._barred.pop(key.key_id, None)  # of connections that are gone; minutes and expiry may be others by now
        self._live[key.key_id] += 1
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._live[key.key_id] -= 1

    def count(self, key: Key, audio_ms: float) -> None:
        """Put so much accepted audio on the key's account; it is in Redis within `WATCH_S`."""
        self._uncounted[key.key_id] += round(audio_ms)

    def verdict(self, key: Key) -> Refusal | None:
        """Why the key's sessions must end, as of the last look (`WATCH_S`); `None` while they may go on."""
        return self._barred.get(key.key_id)

    async def _watch(self) -> None:
        while +self._live or +self._uncounted:
            await asyncio.sleep(WATCH_S)
            self._live = +self._live
            await self._review()

    async def _review(self) -> None:
        """Bring the counters up to date and see who may go on."""
        live = [*self._live]
        spent = await self._settle({*live, *self._uncounted})
        try:
            good = await self._ask(access.good, live)
        except KeysUnavailableError as error:
            logger.warning("Live keys go on, they cannot be looked at again: %s", error)
            return
        verdicts = {
            key_id: _spent(good[key_id], spent.get(key_id, 0)) if key_id in good else key_withdrawn() for key_id in live
        }
        self._barred = {key_id: refusal for key_id, refusal in verdicts.items() if refusal}

    async def _settle(self, key_ids: set[str]) -> dict[str, int]:
        """Add what was used to the counters; the day's totals (ms), none while Redis is away."""
        adding, self._uncounted = self._uncounted, Counter()
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                for key_id in key_ids:
                    pipe.incrby(_counter(key_id), adding[key_id])
                    pipe.expire(_counter(key_id), keyspace.MINUTES_TTL_S)
                totals = (await pipe.execute())[::2]
        except redis.RedisError as error:
            logger.warning("Minutes of keys are counted later, Redis cannot be reached: %s", error)
            self._uncounted += adding
            return {}
        return dict(zip(key_ids, totals, strict=True))

    async def _ask(self, question: Callable[..., T], *arguments: object) -> T:
        answer = asyncio.get_running_loop().run_in_executor(self._threads, question, *arguments)
        try:
            return await asyncio.wait_for(answer, LOOKUP_TIMEOUT_S)
        except (Error, TimeoutError) as error:
            raise KeysUnavailableError(str(error) or f"no answer within {LOOKUP_TIMEOUT_S:g} s") from None


def _counter(key_id: str) -> str:
    return keyspace.minutes_key(key_id, datetime.now(UTC).date().isoformat())


def _spent(key: Key, spent_ms: int) -> Refusal | None:
    if key.minutes_a_day is None or spent_ms < key.minutes_a_day * MS_A_MINUTE:
        return None
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return minutes_spent(key.minutes_a_day, round((midnight - now).total_seconds() * 1000))
