"""The plugin against the real service."""

import asyncio
import re
import time
from typing import Any

import aiohttp
import numpy as np
import pytest
from listening import END, FINAL, INTERIM, START, frames, kinds
from livekit.agents import APIConnectOptions
from livekit.agents.stt import SpeechEvent

from clients.livekit_plugin import WhisperSTT
from harness.audio import silence, speech
from harness.cutter import Cutter

pytestmark = pytest.mark.model

CLIPS = ["s01_pm_alex", "s07_pm_alex", "s13_pm_alex"]
CUT_EVERY = 70
"""Frames of 20 ms."""
OPTIONS = APIConnectOptions(max_retry=40, retry_interval=0.05, timeout=5.0)


async def said(url: str, http: aiohttp.ClientSession, pcm: bytes, cut: Any = None) -> list[SpeechEvent]:
    """The events of audio pushed in real time; `cut` is called again and again."""
    seconds = len(pcm) / 32_000
    samples = np.frombuffer(pcm, "<i2")[:, np.newaxis]
    async with (
        asyncio.timeout(seconds + 60),
        WhisperSTT(url, http_session=http) as whisper,
        whisper.stream(conn_options=OPTIONS) as stream,
    ):

        async def speak() -> None:
            began = time.monotonic()
            for n, frame in enumerate(frames(samples, ms=20)):
                await asyncio.sleep(began + n * 0.02 - time.monotonic())
                stream.push_frame(frame)
                if cut and n % CUT_EVERY == CUT_EVERY - 1:
                    cut()
            stream.end_input()

        speaking = asyncio.create_task(speak())
        events = [event async for event in stream]
        await speaking
    return events


def words(events: list[SpeechEvent]) -> list[str]:
    """Of all finals, in lower case, without punctuation."""
    text = " ".join(event.alternatives[0].text for event in events if event.type is FINAL)
    return re.findall(r"\w+", text.lower())


async def test_a_sentence(model_stack: Any, http: aiohttp.ClientSession) -> None:
    """Events in their order, words in theirs, and the text."""
    pcm = speech("s13_pm_alex")
    events = await said(model_stack.ws_url, http, pcm)

    order = kinds(events)
    assert order[0] is START
    assert order[-1] is END
    assert INTERIM in order[: order.index(FINAL)]
    assert "avenida paulista" in " ".join(words(events))
    finals = [event.alternatives[0] for event in events if event.type is FINAL]
    times = [(word.start_time, word.end_time) for final in finals for word in final.words]
    assert times == sorted(times)
    assert all(0 <= start <= end <= len(pcm) / 32_000 + 0.1 for start, end in times)


async def test_connections_cut_in_mid_utterance_lose_and_double_no_word(
    model_stack: Any, http: aiohttp.ClientSession
) -> None:
    """The service resumes: what is said is what is said without a cut."""
    pcm = b"".join(silence(0.5) + speech(name) + silence(1.0) for name in CLIPS)
    whole = await said(model_stack.ws_url, http, pcm)
    cutter = Cutter(model_stack)
    async with cutter.open() as url:
        cut = await said(url, http, pcm, cutter.cut)

    assert cutter.connections > len(CLIPS)
    assert words(cut) == words(whole)
    # where a final takes longer than the pause after it, two utterances are one speech to LiveKit
    assert 0 < kinds(cut).count(START) == kinds(cut).count(END) <= len(CLIPS)
    ends = [event.alternatives[0].end_time for event in cut if event.type is FINAL]
    assert ends == sorted(ends)
