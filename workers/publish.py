"""Results on their way back: a stored copy first, then the session's channel-layer group."""

import asyncio
import logging
import threading

import redis
from channels.layers import get_channel_layer

from transcription.core.jobs import (
    MESSAGE_TYPE,
    RESULT_TTL_S,
    Job,
    Kind,
    Result,
    Transcript,
    encode_result,
    result_key,
)

logger = logging.getLogger(__name__)

SEND_TIMEOUT_S = 3.0


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
        self._tell(job, payload)

    def send_again(self, job: Job) -> bool:
        """Repeat the answer to a job that was done before; `False` when there is none."""
        payload = self._redis.get(result_key(job.job_id)) if job.kind is Kind.FINAL else None
        if not payload:
            return False
        self._tell(job, payload)
        return True

    def _tell(self, job: Job, payload: bytes) -> None:
        message = {"type": MESSAGE_TYPE, "payload": payload}
        sending = asyncio.run_coroutine_threadsafe(self._layer.group_send(job.group, message), self._loop)
        sending.result(SEND_TIMEOUT_S)
