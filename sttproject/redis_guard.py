"""Two things about Redis that its client libraries do not do for us; drop each when upstream does.

A server that is no longer the primary says so, and redis-py 8.1.0 tells the caller and keeps the connection, to which
no other answer will ever come (`READONLY`, `MASTERDOWN`; `UNBLOCKED` to whoever waits there; redis/redis-py issues 460
and 1191). Taken for lost connections, as `LOADING` and `NOAUTH` are, they are closed, and what failed is tried on a new
one, which a stable address leads to the new primary. Nothing was done where one of these is the answer.

On a lost connection a Celery 5.7.0 worker closes its channel. `Channel.close()` first reads the pending BRPOP, which
raises, and the transport's client is set to None; a second close then tries to restore unacknowledged messages through
that None and dies of an AttributeError (kombu/transport/redis.py 5.7.0; celery/worker/consumer/consumer.py
`on_connection_error_after_connected`). Closing again at once, while the client is still there, finishes the work.
"""

import redis
from kombu.transport import redis as transport
from redis._parsers.base import BaseParser


class NotPrimaryError(redis.ReadOnlyError, redis.ConnectionError):
    """The server has become a replica."""


class NoPrimaryError(redis.exceptions.MasterDownError, redis.ConnectionError):
    """The server is a replica that has lost its primary."""


class NoLongerWaitingError(redis.ConnectionError):
    """The server has become a replica while a command waited."""


def install() -> None:
    """Patch redis-py's table of errors and kombu's `Channel.close`; once a process, before the first connection."""
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
