"""The door: decode the message, have it done."""

from typing import Any

import msgspec
from celery import Task, shared_task
from opentelemetry.trace import SpanKind

from transcription.core.contract import tracing
from transcription.core.contract.jobs import TASK_NAME, Job
from workers import bootstrap  # noqa: F401 - importing it has the model loaded when Celery starts


@shared_task(name=TASK_NAME, bind=True)
def transcribe(task: "Task[Any, Any]", raw: dict[str, Any]) -> None:
    """Have the process's worker run a job; `raw` is a `Job` as built-in types."""
    about = task.request.get(tracing.HEADER) or {}
    job = msgspec.convert(raw | {"about": about}, Job)
    with tracing.spanning("decode", about, SpanKind.CONSUMER, kind=job.label, segment_id=job.segment_id):
        task.app.stt_worker.do(job)  # type: ignore[attr-defined]  # set by bootstrap
