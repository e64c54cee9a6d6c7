"""What the sessions of a web process share: admission, API keys, the way to the workers and back, the records."""

import atexit
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol

import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from transcription.audit.records import Record, Recorder
from transcription.cluster import dispatch
from transcription.cluster.calls import Board
from transcription.cluster.capacity import Capacity
from transcription.cluster.outbox import Outbox, Outgoing, Sender
from transcription.cluster.recovery import JobStates, Recovery
from transcription.core.capacity.admission import Admission, Principal
from transcription.core.capacity.load import ClusterLoad
from transcription.core.config import Limits, SessionConfig
from transcription.core.session.recognition import Tools
from transcription.ingress import draining, vad
from transcription.ingress.listening import Listening
from transcription.ingress.resampling import StreamResampler
from transcription.keys.keyring import Keyring

LAST_RECORDS_S = 3.0
"""What a process that ends gives to records that still wait."""


class Places(Protocol):
    """Who gives sessions their places: `Capacity` of `cluster/capacity.py`, or its double in `cluster/memory.py`."""

    @property
    def load(self) -> ClusterLoad: ...

    async def admit(
        self,
        session_id: str,
        owner: str,
        principal: Principal | None = None,
        resume_window_s: float = 0,
        *,
        recorded: bool = False,
        places: int = 1,
    ) -> Admission: ...

    async def release(self, owner: str, *, resumable: bool = False) -> None: ...


class Post(Protocol):
    """Who takes what sessions have for Redis and the workers: `Outbox` of `cluster/outbox.py`, or its double."""

    @property
    def stuck(self) -> bool: ...

    def put(self, effect: Outgoing, sender: Sender) -> None: ...


class Checks(Protocol):
    """Who finds out what became of finals: `Recovery` of `cluster/recovery.py`, or its double."""

    def ask(self, job_ids: tuple[str, ...], tell: Callable[[JobStates], None]) -> None: ...


class Records(Protocol):
    """Who writes audit records: `Recorder` of `audit/records.py`, or its double."""

    def submit(self, record: Record) -> None: ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """The shared parts, as a consumer is given them."""

    defaults: SessionConfig
    limits: Limits
    tools: Tools
    listening: Listening
    capacity: Places
    keyring: Keyring
    outbox: Post
    recorder: Records
    recovery: Checks
    board: Board


@cache
def current() -> Runtime:
    """The process's one; made when the first client connects, inside the event loop."""
    env = settings.STT
    client: redis.asyncio.Redis = env.redis.asynchronous(
        socket_timeout=2.0,
        socket_connect_timeout=1.0,
        socket_keepalive=True,
        health_check_interval=5,
        retry=Retry(NoBackoff(), 1),
    )
    recorder = Recorder()
    atexit.register(recorder.close, LAST_RECORDS_S)
    return Runtime(
        defaults=env.session,
        limits=env.limits,
        tools=Tools(vad=vad.SileroVad, resampler=StreamResampler),
        listening=Listening(vad.judge, lambda: len(draining.sessions)),
        capacity=Capacity(client, env.limits),
        keyring=Keyring(client),
        outbox=Outbox(client, partial(dispatch.publish, client)),
        recorder=recorder,
        recovery=Recovery(client),
        board=Board(client),
    )
