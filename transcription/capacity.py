"""The I/O half of admission: one truth for the cluster, in Redis.

A session's place is a lease: `stt:session:<id>` with the owner's name, and a member of the sorted set `stt:sessions`
scored by when it lapses. The web process renews the leases of its sessions; those of a dead process lapse within
`LEASE_TTL_S`. Redis' own clock decides. Checking and taking is one script, so two processes cannot both win.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio

from transcription.core import cluster, jobs
from transcription.core.admission import (
    Admission,
    Admitted,
    ClusterLoad,
    Refusal,
    decide,
    max_sessions_reached,
    session_exists,
)
from transcription.core.cluster import LEASE_RENEW_S, LEASE_TTL_S, Heartbeat
from transcription.core.config import Limits
from transcription.core.protocol import ErrorCode

logger = logging.getLogger(__name__)

QUEUE_KEYS = [jobs.QUEUE, *(f"{jobs.QUEUE}:{step}" for step in jobs.PRIORITY_STEPS if step)]
"""Celery's sub-lists, one a priority bucket (kombu/transport/redis.py `_q_for_pri`)."""

_ACQUIRE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', 'stt:sessions', '-inf', now)
if redis.call('EXISTS', 'stt:session:' .. ARGV[1]) == 1 then return 'exists' end
if redis.call('ZCARD', 'stt:sessions') >= tonumber(ARGV[4]) then return 'full' end
redis.call('SET', 'stt:session:' .. ARGV[1], ARGV[2], 'EX', ARGV[3])
redis.call('ZADD', 'stt:sessions', now + ARGV[3], ARGV[1])
return 'ok'
"""

_RENEW = """
local key = 'stt:session:' .. ARGV[1]
local owner = redis.call('GET', key)
if owner and owner ~= ARGV[2] then return 0 end
redis.call('SET', key, ARGV[2], 'EX', ARGV[3])
redis.call('ZADD', 'stt:sessions', tonumber(redis.call('TIME')[1]) + ARGV[3], ARGV[1])
return 1
"""

_RELEASE = """
if redis.call('GET', 'stt:session:' .. ARGV[1]) == ARGV[2] then
  redis.call('DEL', 'stt:session:' .. ARGV[1])
  redis.call('ZREM', 'stt:sessions', ARGV[1])
end
"""

_LOAD = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', 'stt:sessions', '-inf', now)
local depth = redis.call('HLEN', 'unacked')
for _, list in ipairs(ARGV) do depth = depth + redis.call('LLEN', list) end
local beats = {}
for _, id in ipairs(redis.call('SMEMBERS', 'stt:workers')) do
  local beat = redis.call('GET', 'stt:worker:' .. id)
  if beat then beats[#beats + 1] = beat else redis.call('SREM', 'stt:workers', id) end
end
local counted = redis.call('HMGET', 'stt:counters', 'requests', 'rejected')
return {redis.call('ZCARD', 'stt:sessions'), depth, counted[1] or 0, counted[2] or 0, beats}
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster at one moment, whole."""

    load: ClusterLoad
    workers: list[Heartbeat]
    total_requests: int
    rejected_requests: int


def read_cluster(client: redis.Redis) -> Cluster:
    """Read it, for a page or a probe. Raises `redis.RedisError`."""
    return _parse(client.eval(_LOAD, 0, *QUEUE_KEYS))


class Capacity:
    """This process's dealings with the cluster's places."""

    def __init__(self, client: redis.asyncio.Redis, limits: Limits) -> None:
        self._redis = client
        self._limits = limits
        self._acquire = client.register_script(_ACQUIRE)
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)
        self._owned: dict[str, str] = {}
        self._renewer: asyncio.Task[None] | None = None
        self.depth = 0
        """Queue depth when last read."""

    async def admit(self, session_id: str, owner: str) -> Admission:
        """Decide on a new session and, if it is admitted, take its place."""
        try:
            admission = await self._admit(session_id, owner)
            counted = ["requests"] if isinstance(admission, Admitted) else ["requests", "rejected"]
            for counter in counted:
                await self._redis.hincrby("stt:counters", counter, 1)
        except redis.RedisError as error:
            logger.warning("Admission cannot reach Redis: %s", error)
            return Refusal(ErrorCode.QUEUE_CONGESTION, "The service cannot reach its queue", retry_after_ms=2_000)
        return admission

    async def _admit(self, session_id: str, owner: str) -> Admission:
        if refusal := decide(await self._read_load(), self._limits):
            live = await self._redis.exists(f"stt:session:{session_id}")
            return session_exists(session_id) if live else refusal
        answer = await self._acquire(args=[session_id, owner, LEASE_TTL_S, self._limits.max_sessions])
        match answer:
            case b"exists":
                return session_exists(session_id)
            case b"full":
                return max_sessions_reached(self._limits)
        self._owned[session_id] = owner
        if self._renewer is None or self._renewer.done():
            self._renewer = asyncio.create_task(self._keep_renewing())
        return Admitted()

    async def release(self, session_id: str) -> None:
        """Give a place back."""
        owner = self._owned.pop(session_id, None)
        if owner is None:
            return
        try:
            await self._release(args=[session_id, owner])
        except redis.RedisError as error:
            logger.warning("A place lapses by itself, Redis cannot be reached: %s", error)

    async def _read_load(self) -> ClusterLoad:
        load = _parse(await self._redis.eval(_LOAD, 0, *QUEUE_KEYS)).load
        self.depth = load.depth
        return load

    async def _keep_renewing(self) -> None:
        while self._owned:
            await asyncio.sleep(LEASE_RENEW_S)
            try:
                async with self._redis.pipeline(transaction=False) as pipe:
                    for session_id, owner in self._owned.items():
                        await self._renew(args=[session_id, owner, LEASE_TTL_S], client=pipe)
                    await pipe.execute()
                await self._read_load()
            except redis.RedisError as error:
                logger.warning("Leases cannot be renewed: %s", error)


def _parse(answer: Any) -> Cluster:
    sessions, depth, requests, rejected, beats = answer
    workers = [cluster.heartbeat_decoder.decode(beat) for beat in beats]
    count = len(workers)
    load = ClusterLoad(
        sessions=sessions,
        depth=depth,
        workers=count,
        avg_partial_ms=sum(w.avg_partial_ms for w in workers) / count if count else 0.0,
        avg_final_ms=sum(w.avg_final_ms for w in workers) / count if count else 0.0,
    )
    return Cluster(load, workers, int(requests), int(rejected))
