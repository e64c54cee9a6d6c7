"""The door: decode the message, have it done."""

from typing import Any

import msgspec
from celery import shared_task

from transcription.core.jobs import TASK_NAME, Job
from workers import bootstrap


@shared_task(name=TASK_NAME)
def transcribe(raw: dict[str, Any]) -> None:
    """Run one job."""
    bootstrap.current().do(msgspec.convert(raw, Job))
