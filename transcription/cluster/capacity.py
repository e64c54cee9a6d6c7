"""The I/O half of admission: one truth for the cluster, in Redis.

A session's place is a lease with its owner's name, and a member of the sets of all sessions and of its API key's, each
scored by when it lapses. The web process renews the leases of its sessions; those of a dead process lapse within
`LEASE_TTL_S`. Redis' own clock decides. Checking and taking is one script, so two processes cannot both win. How far a
session that may be resumed is settled lies beside the lease (`outbox.py` writes it); whoever resumes it takes it over
with the lease, in the same script. Load and step are read at most every `READ_S`, never once a job.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from transcription.cluster import bars, scripts
from transcription.core import resuming
from transcription.core.capacity import shedding
from transcription.core.capacity.admission import (
    MEMORY_FULL,
    Admission,
    Admitted,
    Principal,
    congested,
    decide,
    decide_on_jobs,
    decide_on_recording,
    max_sessions_reached,
    memory_full,
    most_sessions,
    queue_away,
    room,
    session_exists,
)
from transcription.core.capacity.load import ClusterLoad
from transcription.core.config import Limits
from transcription.core.contract import heartbeat, keyspace
from transcription.core.contract.heartbeat import LEASE_RENEW_S, READ_S, Cost, GaveUp, Heartbeat, gave_up_decoder

logger = logging.getLogger(__name__)

PROBE_TIMEOUT_S = 1.0
FRESH_S = READ_S / 5
"""Nobody is refused by a load that is older."""
STARTING_MS, SETTLED_MS = round(heartbeat.STARTING_S * 1000), round(heartbeat.SETTLED_S * 1000)

# lua/load.lua
LOAD_KEYS = [
    keyspace.SESSIONS_KEY,
    keyspace.STARTING_KEY,
    keyspace.COUNTERS_KEY,
    keyspace.SHEDDING_KEY,
    keyspace.WORKERS_KEY,
    keyspace.UNACKED_KEY,
    *keyspace.QUEUE_KEYS,
]
LOAD_ARGS: list[str | int] = [
    STARTING_MS,
    SETTLED_MS,
    keyspace.worker_key(""),
    keyspace.FINAL_PRIORITY,
    keyspace.RECORDED_PRIORITY,
]


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
    client: redis.Redis = settings.STT.redis.client(
        socket_timeout=PROBE_TIMEOUT_S,
        socket_connect_timeout=PROBE_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )
    return client


def read_cluster(client: redis.Redis) -> Cluster:
    """Read the cluster, for a page or a probe. Raises `redis.RedisError`."""
    return _parse(client.register_script(scripts.LOAD)(LOAD_KEYS, LOAD_ARGS))


def read_gave_up(client: redis.Redis) -> list[GaveUp]:
    """The workers that could not decode, of the last `GAVE_UP_TTL_S`, the last first. Raises `redis.RedisError`."""
    since = time.time() - keyspace.GAVE_UP_TTL_S
    told = map(gave_up_decoder.decode, client.lrange(keyspace.GAVE_UP_KEY, 0, -1))
    return [gave_up for gave_up in told if gave_up.at > since]


@dataclass(frozen=True, slots=True)
class Lease:
    """A session's place, held by this process."""

    session_id: str
    key_id: str
    """Of its API key; empty: it has none."""
    resume_window_s: float
    places: int = 1
    """How many it takes: one a channel."""

    @property
    def keys(self) -> list[str]:
        """Lease, state and, where there is an API key, its sessions: the last of what the scripts take."""
        owned = [keyspace.lease_key(self.session_id), keyspace.resume_key(self.session_id)]
        return [*owned, keyspace.key_sessions_key(self.key_id)] if self.key_id else owned


class Capacity:
    """This process's dealings with the cluster's places, load and step."""

    def __init__(self, client: redis.asyncio.Redis, limits: Limits) -> None:
        self._redis = client
        self._limits = limits
        self._acquire = client.register_script(scripts.ACQUIRE)
        self._renew = client.register_script(scripts.RENEW)
        self._release = client.register_script(scripts.RELEASE)
        self._load = client.register_script(scripts.LOAD)
        self._move = client.register_script(scripts.MOVE)
        self._owned: dict[str, Lease] = {}
        """By owner: a session that is resumed has two for a moment."""
        self._leases = asyncio.Lock()
        """A renewal on its way must not bring back what is given back meanwhile."""
        self._keeper: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_at = -READ_S
        self.load = ClusterLoad()
        """When last read: no more than `READ_S` ago while this process has sessions and Redis answers."""

    async def admit(
        self,
        session_id: str,
        owner: str,
        principal: Principal | None = None,
        resume_window_s: float = 0,
        *,
        recorded: bool = False,
        places: int = 1,
    ) -> Admission:
        """Decide on a new session and, if it is admitted, take its place, or its `places`: one a channel.

        With a window it may be resumed for so long, and goes on with the session of that name if there is one. A
        recording counts as a session, but not as one that has just started: no final of it comes before others'.
        """
        key_id = principal.key_id if principal else ""
        try:
            lease = Lease(session_id, key_id, resume_window_s, places)
            return await self._admit(owner, lease, principal, recorded=recorded)
        except redis.exceptions.OutOfMemoryError:
            return memory_full(max(self.load.memory, MEMORY_FULL))
        except redis.RedisError as error:
            logger.warning("Admission cannot reach Redis: %s", error)
            return queue_away()

    async def _admit(self, owner: str, lease: Lease, principal: Principal | None, *, recorded: bool) -> Admission:
        if barred := await bars.refusal(self._redis, lease.session_id, principal):
            return barred
        load = await self.read()
        if decide(load, self._limits, lease.places):
            load = await self.read(FRESH_S)  # the caller may be the one who has just gone
        # what counts sessions is left to the script, which sees them as they are
        refusal = decide_on_jobs(load, self._limits)
        if recorded and refusal is None:
            refusal = decide_on_recording(load, self._limits)
        key_most = "" if principal is None or principal.max_sessions is None else principal.max_sessions
        args: list[str | int] = [
            lease.session_id,
            owner,
            keyspace.LEASE_TTL_S,
            keyspace.resume_ttl_s(lease.resume_window_s) if lease.resume_window_s else "",
            lease.key_id,
            self._limits.max_sessions,
            key_most,
            int(refusal is not None),
            room(load, self._limits),
            most_sessions(load, self._limits),
            STARTING_MS,
            SETTLED_MS,
            int(recorded),
            lease.places,
        ]
        admitted = Admitted()
        keys = [keyspace.SESSIONS_KEY, keyspace.STARTING_KEY, keyspace.COUNTERS_KEY, *lease.keys]
        match await self._acquire(keys, args):
            case b"exists":
                return session_exists(lease.session_id)
            case b"refused" if refusal:
                return refusal
            case b"full":
                return max_sessions_reached(self._limits.max_sessions)
            case b"key full":
                return max_sessions_reached(int(key_most), "this API key")
            case b"congested":
                return congested(load, self._limits)
            case [taken_from, checkpoint]:
                admitted = Admitted(resuming.decode(checkpoint), taken_from.decode())
        self._owned[owner] = lease
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())
        return admitted

    async def release(self, owner: str, *, resumable: bool = False) -> None:
        """Give the place of `owner` back; with `resumable` another connection may still go on with its session."""
        lease = self._owned.pop(owner, None)
        if lease is None:
            return
        try:
            async with self._leases:
                keys = [keyspace.SESSIONS_KEY, keyspace.STARTING_KEY, *lease.keys]
                await self._release(keys, [lease.session_id, owner, int(resumable), lease.places])
        except redis.RedisError as error:
            logger.warning("A place lapses by itself, Redis cannot be reached: %s", error)

    async def read(self, most_old_s: float = READ_S) -> ClusterLoad:
        """The load, at most so old; all who ask at once share one read. Raises `redis.RedisError`."""
        if time.monotonic() - self._read_at >= most_old_s:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            await asyncio.shield(self._reading)
        return self.load

    async def _read(self) -> None:
        load = _parse(await self._load(LOAD_KEYS, LOAD_ARGS)).load
        pressure = shedding.pressure(load, self._limits)
        step = shedding.next_step(load.step, load.step_held_s, pressure)
        confirms = shedding.calls_for(step, pressure) and load.step_held_s > shedding.HOLD_S / 4
        if step != load.step or confirms:
            await self._move([keyspace.SHEDDING_KEY], [load.step, step, keyspace.STEP_TTL_S])
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
            for owner, lease in self._owned.items():
                kept_s = keyspace.resume_ttl_s(lease.resume_window_s)
                args: list[str | int] = [lease.session_id, owner, keyspace.LEASE_TTL_S, kept_s, lease.places]
                await self._renew([keyspace.SESSIONS_KEY, *lease.keys], args, client=pipe)
            await pipe.execute()


def _parse(answer: Any) -> Cluster:
    *figures, beats = answer
    sessions, lately, starting, *jobs = figures[:9]
    waiting_finals, waiting_partials, waiting_recorded, running_finals, running_partials, running_recorded = jobs
    requests, rejected, step, held_ms, used, most = map(int, figures[9:])
    workers = [heartbeat.heartbeat_decoder.decode(beat) for beat in beats]
    load = ClusterLoad(
        sessions=sessions,
        starting=starting,
        settled=max(sessions - lately, 0),
        waiting_finals=waiting_finals,
        waiting_partials=waiting_partials,
        waiting_recorded=waiting_recorded,
        running_finals=running_finals,
        running_partials=running_partials,
        running_recorded=running_recorded,
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
