"""What other services' clients in Python are answered where they ask for an end, in silence and in mid-sentence."""

import asyncio
import base64
from typing import Any

import aiohttp
import pytest
from deepgram import AsyncDeepgramClient
from livekit import rtc
from livekit.agents.stt import SpeechEventType
from livekit.plugins import deepgram
from openai import AsyncOpenAI
from real_clients import OPTIONS, at_rate, environment

from harness.audio import SAMPLE_RATE, frames, silence, speech
from harness.stack import Stack

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDKs' own

SILENCE, SENTENCE = silence(0.5), speech("s13_pm_alex")[: 2 * SAMPLE_RATE]
"""A second of a sentence: nothing of it ends by itself."""
RAW = {"encoding": "linear16", "sample_rate": str(SAMPLE_RATE)}


@pytest.fixture
def address(echo_stack: Stack) -> str:
    return f"127.0.0.1:{echo_stack.ports[0]}"


async def test_deepgram_live(address: str) -> None:
    """Each Finalize has its answer, the first an empty one."""
    client = AsyncDeepgramClient(api_key="none", environment=environment(address))
    answers: list[str] = []
    async with asyncio.timeout(30), client.listen.v1.connect(model="nova-3", **RAW) as connection:
        for audio in (SILENCE, SENTENCE):
            for frame in frames(audio, 3200):
                await connection.send_media(frame)
            await connection.send_finalize()
            while not (message := await connection.recv()).from_finalize:
                assert message.type == "Results"
            answers.append(message.channel.alternatives[0].transcript)

    assert answers[0] == ""
    assert answers[1]


async def test_deepgram_flux(address: str) -> None:
    """A forced end in silence ends no turn; in a turn it is its end."""
    client = AsyncDeepgramClient(api_key="none", environment=environment(address))
    told: list[Any] = []
    async with asyncio.timeout(30), client.listen.v2.connect(model="flux-general-multi", **RAW) as connection:
        for audio in (SILENCE, SENTENCE):
            for frame in frames(audio, 3200):
                await connection.send_media(frame)
            await connection.send_force_end_turn()
        while not told or getattr(told[-1], "event", "") != "EndOfTurn":
            told.append(await connection.recv())

    turn = [message for message in told if message.type == "TurnInfo"]
    assert (turn[0].event, turn[-1].trigger) == ("StartOfTurn", "manual")
    assert {message.turn_index for message in turn} == {0}
    assert turn[-1].transcript


async def test_livekit_s_plugin(address: str, http: aiohttp.ClientSession) -> None:
    """It sends a Finalize for each flush."""
    stt = deepgram.STT(base_url=f"http://{address}/v1/listen", api_key="none", language="pt-BR", http_session=http)
    async with asyncio.timeout(30), stt.stream(conn_options=OPTIONS) as stream:
        for audio in (SILENCE, SENTENCE):
            stream.push_frame(rtc.AudioFrame(audio, SAMPLE_RATE, 1, len(audio) // 2))
            stream.flush()
        kinds: list[SpeechEventType] = []
        async for event in stream:
            kinds.append(event.type)
            if event.type is SpeechEventType.END_OF_SPEECH:
                break

    assert kinds.count(SpeechEventType.FINAL_TRANSCRIPT) == 1


async def test_openai_realtime(address: str) -> None:
    """A commit of nothing is an error of that commit; the next is an item, completed."""
    client = AsyncOpenAI(base_url=f"http://{address}/v1", api_key="none")
    audio: Any = {"input": {"format": {"type": "audio/pcm", "rate": 24_000}, "turn_detection": None}}
    kinds: list[str] = []
    async with asyncio.timeout(30), client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        await connection.session.update(session={"type": "transcription", "audio": audio})
        await connection.input_audio_buffer.commit()
        await connection.input_audio_buffer.append(audio=base64.b64encode(at_rate(24_000, SENTENCE)).decode())
        await connection.input_audio_buffer.commit()
        while not kinds or not kinds[-1].endswith(".completed"):
            event = await connection.recv()
            kinds.append(event.type)
            if event.type == "error":
                assert event.error.code == "input_audio_buffer_commit_empty"

    assert kinds[:3] == ["session.created", "session.updated", "error"]
    assert kinds.count("input_audio_buffer.committed") == 1
    assert event.transcript
