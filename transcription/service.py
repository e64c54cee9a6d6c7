"""What the sessions of a web process share: Redis, admission, API keys, the way to the workers, the records."""

import atexit
from dataclasses import dataclass
from functools import cache

import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from transcription import dispatch
from transcription.capacity import Capacity
from transcription.core.config import Limits, SessionConfig
from transcription.core.speech import Tools
from transcription.keyring import Keyring
from transcription.outbox import Outbox
from transcription.records import Recorder
from transcription.recovery import Recovery
from transcription.resampling import StreamResampler
from transcription.vad import SileroVad

LAST_RECORDS_S = 3.0


@dataclass(frozen=True, slots=True)
class Service:
    """The shared parts."""

    defaults: SessionConfig
    limits: Limits
    tools: Tools
    capacity: Capacity
    keyring: Keyring
    outbox: Outbox
    recorder: Recorder
    recovery: Recovery


@cache
def current() -> Service:
    """The process's one service; made when the first client connects, inside the event loop."""
    env = settings.STT
    client = redis.asyncio.Redis.from_url(
        env.redis_url,
        socket_timeout=2.0,
        socket_connect_timeout=1.0,
        socket_keepalive=True,
        health_check_interval=5,
        retry=Retry(NoBackoff(), 1),
    )
    recorder = Recorder()
    atexit.register(recorder.close, LAST_RECORDS_S)
    return Service(
        defaults=env.session,
        limits=env.limits,
        tools=Tools(vad=SileroVad, resampler=StreamResampler),
        capacity=Capacity(client, env.limits),
        keyring=Keyring(client),
        outbox=Outbox(client, dispatch.publish),
        recorder=recorder,
        recovery=Recovery(client),
    )
