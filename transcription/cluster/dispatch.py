"""From the web process to the workers: a job becomes a Celery message, sent from a thread.

Celery has no asyncio client; publishing costs about a millisecond and must not cost the event loop more
(docs/decisions.md). The task is named, never imported.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from celery import current_app
from opentelemetry.trace import SpanKind

from transcription import metrics
from transcription.core.contract import tracing
from transcription.core.contract.jobs import TASK_NAME, Job
from transcription.core.contract.keyspace import QUEUE

_publishers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="publish")


def publish(job: Job) -> "asyncio.Future[None]":
    """Send a job; the future fails as Celery does when the broker cannot be reached."""
    return asyncio.get_running_loop().run_in_executor(_publishers, _send, job)


def _send(job: Job) -> None:
    started = time.perf_counter()
    raw = msgspec.to_builtins(job)
    del raw["about"]
    with tracing.spanning("publish", job.about, SpanKind.PRODUCER, kind=job.label) as about:
        headers: Any = {tracing.HEADER: about} if about else None  # typed as of strings alone
        current_app.signature(TASK_NAME, args=[raw]).apply_async(
            task_id=job.job_id,
            queue=QUEUE,
            priority=job.priority,
            argsrepr="-",
            retry=False,
            headers=headers,
        )
    metrics.publish_seconds.observe(time.perf_counter() - started)
