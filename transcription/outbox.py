"""What the sessions of this process have for Redis, in order: audio first, then the jobs that need it.

One task drains it for all sessions, so a frame never waits for Redis and many appends share a round trip. While Redis
is away everything is kept and tried again; a session's `max_buffer_ms` bounds its audio, admission the sessions.
Audio is written at its offset (SETRANGE), so writing it twice does no harm. If Redis has lost what came before (it was
restarted), the segment's audio is deleted, and its final is answered by an error instead of a transcript of half of it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import redis
import redis.asyncio

from transcription import metrics
from transcription.core.audio import BYTES_PER_SAMPLE
from transcription.core.jobs import AUDIO_TTL_S, Job

logger = logging.getLogger(__name__)

RETRY_S = 0.5
MAX_BATCH = 64

_APPEND = """
if redis.call('STRLEN', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('SETRANGE', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""Redis would fill a gap with zeros, which a decoder takes for silence. What Redis has forgotten is missed instead."""


@dataclass(frozen=True, slots=True)
class Append:
    """Audio for a segment's buffer."""

    key: str
    offset: int
    """In samples."""
    pcm: bytes
    stored: Callable[[int], None]
    """Called with the number of samples once they are in Redis."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A number for the workers to see; it lasts as long as any job that asks for it may wait."""

    key: str
    number: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Buffers nobody needs any more."""

    keys: tuple[str, ...]


Item = Append | Mark | Delete | Job


class Outbox:
    """The queue and its task; one a process."""

    def __init__(self, client: redis.asyncio.Redis, publish: Callable[[Job], "asyncio.Future[None]"]) -> None:
        self._redis = client
        self._publish = publish
        self._waiting: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def put(self, item: Item) -> None:
        """Add to the end; never waits."""
        self._waiting.append(item)
        if isinstance(item, Append):
            metrics.unstored_bytes.inc(len(item.pcm))
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                await self._store(batch)
                jobs = [item for item in batch if isinstance(item, Job)]
                for outcome in await asyncio.gather(*map(self._publish, jobs), return_exceptions=True):
                    if isinstance(outcome, BaseException):
                        # a partial is not missed, a final is sent again when it is overdue
                        logger.warning("A job could not be published: %s", outcome)

    async def _store(self, batch: list[Item]) -> None:
        writes = [item for item in batch if not isinstance(item, Job)]
        while writes:
            try:
                async with self._redis.pipeline(transaction=False) as pipe:
                    for item in writes:
                        match item:
                            case Append():
                                offset = item.offset * BYTES_PER_SAMPLE
                                pipe.eval(_APPEND, 1, item.key, offset, item.pcm, AUDIO_TTL_S)
                            case Mark():
                                pipe.set(item.key, item.number, ex=AUDIO_TTL_S)
                            case Delete() if item.keys:
                                pipe.delete(*item.keys)
                    await pipe.execute()
                break
            except redis.RedisError as error:
                logger.warning("Audio waits, Redis cannot be reached: %s", error)
                await asyncio.sleep(RETRY_S)
        for item in writes:
            if isinstance(item, Append):
                metrics.unstored_bytes.dec(len(item.pcm))
                item.stored(len(item.pcm) // BYTES_PER_SAMPLE)
