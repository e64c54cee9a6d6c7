"""A worker as any other, run in Celery's place, but for what a segment's audio or number asks of it.

Audio that begins with `KILLER` ends the process as the kernel's memory killer would, audio that begins with `STUCK` is
decoded for ever, and once: a worker started later decodes it. Answers to segments 2, 3 and 4 are lost once, sent twice
and sent late. `CHAOS_CLOCK_S` is by how much its wall clock is wrong.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

KILLER, STUCK = 12_345, 23_456
LATE_S = 2.0


def marked(sample: int, pcm: bytes) -> bytes:
    """The same audio, beginning with this sample."""
    return np.int16(sample).tobytes() + pcm[2:]


def misbehave() -> None:
    """Change this process' engine, channel layer and clock."""
    from channels_redis.pubsub import RedisPubSubLoopLayer

    from transcription.core.contract import jobs
    from workers.engines.echo import EchoEngine

    decode, send = EchoEngine.decode, RedisPubSubLoopLayer.group_send
    seen: set[str] = set()

    def decode_or_not(self: EchoEngine, batch: list[Any]) -> list[Any]:
        for request in batch:
            first = round(float(request.audio[0]) * 32768)
            if first == KILLER and request.job.kind is jobs.Kind.FINAL:
                os.kill(os.getpid(), signal.SIGKILL)
            if first == STUCK and request.job.kind is jobs.Kind.FINAL and not _stuck_before():
                threading.Event().wait()
        return decode(self, batch)

    async def send_or_not(self: RedisPubSubLoopLayer, group: str, message: dict[str, Any]) -> None:
        result = jobs.decode_result(message["payload"])
        first_time = result.kind is jobs.Kind.FINAL and result.job_id not in seen
        seen.add(result.job_id)
        match result.segment_id if first_time else None:
            case "seg-0002":
                return
            case "seg-0003":
                await send(self, group, message)
            case "seg-0004":
                await asyncio.sleep(LATE_S)
        await send(self, group, message)

    EchoEngine.decode = decode_or_not
    RedisPubSubLoopLayer.group_send = send_or_not


def _stuck_before() -> bool:
    """Whether a worker has hung already; the file outlives it."""
    try:
        Path(os.environ["CHAOS_STUCK"]).touch(exist_ok=False)
    except FileExistsError:
        return True
    return False


if __name__ == "__main__":
    wrong_by, real = float(os.environ.get("CHAOS_CLOCK_S", "0")), time.time
    if wrong_by:
        time.time = lambda: real() + wrong_by
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sttproject.settings")
    django.setup()
    misbehave()
    from celery.__main__ import main

    sys.argv[0] = "celery"
    sys.exit(main())
