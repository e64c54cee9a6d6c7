"""Keeps a Celery 5.7.0 worker alive through a Redis outage; drop it when upstream does.

On a lost connection the worker closes its channel. `Channel.close()` first reads the pending BRPOP, which raises, and
the transport's client is set to None; a second close then tries to restore unacknowledged messages through that None
and dies of an AttributeError (kombu/transport/redis.py 5.7.0; celery/worker/consumer/consumer.py
`on_connection_error_after_connected`). Closing again at once, while the client is still there, finishes the work.
"""

from kombu.transport import redis as transport


def install() -> None:
    """Patch `Channel.close`; once a process, before the first connection."""
    original = transport.Channel.close

    def close(self: transport.Channel) -> None:
        try:
            original(self)
        except self.connection_errors:
            if self.closed:
                raise
            original(self)

    transport.Channel.close = close
