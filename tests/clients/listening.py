"""Audio for the plugin under test, and what it makes of it."""

import asyncio
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import APIConnectOptions
from livekit.agents.stt import SpeechEvent, SpeechEventType

from clients.livekit_plugin import WhisperSTT

START, INTERIM, FINAL, USAGE, END = (
    SpeechEventType.START_OF_SPEECH,
    SpeechEventType.INTERIM_TRANSCRIPT,
    SpeechEventType.FINAL_TRANSCRIPT,
    SpeechEventType.RECOGNITION_USAGE,
    SpeechEventType.END_OF_SPEECH,
)
ONCE = APIConnectOptions(max_retry=0, timeout=2.0)
OFTEN = APIConnectOptions(max_retry=3, retry_interval=0.01, timeout=2.0)


def noise(seconds: float, sample_rate: int = 16_000, channels: int = 1) -> np.ndarray:
    shape = (round(seconds * sample_rate), channels)
    return np.random.default_rng(7).integers(-9_000, 9_000, shape).astype(np.int16)


def frames(samples: np.ndarray, sample_rate: int = 16_000, ms: int = 10) -> list[rtc.AudioFrame]:
    size, channels = sample_rate * ms // 1000, samples.shape[1]
    pieces = [samples[at : at + size] for at in range(0, len(samples), size)]
    return [rtc.AudioFrame(piece.tobytes(), sample_rate, channels, len(piece)) for piece in pieces]


async def transcribe(
    whisper: WhisperSTT, audio: list[rtc.AudioFrame], options: APIConnectOptions = ONCE, **kwargs: Any
) -> list[SpeechEvent]:
    """Everything a stream says about `audio`, pushed at once."""
    async with asyncio.timeout(10), whisper.stream(conn_options=options, **kwargs) as stream:
        for frame in audio:
            stream.push_frame(frame)
        stream.end_input()
        return [event async for event in stream]


def kinds(events: list[SpeechEvent]) -> list[SpeechEventType]:
    return [event.type for event in events]
