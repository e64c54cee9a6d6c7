"""What the sessions of this process have for Redis, in order: audio first, then the jobs that need it.

One task drains it for all sessions, so a frame never waits for Redis and many appends share a round trip. While Redis
is away or full everything but partials is kept and tried again; a session's `max_buffer_ms` bounds its audio, admission
the sessions. Audio is written at its offset (SETRANGE), so writing it twice does no harm. If Redis has lost what came
before (it was restarted), all of the segment's audio is written again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis
import redis.asyncio
from kombu.exceptions import OperationalError

from transcription import metrics
from transcription.core.audio import BYTES_PER_SAMPLE
from transcription.core.jobs import AUDIO_TTL_S, Job, Kind

logger = logging.getLogger(__name__)

RETRY_S = 0.5
BROKER_ERRORS = (OperationalError, redis.RedisError, OSError)
MAX_BATCH = 64


@dataclass(frozen=True, slots=True)
class Append:
    """Audio for a segment's buffer."""

    key: str
    offset: int
    """In samples."""
    pcm: bytes
    whole: Callable[[], bytes]
    """The segment's audio from its first sample on, should Redis have lost what it had of it."""
    stored: Callable[[int], None]
    """Called with the number of samples once they are in Redis."""


@dataclass(frozen=True, slots=True)
class Restore:
    """All of a segment's audio, once more."""

    key: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A number for the workers to see; it lasts as long as any job that asks for it may wait."""

    key: str
    number: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Buffers nobody needs any more."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remember:
    """How far a session is settled, for whoever goes on with it; only its owner's word counts."""

    session_id: str
    owner: str
    key_id: str
    settled: bytes
    ttl_s: int


# it takes little, and a session that cannot be resumed costs more when Redis is full
_REMEMBER = """#!lua flags=allow-oom
local id, owner, key, settled, ttl = unpack(ARGV)
local state = 'stt:resume:' .. id
local holder = redis.call('HGET', state, 'owner') or redis.call('GET', 'stt:session:' .. id)
if holder == owner then
  redis.call('HSET', state, 'owner', owner, 'key', key, 'settled', settled)
  redis.call('EXPIRE', state, ttl)
end
"""

Item = Append | Restore | Mark | Delete | Remember | Job


class Outbox:
    """The queue and its task; one a process."""

    def __init__(self, client: redis.asyncio.Redis, publish: Callable[[Job], "asyncio.Future[None]"]) -> None:
        self._redis = client
        self._publish = publish
        self._waiting: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.stuck = False
        """Whether Redis does not take what there is for it."""

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
                await self._hand_over([item for item in batch if isinstance(item, Job)])

    async def _hand_over(self, jobs: list[Job]) -> None:
        while jobs:
            outcomes = await asyncio.gather(*map(self._publish, jobs), return_exceptions=True)
            failed = [(job, error) for job, error in zip(jobs, outcomes, strict=True) if error]
            for job, error in failed:
                logger.warning("A job could not be published: %s", error, extra=job.log_context())
            # a partial is not missed; what is no fault of the broker's would fail again
            jobs = [job for job, error in failed if job.kind is Kind.FINAL and isinstance(error, BROKER_ERRORS)]
            self.stuck = bool(jobs)
            if jobs:
                await asyncio.sleep(RETRY_S)

    async def _store(self, batch: list[Item]) -> None:
        writes = [item for item in batch if not isinstance(item, Job)]
        while writes:
            try:
                holes = await self._write(writes)
                await self._write([Restore(item.key, item.whole()) for item in holes])
                self.stuck = False
                break
            except redis.RedisError as error:
                self.stuck = True
                # not the error's text: it quotes the command, and that is audio
                logger.warning("Audio waits, Redis does not take it: %s", type(error).__name__)
                await asyncio.sleep(RETRY_S)
                # if Redis is full these make room
                writes += [item for item in self._waiting if isinstance(item, Delete)]
                self._waiting = deque(item for item in self._waiting if not isinstance(item, Delete))
        for item in writes:
            if isinstance(item, Append):
                metrics.unstored_bytes.dec(len(item.pcm))
                item.stored(len(item.pcm) // BYTES_PER_SAMPLE)

    async def _write(self, items: Sequence[Item]) -> list[Append]:
        """Write in one round trip; returns what was appended to buffers that Redis has lost the beginning of."""
        appended: list[tuple[int, Append]] = []
        async with self._redis.pipeline(transaction=False) as pipe:
            for item in items:
                match item:
                    case Append():
                        appended.append((len(pipe), item))
                        pipe.strlen(item.key)
                        pipe.setrange(item.key, item.offset * BYTES_PER_SAMPLE, item.pcm)
                        pipe.expire(item.key, AUDIO_TTL_S)
                    case Restore() if item.pcm:
                        pipe.set(item.key, item.pcm, ex=AUDIO_TTL_S)
                    case Mark():
                        pipe.set(item.key, item.number, ex=AUDIO_TTL_S)
                    case Delete() if item.keys:
                        pipe.delete(*item.keys)
                    case Remember():
                        pipe.eval(_REMEMBER, 0, item.session_id, item.owner, item.key_id, item.settled, item.ttl_s)
            answers = await pipe.execute()
        return [item for i, item in appended if answers[i] < item.offset * BYTES_PER_SAMPLE]
