"""The I/O half of admission: one truth for the cluster, in Redis.

A session's place is a lease: `stt:session:<id>` with the owner's name, and a member of the sorted set `stt:sessions`
(and of its API key's, `stt:sessions:<key>`) scored by when it lapses. The web process renews the leases of its
sessions; those of a dead process lapse within `LEASE_TTL_S`. Redis' own clock decides. Checking and taking is one
script, so two processes cannot both win. How far a session that may be resumed is settled lies in `stt:resume:<id>`
(`outbox.py` writes it); whoever resumes it takes it over with the lease, in the same script. Load and step are read at
most every `READ_S`, never once a job.
"""

import asyncio
import logging
import math
import time
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import redis
import redis.asyncio
from django.conf import settings

from transcription.core import cluster, jobs, resuming, shedding
from transcription.core.admission import (
    MEMORY_FULL,
    Admission,
    Admitted,
    Holder,
    Refusal,
    congested,
    decide,
    max_sessions_reached,
    memory_full,
    most_sessions,
    room,
    session_exists,
)
from transcription.core.cluster import LEASE_RENEW_S, LEASE_TTL_S, READ_S, Cost, Heartbeat
from transcription.core.config import Limits
from transcription.core.load import ClusterLoad
from transcription.core.protocol import ErrorCode

logger = logging.getLogger(__name__)

QUEUE_KEYS = [jobs.QUEUE, *(f"{jobs.QUEUE}:{step}" for step in jobs.PRIORITY_STEPS if step)]
"""Celery's sub-lists, one a priority bucket (kombu/transport/redis.py `_q_for_pri`); finals are in the first."""

LOAD_ARGS = [round(cluster.STARTING_S * 1000), round(cluster.SETTLED_S * 1000), *QUEUE_KEYS]

STEP_TTL_MS = 10_000
"""A step nobody confirms is forgotten."""
PROBE_TIMEOUT_S = 1.0

_ACQUIRE = """
local time = redis.call('TIME')
local now, now_ms = tonumber(time[1]), time[1] * 1000 + math.floor(time[2] / 1000)
local id, owner, ttl, most, refused, room, asked_for, key, key_most, starting_ms, settled_ms, window = unpack(ARGV)
local lease, key_sessions, state = 'stt:session:' .. id, 'stt:sessions:' .. key, 'stt:resume:' .. id
redis.call('ZREMRANGEBYSCORE', 'stt:sessions', '-inf', now)
redis.call('ZREMRANGEBYSCORE', 'stt:starting', '-inf', now_ms - settled_ms)
if key ~= '' then redis.call('ZREMRANGEBYSCORE', key_sessions, '-inf', now) end
redis.call('HINCRBY', 'stt:counters', 'requests', 1)
local kept = redis.call('HMGET', state, 'owner', 'key', 'settled')
local live, resumes = redis.call('EXISTS', lease) == 1, tonumber(window) > 0 and kept[2] == key
local answer = 'ok'
if kept[2] and kept[2] ~= key or live and not resumes then answer = 'exists'
elseif live then answer = 'ok'
elseif refused == '1' then answer = 'refused'
elseif redis.call('ZCARD', 'stt:sessions') >= tonumber(most) then answer = 'full'
elseif key_most ~= '' and redis.call('ZCARD', key_sessions) >= tonumber(key_most) then answer = 'key full'
elseif redis.call('ZCARD', 'stt:sessions') >= tonumber(asked_for)
  or redis.call('ZCOUNT', 'stt:starting', now_ms - starting_ms, '+inf') >= tonumber(room) then answer = 'congested' end
if answer ~= 'ok' then
  redis.call('HINCRBY', 'stt:counters', 'rejected', 1)
  return answer
end
redis.call('SET', lease, owner, 'EX', ttl)
redis.call('ZADD', 'stt:sessions', now + ttl, id)
if not live then redis.call('ZADD', 'stt:starting', now_ms, id) end
if key ~= '' then
  redis.call('ZADD', key_sessions, now + ttl, id)
  redis.call('EXPIRE', key_sessions, ttl)
end
if not resumes then
  redis.call('DEL', state)
  return answer
end
redis.call('HSET', state, 'owner', owner)
redis.call('EXPIRE', state, ttl + window)
return {kept[1], kept[3]}
"""

# what keeps an admitted session alive must work when Redis is full
_RENEW = """#!lua flags=allow-oom
local id, owner, ttl, key, window = unpack(ARGV)
local lease, lapses = 'stt:session:' .. id, tonumber(redis.call('TIME')[1]) + ttl
local holder = redis.call('GET', lease)
if holder and holder ~= owner then return 0 end
redis.call('SET', lease, owner, 'EX', ttl)
redis.call('EXPIRE', 'stt:resume:' .. id, ttl + window)
redis.call('ZADD', 'stt:sessions', lapses, id)
if key ~= '' then
  redis.call('ZADD', 'stt:sessions:' .. key, lapses, id)
  redis.call('EXPIRE', 'stt:sessions:' .. key, ttl)
end
return 1
"""

_RELEASE = """#!lua flags=allow-oom
local id, owner, key, resumable = unpack(ARGV)
local state = 'stt:resume:' .. id
if resumable == '0' and redis.call('HGET', state, 'owner') == owner then redis.call('DEL', state) end
if redis.call('GET', 'stt:session:' .. id) == owner then
  redis.call('DEL', 'stt:session:' .. id)
  redis.call('ZREM', 'stt:sessions', id)
  redis.call('ZREM', 'stt:starting', id)
  if key ~= '' then redis.call('ZREM', 'stt:sessions:' .. key, id) end
end
"""

# a job in a worker's hand lies in `unacked` with its message, whose JSON names its priority: 0 is a final's
_LOAD = """
local time = redis.call('TIME')
local now, now_ms = tonumber(time[1]), time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', 'stt:sessions', '-inf', now)
redis.call('ZREMRANGEBYSCORE', 'stt:starting', '-inf', now_ms - ARGV[2])
local waiting = {0, 0}
for i = 3, #ARGV do
  local kind, list = math.min(i - 2, 2), ARGV[i]
  waiting[kind] = waiting[kind] + redis.call('LLEN', list)
end
local running = {0, 0}
for _, message in ipairs(redis.call('HVALS', 'unacked')) do
  local kind = string.find(message, '"priority":%s*0[,}]') and 1 or 2
  running[kind] = running[kind] + 1
end
local beats = {}
for _, id in ipairs(redis.call('SMEMBERS', 'stt:workers')) do
  local beat = redis.call('GET', 'stt:worker:' .. id)
  if beat then beats[#beats + 1] = beat else redis.call('SREM', 'stt:workers', id) end
end
local counted = redis.call('HMGET', 'stt:counters', 'requests', 'rejected')
local shedding = redis.call('HMGET', 'stt:shedding', 'step', 'at_ms')
local info = redis.pcall('INFO', 'memory')
local used, most = 0, 0
if type(info) == 'string' then
  used = string.match(info, 'used_memory:(%d+)') or 0
  most = string.match(info, 'maxmemory:(%d+)') or 0
end
return {
  redis.call('ZCARD', 'stt:sessions'), redis.call('ZCARD', 'stt:starting'),
  redis.call('ZCOUNT', 'stt:starting', now_ms - ARGV[1], '+inf'),
  waiting[1], waiting[2], running[1], running[2], counted[1] or 0, counted[2] or 0,
  shedding[1] or 0, now_ms - (shedding[2] or now_ms), tonumber(used), tonumber(most), beats,
}
"""

# the first of the processes that saw the same step moves it; the others read the new one
_MOVE = """#!lua flags=allow-oom
local step = redis.call('HGET', 'stt:shedding', 'step') or '0'
if step ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
redis.call('HSET', 'stt:shedding', 'step', ARGV[2], 'at_ms', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('PEXPIRE', 'stt:shedding', ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster at one moment, whole."""

    load: ClusterLoad
    workers: list[Heartbeat]
    total_requests: int
    rejected_requests: int


@cache
def probe_client() -> redis.Redis:
    """The process's connections for pages and metrics; safe to use from any thread."""
    return redis.Redis.from_url(
        settings.STT.redis_url, socket_timeout=PROBE_TIMEOUT_S, socket_connect_timeout=PROBE_TIMEOUT_S
    )


def read_cluster(client: redis.Redis) -> Cluster:
    """Read it, for a page or a probe. Raises `redis.RedisError`."""
    return _parse(client.eval(_LOAD, 0, *LOAD_ARGS))


@dataclass(frozen=True, slots=True)
class Place:
    """A lease of this process."""

    session_id: str
    key_id: str
    resume_window_s: int


class Capacity:
    """This process's dealings with the cluster's places, load and step."""

    def __init__(self, client: redis.asyncio.Redis, limits: Limits) -> None:
        self._redis = client
        self._limits = limits
        self._acquire = client.register_script(_ACQUIRE)
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)
        self._load = client.register_script(_LOAD)
        self._move = client.register_script(_MOVE)
        self._owned: dict[str, Place] = {}
        """By owner: a session that is resumed has two for a moment."""
        self._leases = asyncio.Lock()
        """A renewal on its way must not bring back what is given back meanwhile."""
        self._keeper: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_at = -READ_S
        self.load = ClusterLoad()
        """When last read: no more than `READ_S` ago while this process has sessions and Redis answers."""

    async def admit(
        self, session_id: str, owner: str, holder: Holder | None = None, resume_window_s: float = 0
    ) -> Admission:
        """Decide on a new session and, if it is admitted, take its place.

        With a window it may be resumed for so long, and goes on with the session of that name if there is one.
        """
        key_id = holder.key_id if holder else ""
        try:
            return await self._admit(owner, Place(session_id, key_id, math.ceil(resume_window_s)), holder)
        except redis.exceptions.OutOfMemoryError:
            return memory_full(max(self.load.memory, MEMORY_FULL))
        except redis.RedisError as error:
            logger.warning("Admission cannot reach Redis: %s", error)
            return Refusal(ErrorCode.QUEUE_CONGESTION, "The service cannot reach its queue", retry_after_ms=2_000)

    async def _admit(self, owner: str, place: Place, holder: Holder | None) -> Admission:
        load = await self.read()
        # what counts sessions is left to the script, which sees them as they are
        refusal = decide(replace(load, sessions=0, starting=0), self._limits)
        key_most = "" if holder is None or holder.max_sessions is None else holder.max_sessions
        verdict = [int(refusal is not None), room(load, self._limits), most_sessions(load, self._limits)]
        lease = [place.session_id, owner, LEASE_TTL_S, self._limits.max_sessions]
        rest = [place.key_id, key_most, *LOAD_ARGS[:2], place.resume_window_s]
        admitted = Admitted()
        match await self._acquire(args=[*lease, *verdict, *rest]):
            case b"exists":
                return session_exists(place.session_id)
            case b"refused" if refusal:
                return refusal
            case b"full":
                return max_sessions_reached(self._limits.max_sessions)
            case b"key full":
                return max_sessions_reached(int(key_most), "this API key")
            case b"congested":
                return congested(load, self._limits)
            case [taken_from, settled]:
                admitted = Admitted(resuming.decode(settled), taken_from.decode())
        self._owned[owner] = place
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())
        return admitted

    async def release(self, owner: str, *, resumable: bool = False) -> None:
        """Give a place back; whether the session may be resumed all the same."""
        place = self._owned.pop(owner, None)
        if place is None:
            return
        try:
            async with self._leases:
                await self._release(args=[place.session_id, owner, place.key_id, int(resumable)])
        except redis.RedisError as error:
            logger.warning("A place lapses by itself, Redis cannot be reached: %s", error)

    async def read(self) -> ClusterLoad:
        """The load, at most `READ_S` old; all who ask at once share one read. Raises `redis.RedisError`."""
        if time.monotonic() - self._read_at >= READ_S:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            await asyncio.shield(self._reading)
        return self.load

    async def _read(self) -> None:
        load = _parse(await self._load(args=LOAD_ARGS)).load
        pressure = shedding.pressure(load, self._limits)
        step = shedding.next_step(load.step, load.step_held_s, pressure)
        confirms = shedding.calls_for(step, pressure) and load.step_held_s > shedding.HOLD_S / 4
        if step != load.step or confirms:
            await self._move(args=[load.step, step, STEP_TTL_MS])
        if step != load.step:
            logger.info("Shedding step %d, was %d: pressure %.2f", step, load.step, pressure)
            load = replace(load, step=step, step_held_s=0.0)
        self.load, self._read_at = load, time.monotonic()

    async def _keep(self) -> None:
        """Renew the leases and keep the load fresh, while there are sessions."""
        renewed_at, reached = time.monotonic(), True
        while self._owned:
            await asyncio.sleep(READ_S)
            try:
                if time.monotonic() - renewed_at >= LEASE_RENEW_S:
                    await self._renew_all()
                    renewed_at = time.monotonic()
                await self.read()
                reached = True
            except redis.RedisError as error:
                if reached:
                    logger.warning("Leases and load cannot be kept up: %s", error)
                reached = False

    async def _renew_all(self) -> None:
        async with self._leases, self._redis.pipeline(transaction=False) as pipe:
            for owner, place in self._owned.items():
                args = [place.session_id, owner, LEASE_TTL_S, place.key_id, place.resume_window_s]
                await self._renew(args=args, client=pipe)
            await pipe.execute()


def _parse(answer: Any) -> Cluster:
    *figures, beats = answer
    sessions, lately, starting, waiting_finals, waiting_partials, running_finals, running_partials = figures[:7]
    requests, rejected, step, held_ms, used, most = map(int, figures[7:])
    workers = [cluster.heartbeat_decoder.decode(beat) for beat in beats]
    load = ClusterLoad(
        sessions=sessions,
        starting=starting,
        settled=max(sessions - lately, 0),
        waiting_finals=waiting_finals,
        waiting_partials=waiting_partials,
        running_finals=running_finals,
        running_partials=running_partials,
        workers=len(workers),
        lanes=sum(worker.lanes for worker in workers),
        threads=sum(worker.threads for worker in workers),
        max_batch=max((worker.max_batch for worker in workers), default=1),
        partial_cost=_mean_cost([worker.partial_cost for worker in workers]),
        final_cost=_mean_cost([worker.final_cost for worker in workers]),
        handling_ms=_mean([worker.handling_ms for worker in workers if worker.handling_ms]),
        final_rate=sum(worker.final_rate for worker in workers),
        avg_partial_ms=_mean([worker.avg_partial_ms for worker in workers]),
        avg_final_ms=_mean([worker.avg_final_ms for worker in workers]),
        memory=used / most if most else 0.0,
        step=step,
        step_held_s=held_ms / 1000,
    )
    return Cluster(load, workers, requests, rejected)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _mean_cost(costs: list[Cost]) -> Cost:
    return Cost(
        base_ms=_mean([cost.base_ms for cost in costs]),
        request_ms=_mean([cost.each_ms for cost in costs]),
        audio_s=_mean([cost.audio_s for cost in costs]),
    )
