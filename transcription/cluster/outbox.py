"""What the sessions of this process have for Redis, in order: audio first, then the jobs that need it.

One task drains it for all sessions, so a frame never waits for Redis and many appends share a round trip. While Redis
is away or full everything but partials is kept and tried again; a session's `max_buffer_ms` bounds its audio, admission
the sessions. Audio is written at its offset, so writing it twice does no harm. A piece is not taken where Redis lacks
what came before it (it was restarted); all of the segment's audio is written again then.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis
import redis.asyncio
from redis.asyncio.client import Pipeline

from transcription import metrics
from transcription.cluster import scripts
from transcription.cluster.dispatch import Publish
from transcription.core import resuming
from transcription.core.audio import BYTES_PER_SAMPLE, pcm_samples
from transcription.core.contract.jobs import Job, Kind
from transcription.core.contract.keyspace import (
    AUDIO_TTL_S,
    INDEX_TTL_S,
    audio_key,
    before_key,
    index_entry,
    lease_key,
    overtaken_key,
    resume_key,
)
from transcription.core.session.effects import (
    CancelPartials,
    DiscardAudio,
    Resend,
    SaveCheckpoint,
    StoreAudio,
    StoreBefore,
    Submit,
)

logger = logging.getLogger(__name__)

RETRY_S = 0.5
"""How soon what Redis or the broker did not take is tried again."""
MAX_BATCH = 64
"""Effects written in one round trip, at most."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The session whose effects these are."""

    uid: str
    key_id: str
    """Of its API key; empty where there is none."""
    audio_of: Callable[[str], bytes]
    """All audio of a segment, should Redis have lost what it had of it."""
    audio_stored: Callable[[str, int], None]
    """Called with a segment and the number of its samples once they are in Redis."""


Outgoing = StoreAudio | StoreBefore | Submit | Resend | CancelPartials | DiscardAudio | SaveCheckpoint
Item = tuple[Outgoing, Sender]


class Outbox:
    """The queue and its task; one a process."""

    def __init__(self, client: redis.asyncio.Redis, publish: Publish) -> None:
        self._redis = client
        self._publish = publish
        self._waiting: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.stuck = False
        """Whether Redis does not take what there is for it."""

    def put(self, effect: Outgoing, sender: Sender) -> None:
        """Add to the end; never waits."""
        self._waiting.append((effect, sender))
        if isinstance(effect, StoreAudio):
            metrics.unstored_bytes.inc(len(effect.pcm))
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._deliver([self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))])

    async def _deliver(self, batch: list[Item]) -> None:
        """Write, then hand over the jobs; again and again, until all is taken that may not be missed."""
        # a final is noted in its session's index before it is published
        writes = [item for item in batch if not _is_partial(item[0])]
        jobs = [effect.job for effect, _ in batch if isinstance(effect, Submit | Resend)]
        while writes or jobs:
            writes = await self._store(writes)
            if not writes:
                jobs = await self._hand_over(jobs)
            self.stuck = bool(writes or jobs)
            if self.stuck:
                await asyncio.sleep(RETRY_S)
                # if Redis is full these make room
                writes += [item for item in self._waiting if isinstance(item[0], DiscardAudio)]
                self._waiting = deque(item for item in self._waiting if not isinstance(item[0], DiscardAudio))

    async def _hand_over(self, jobs: list[Job]) -> list[Job]:
        """Publish jobs; returns those to be published again."""
        outcomes = await self._publish(jobs) if jobs else ()
        failed = [(job, error) for job, error in zip(jobs, outcomes, strict=True) if error]
        for job, error in failed:
            logger.warning("A job could not be published: %s", error, extra=job.log_context())
        # a partial is not missed
        return [job for job, _ in failed if job.kind is Kind.FINAL]

    async def _store(self, writes: list[Item]) -> list[Item]:
        """Write, and say what audio is stored; returns what is to be written again, all or nothing."""
        try:
            await self._restore(await self._write(writes))
        except redis.RedisError as error:
            # not the error's text: it quotes the command, and that is audio
            logger.warning("Audio waits, Redis does not take it: %s", type(error).__name__)
            return writes
        for effect, sender in writes:
            if isinstance(effect, StoreAudio):
                metrics.unstored_bytes.dec(len(effect.pcm))
                sender.audio_stored(effect.segment_id, pcm_samples(effect.pcm))
        return []

    async def _write(self, items: Sequence[Item]) -> list[tuple[StoreAudio, Sender]]:
        """Write in one round trip; returns the audio not taken, as Redis has lost its segment's beginning."""
        appended: list[tuple[int, StoreAudio, Sender]] = []
        async with self._redis.pipeline(transaction=False) as pipe:
            for effect, sender in items:
                if isinstance(effect, StoreAudio):
                    if not effect.offset:
                        _index(pipe, audio_key(sender.uid, effect.segment_id))
                    appended.append((len(pipe), effect, sender))
                _add(pipe, effect, sender)
            answers = await pipe.execute()
        return [(effect, sender) for i, effect, sender in appended if not answers[i]]

    async def _restore(self, holes: list[tuple[StoreAudio, Sender]]) -> None:
        lost = {audio_key(sender.uid, effect.segment_id): (effect, sender) for effect, sender in holes}
        async with self._redis.pipeline(transaction=False) as pipe:
            for key, (effect, sender) in lost.items():
                if whole := sender.audio_of(effect.segment_id):
                    _set_audio(pipe, key, whole)
            if len(pipe):
                await pipe.execute()


def _is_partial(effect: Outgoing) -> bool:
    return isinstance(effect, Submit) and effect.job.kind is Kind.PARTIAL


def _add(pipe: Pipeline, effect: Outgoing, sender: Sender) -> None:
    """Queue an effect's commands; audio's only one answers whether it was taken."""
    # registered scripts would have the pipeline ask first whether Redis knows them
    match effect:
        case StoreAudio(segment_id=segment_id, offset=offset, pcm=pcm):
            key = audio_key(sender.uid, segment_id)
            pipe.eval(scripts.APPEND, 1, key, offset * BYTES_PER_SAMPLE, pcm, AUDIO_TTL_S)
        case StoreBefore(segment_id=segment_id, pcm=pcm):
            pipe.set(before_key(sender.uid, segment_id), pcm, ex=AUDIO_TTL_S)  # the index has the segment already
        case Submit(job=job) if job.kind is Kind.FINAL:
            _index(pipe, job.job_id)
        case Resend(job=job, pcm=pcm):
            _index(pipe, job.job_id)
            if pcm:
                _set_audio(pipe, job.audio_key, pcm)
        case CancelPartials(segment_id=segment_id, number=number):
            pipe.set(overtaken_key(sender.uid, segment_id), number, ex=AUDIO_TTL_S)
        case DiscardAudio(segment_ids=segment_ids) if segment_ids:
            pipe.delete(*(key(sender.uid, each) for each in segment_ids for key in (audio_key, before_key)))
        case SaveCheckpoint(session_id=session_id, checkpoint=checkpoint, ttl_s=ttl_s):
            keys = [resume_key(session_id), lease_key(session_id)]
            kept = resuming.encode(checkpoint)
            pipe.eval(scripts.REMEMBER, len(keys), *keys, sender.uid, sender.key_id, kept, ttl_s)


def _set_audio(pipe: Pipeline, key: str, pcm: bytes) -> None:
    _index(pipe, key)
    pipe.set(key, pcm, ex=AUDIO_TTL_S)


def _index(pipe: Pipeline, name: str) -> None:
    """Note what this process or a worker is about to write, so that it can be erased; see `keyspace.index_key`."""
    key, entry = index_entry(name)
    pipe.sadd(key, entry)
    pipe.expire(key, INDEX_TTL_S)
