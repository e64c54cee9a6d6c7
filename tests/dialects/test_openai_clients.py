"""OpenAI's own SDK and LiveKit's plugin for it, unchanged but for their address, against the real model."""

import asyncio
import base64
from typing import Any

import aiohttp
import pytest
from livekit.agents.stt import SpeechEventType
from livekit.plugins import openai as livekit_openai
from openai import AsyncOpenAI
from real_clients import SAID, at_rate, heard_by_livekit, paced, text, words

from harness.stack import Stack

ITEM = ["input_audio_buffer.committed", "conversation.item.added"]
pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the SDK's own
]


async def test_livekit_s_plugin(keyed: tuple[Stack, str], http: aiohttp.ClientSession) -> None:
    """Server VAD; it concatenates deltas and never commits."""
    stack, key = keyed
    stt = livekit_openai.STT(
        base_url=f"{stack.http_url}/v1", api_key=key, model="whisper", language="pt", use_realtime=True
    )
    stt._session = http
    ends = [SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.END_OF_SPEECH]  # it does not end of itself
    events = await heard_by_livekit(stt, until=ends)
    await stt.aclose()  # or the socket it keeps for its next stream stays open

    kinds = [event.type for event in events]
    assert kinds[0] is SpeechEventType.START_OF_SPEECH
    assert SAID in text(events, SpeechEventType.FINAL_TRANSCRIPT)


@pytest.mark.parametrize("server_vad", [True, False])
async def test_the_sdk(keyed: tuple[Stack, str], server_vad: bool) -> None:
    """Server VAD, or commits of its own."""
    stack, key = keyed
    client = AsyncOpenAI(base_url=f"{stack.http_url}/v1", api_key=key)
    told: list[Any] = []
    detection: Any = {"type": "server_vad"} if server_vad else None
    async with (
        asyncio.timeout(90),
        client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
    ):
        assert (await connection.recv()).type == "session.created"
        await connection.session.update(
            session={
                "type": "transcription",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24_000},
                        "transcription": {"model": "whisper-1", "language": "pt"},
                        "turn_detection": detection,
                    }
                },
            }
        )
        assert (await connection.recv()).type == "session.updated"

        async def send(frame: bytes) -> None:
            await connection.input_audio_buffer.append(audio=base64.b64encode(frame).decode())

        async def speak() -> None:
            await paced(at_rate(24_000), send, 24_000)
            if not server_vad:
                await connection.input_audio_buffer.commit()

        speaking = asyncio.create_task(speak())
        async for event in connection:
            told.append(event)
            if event.type == "conversation.item.input_audio_transcription.completed":
                break
        await speaking

    kinds = [event.type.removeprefix("conversation.item.input_audio_transcription.") for event in told]
    vad = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"]
    seen = [kind for kind in kinds if kind != "delta"]
    assert seen == [
        *(vad if server_vad else []),
        "input_audio_buffer.committed",
        "conversation.item.added",
        "completed",
    ]
    assert SAID in words(told[-1].transcript)
    assert len({event.item_id for event in told if hasattr(event, "item_id")}) == 1
    assert all(event.delta for event in told if hasattr(event, "delta"))


async def test_a_wrong_key_is_refused_before_the_upgrade(keyed: tuple[Stack, str]) -> None:
    stack, _ = keyed
    client = AsyncOpenAI(base_url=f"{stack.http_url}/v1", api_key="wrong", max_retries=0)
    with pytest.raises(Exception, match="401"):
        async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
            await connection.recv()
