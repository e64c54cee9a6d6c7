"""From the web process to the workers: a job becomes a Celery message in the list of its priority.

Celery has no asyncio client, and its own way to the list takes a thread and 0.4 ms a message (docs/decisions.md). What
is written here is its task protocol, version 2, as kombu puts it on Redis; tests hold it to what Celery itself sends.
"""

import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any
from uuid import uuid4

import msgspec
import redis
import redis.asyncio
from celery.utils.nodenames import anon_nodename
from opentelemetry.trace import SpanKind

from transcription import metrics
from transcription.core.contract import tracing
from transcription.core.contract.jobs import TASK_NAME, Job
from transcription.core.contract.keyspace import QUEUE, queue_key
from transcription.core.contract.tracing import About

Publish = Callable[[Sequence[Job]], Awaitable[Sequence[redis.RedisError | None]]]
"""Sends jobs, in order; what the broker said against each of them."""

_PERSISTENT = 2
_NOTHING_MORE: tuple[Any, ...] = ({}, dict.fromkeys(("callbacks", "errbacks", "chain", "chord")))
"""The rest of a body: no keyword arguments, nothing to be done afterwards."""


@cache
def _headers() -> dict[str, Any]:
    """Those that all messages of this process have."""
    none = ("shadow", "eta", "expires", "group", "group_index", "parent_id", "ignore_result", "stamped_headers")
    return dict.fromkeys(none) | {
        "lang": "py",
        "task": TASK_NAME,
        "retries": 0,
        "timelimit": (None, None),
        "argsrepr": "-",
        "kwargsrepr": "{}",
        "origin": anon_nodename(),
        "replaced_task_nesting": 0,
        "stamps": {},
    }


def message(job: Job, about: About) -> bytes:
    """The Celery message of a job, as JSON; `about` is for logs and traces."""
    raw = msgspec.to_builtins(job)
    del raw["about"]
    headers = _headers() | {"id": job.job_id, "root_id": job.job_id}
    return msgspec.json.encode(
        {
            "body": b64encode(msgspec.json.encode(((raw,), *_NOTHING_MORE))).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers | {tracing.HEADER: about} if about else headers,
            "properties": {
                "correlation_id": job.job_id,
                "reply_to": "",
                "delivery_mode": _PERSISTENT,
                "delivery_info": {"exchange": "", "routing_key": QUEUE},
                "priority": job.priority,
                "body_encoding": "base64",
                "delivery_tag": str(uuid4()),
            },
        }
    )


async def publish(client: redis.asyncio.Redis, jobs: Sequence[Job]) -> Sequence[redis.RedisError | None]:
    """Send jobs in one round trip; a broker that cannot be reached has said so of all of them."""
    started = time.perf_counter()
    with ExitStack() as spans:
        async with client.pipeline(transaction=False) as pipe:
            for job in jobs:
                span = tracing.spanning("publish", job.about, SpanKind.PRODUCER, kind=job.label)
                pipe.lpush(queue_key(job.priority), message(job, spans.enter_context(span)))
            try:
                answers = await pipe.execute(raise_on_error=False)
            except redis.RedisError as error:
                return [error] * len(jobs)
    metrics.publish_seconds.observe(time.perf_counter() - started)
    return [answer if isinstance(answer, redis.RedisError) else None for answer in answers]
