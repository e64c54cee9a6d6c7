"""What the real clients' tests share."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import requests
import soxr
from deepgram import DeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.media.client import MediaClient
from livekit import rtc
from livekit.agents import APIConnectOptions
from livekit.agents.stt import STT, SpeechEvent, SpeechEventType

from harness.audio import SAMPLE_RATE, frames, silence, speech
from harness.stack import Stack

SAID = "avenida paulista"
PCM = silence(0.3) + speech("s13_pm_alex") + silence(1.5)
OPTIONS = APIConnectOptions(max_retry=0, timeout=10.0)


def address(stack: Stack) -> str:
    """Its host and port."""
    return stack.http_url.removeprefix("http://")


@contextmanager
def recorded(stack: Stack, key: str = "none") -> Iterator[MediaClient]:
    """The part of Deepgram's SDK for recordings."""
    with httpx.Client(timeout=60) as http:
        yield DeepgramClient(api_key=key, environment=environment(address(stack)), httpx_client=http).listen.v1.media


def sessions(stack: Stack) -> int:
    """How many are there."""
    return int(requests.get(f"{stack.http_url}/health/status", timeout=5).json()["sessions"]["active"])


def words(text: str) -> str:
    """In lower case, without punctuation."""
    return " ".join(re.findall(r"\w+", text.lower()))


def at_rate(rate: int, pcm: bytes = PCM) -> bytes:
    """The PCM at another rate."""
    return bytes(soxr.resample(np.frombuffer(pcm, "<i2"), SAMPLE_RATE, rate).astype("<i2").tobytes())


def environment(address: str) -> DeepgramClientEnvironment:
    """Deepgram's SDK is pointed at a host and port by this."""
    http, ws = f"http://{address}", f"ws://{address}"
    return DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)


async def paced(pcm: bytes, send: Callable[[bytes], Awaitable[object]], rate: int = SAMPLE_RATE) -> None:
    """In frames of 50 ms, in real time."""
    began = time.monotonic()
    for n, frame in enumerate(frames(pcm, rate // 10)):
        await asyncio.sleep(began + n * 0.05 - time.monotonic())
        await send(frame)


async def heard_by_livekit(
    stt: STT[Any], pcm: bytes = PCM, *, until: Sequence[SpeechEventType] = ()
) -> list[SpeechEvent]:
    """The events of a stream, to its end or until there was one of each kind."""
    async with asyncio.timeout(60), stt.stream(conn_options=OPTIONS) as stream:

        async def push(frame: bytes) -> None:
            stream.push_frame(rtc.AudioFrame(frame, SAMPLE_RATE, 1, len(frame) // 2))

        async def speak() -> None:
            await paced(pcm, push)
            stream.end_input()

        speaking = asyncio.create_task(speak())
        events = []
        async for event in stream:
            events.append(event)
            if until and {event.type for event in events} >= set(until):
                break
        await speaking
    return events


def text(events: list[SpeechEvent], kind: SpeechEventType) -> str:
    """What the events of a kind say."""
    return words(" ".join(event.alternatives[0].text for event in events if event.type is kind))
