"""Results on their way back: of a final transcript a stored copy first, then to the session's channel-layer group."""

import asyncio
import logging
import threading

import redis
from channels.layers import get_channel_layer

from transcription.core.contract.jobs import Job, Kind, Result, Transcript, encode_result
from transcription.core.contract.keyspace import RESULT_TTL_S, result_key
from transcription.core.contract.messages import RESULT_TYPE, ResultMessage

logger = logging.getLogger(__name__)

SEND_TIMEOUT_S = 3.0
"""How long a task thread waits for the channel layer to take a result; the session will ask after one it does not."""


class Publisher:
    """Sends results; safe to use from any thread.

    The channel layer is asynchronous and wants one event loop for good (`async_to_sync` would open a connection a
    call), so a thread runs one.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._layer = get_channel_layer()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="results", daemon=True).start()

    def send(self, job: Job, result: Result) -> None:
        """Keep a final transcript's copy and tell the session. Raises `redis.RedisError` or `TimeoutError`."""
        payload = encode_result(result)
        if job.kind is Kind.FINAL and isinstance(result, Transcript):
            try:
                self._redis.set(result_key(job.job_id), payload, ex=RESULT_TTL_S)
            except redis.exceptions.OutOfMemoryError:
                logger.warning("Redis is full: an answer has no copy", extra=job.log_context())
        self.tell(job, payload)

    def tell(self, job: Job, payload: bytes) -> None:
        """Tell the session of an encoded result. Raises `redis.RedisError` or `TimeoutError`."""
        message = ResultMessage(type=RESULT_TYPE, payload=payload)
        sending = asyncio.run_coroutine_threadsafe(self._layer.group_send(job.group, message), self._loop)
        try:
            sending.result(SEND_TIMEOUT_S)
        except TimeoutError:
            sending.cancel()  # else those of a Redis that hangs would pile up, and come all at once
            raise

    def reconnect(self) -> None:
        """Go on over a new connection: a Redis that is no longer the primary takes messages, and nobody hears them."""
        asyncio.run_coroutine_threadsafe(self._layer.flush(), self._loop)
