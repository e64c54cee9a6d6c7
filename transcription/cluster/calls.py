"""What the listeners of a call are told, in a Redis stream a call: for those who listen now, and those who come late.

One task a process writes for all of its calls, in order; sessions never wait for it. A notice that is passing (a
partial) is deleted when the next of its session is written, so that a stream is mostly finals. `MOST_KEPT` bounds it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio

from transcription.core.contract import keyspace
from transcription.core.dialects.dialect import Notice

logger = logging.getLogger(__name__)

MOST_KEPT = 600
"""Notices of a call, about: 200 utterances."""
MOST_WAITING = 10_000
"""Notices of this process not in Redis yet; more are dropped."""
MOST_PASSING = 1_000
"""While so many wait, those that would be replaced soon are not written."""
MAX_BATCH = 64
RETRY_S = 0.5
BLOCK_MS = 1_000
"""How long reading waits for more; less than the client's time limit."""
FROM_THE_START = "0-0"


@dataclass(frozen=True, slots=True)
class Entry:
    """A notice, as it is read."""

    entry_id: str
    """Where in the stream it is."""
    session_id: str
    number: int
    """Grows within a session: one that is written twice is the same."""
    text: str


class Board:
    """The streams of all calls; one a process."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._redis = client
        self._waiting: deque[tuple[int, str, Notice]] = deque()
        self._numbers = 0
        self._passing: dict[str, bytes] = {}
        """By session: the entry of its last notice that was passing."""
        self._writer: asyncio.Task[None] | None = None

    def put(self, key_id: str, notice: Notice) -> None:
        """Have a notice written, for listeners under the same API key (its id, or empty)."""
        if notice.passing and len(self._waiting) >= MOST_PASSING:
            return
        if len(self._waiting) >= MOST_WAITING:
            logger.warning("A call's notice is dropped: Redis has not taken the %d before it", MOST_WAITING)
            return
        self._numbers += 1
        self._waiting.append((self._numbers, keyspace.call_key(key_id, notice.call), notice))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def read(self, key_id: str, call: str, after: str, count: int = MOST_KEPT) -> list[Entry]:
        """What came after an entry, at most so much; waits a moment where there is nothing. Raises `RedisError`."""
        key = keyspace.call_key(key_id, call)
        answer: Any = await self._redis.xread({key: after}, count=count, block=BLOCK_MS)
        return [_entry(entry_id, fields) for _, entries in answer or () for entry_id, fields in entries]

    async def are_live(self, session_ids: Iterable[str]) -> bool:
        """Whether any of the sessions has its place. Raises `RedisError`."""
        return bool(await self._redis.exists(*map(keyspace.lease_key, session_ids)))

    async def _write(self) -> None:
        while self._waiting:
            batch = [self._waiting[at] for at in range(min(len(self._waiting), MAX_BATCH))]
            try:
                await self._put(batch)
            except redis.RedisError as error:
                # not the error's text: it quotes the command, and that is what was said
                logger.warning("Notices of calls wait, Redis does not take them: %s", type(error).__name__)
                await asyncio.sleep(RETRY_S)
                continue
            for _ in batch:
                self._waiting.popleft()

    async def _put(self, batch: list[tuple[int, str, Notice]]) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            for number, key, notice in batch:
                fields: dict[Any, Any] = {"session": notice.session_id, "n": number, "text": notice.text}
                pipe.xadd(key, fields, maxlen=MOST_KEPT, approximate=True)
            written = (await pipe.execute())[: len(batch)]
        overtaken: dict[str, list[bytes]] = {}
        lives: dict[str, int] = {}
        for (_, key, notice), entry_id in zip(batch, written, strict=True):
            if before := self._passing.pop(notice.session_id, None):
                overtaken.setdefault(key, []).append(before)
            if notice.passing:
                self._passing[notice.session_id] = entry_id
            lives[key] = keyspace.CALL_OVER_TTL_S if notice.last else keyspace.CALL_TTL_S
        async with self._redis.pipeline(transaction=False) as pipe:
            for key, entry_ids in overtaken.items():
                pipe.xdel(key, *entry_ids)
            for key, seconds in lives.items():
                pipe.expire(key, seconds)
            await pipe.execute()


def _entry(entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    return Entry(entry_id.decode(), fields[b"session"].decode(), int(fields[b"n"]), fields[b"text"].decode())
