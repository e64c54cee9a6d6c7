"""Audio for the Python client under test, and what it makes of it."""

import asyncio
from typing import Any

import numpy as np
import whisper_stt
from scripted_service import ScriptedService
from whisper_stt import Stream, connect


def noise(seconds: float) -> bytes:
    return np.random.default_rng(7).integers(-9_000, 9_000, round(seconds * 16_000)).astype("<i2").tobytes()


async def transcribe(service: ScriptedService, pcm: bytes, **options: Any) -> list[whisper_stt.Event]:
    async with asyncio.timeout(10), connect(service.url, **{"speed": 1000.0, **options}) as stream:
        speaking = asyncio.create_task(speak(stream, pcm))
        events = [event async for event in stream]
        await speaking
    return events


async def speak(stream: Stream, pcm: bytes) -> None:
    for at in range(0, len(pcm), 640):
        await stream.send(pcm[at : at + 640])
    await stream.end()
