"""Four things about Redis that its client libraries do not do for us; drop each when upstream does.

A server that is no longer the primary says so, and redis-py 8.1.0 tells the caller and keeps the connection, to which
no other answer will ever come (`READONLY`, `MASTERDOWN`; `UNBLOCKED` to whoever waits there; redis/redis-py issues 460
and 1191). Taken for lost connections, as `LOADING` and `NOAUTH` are, they are closed, and what failed is tried on a new
one, which a stable address leads to the new primary. Nothing was done where one of these is the answer.

On a lost connection a Celery 5.7.0 worker closes its channel. `Channel.close()` first reads the pending BRPOP, which
raises, and the transport's client is set to None; a second close then tries to restore unacknowledged messages through
that None and dies of an AttributeError (kombu/transport/redis.py 5.7.0; celery/worker/consumer/consumer.py
`on_connection_error_after_connected`). Closing again at once, while the client is still there, finishes the work.

Who only listens sends a PING now and then, and redis-py 8.1.0 does not mind that it is not answered
(`redis.asyncio.client.PubSub.check_health`): of a server that hangs while another is promoted nothing would be heard,
and nobody would look for the other. Disconnected, the listener connects and subscribes anew by itself.

A channel whose subscription fails is kept for ever by channels_redis 4.3.0 (channels_redis/pubsub.py
`_subscribe_to_channel`), though nobody knows its name: as many as clients try to connect while Redis is away.
"""

import asyncio

import redis
import redis.asyncio.client
from channels_redis.pubsub import RedisPubSubLoopLayer
from kombu.transport import redis as transport
from redis._parsers.base import BaseParser

UNANSWERED_S = 3.0
"""How long a listener waits for the answer to its PING."""


class NotPrimaryError(redis.ReadOnlyError, redis.ConnectionError):
    """The server has become a replica."""


class NoPrimaryError(redis.exceptions.MasterDownError, redis.ConnectionError):
    """The server is a replica that has lost its primary."""


class NoLongerWaitingError(redis.ConnectionError):
    """The server has become a replica while a command waited."""


def install() -> None:
    """Patch the libraries; once a process, before the first connection."""
    BaseParser.EXCEPTION_CLASSES |= {
        "READONLY": NotPrimaryError,
        "MASTERDOWN": NoPrimaryError,
        "UNBLOCKED": NoLongerWaitingError,
    }
    original = transport.Channel.close

    def close(self: transport.Channel) -> None:
        try:
            original(self)
        except self.connection_errors:  # type: ignore[attr-defined]  # set by its __init__
            if self.closed:
                raise
            original(self)

    transport.Channel.close = close  # type: ignore[method-assign]

    ping = redis.asyncio.client.PubSub.check_health

    async def check_health(self: redis.asyncio.client.PubSub) -> None:
        there, now = self.connection, asyncio.get_running_loop().time()
        asked = there and there.is_connected and there.health_check_interval
        if there and asked and 0 < there.next_health_check < now - UNANSWERED_S:
            await there.disconnect()  # who reads on connects
        else:
            await ping(self)

    redis.asyncio.client.PubSub.check_health = check_health  # type: ignore[method-assign]

    subscribe = RedisPubSubLoopLayer._subscribe_to_channel

    async def subscribe_or_forget(self: RedisPubSubLoopLayer, channel: str) -> None:
        try:
            await subscribe(self, channel)
        except BaseException:
            self.channels.pop(channel, None)
            raise

    RedisPubSubLoopLayer._subscribe_to_channel = subscribe_or_forget
