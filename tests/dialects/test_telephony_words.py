"""What the real model hears through a telephone line, by each switch's protocol."""

import asyncio
import json

import pytest
import websockets
from real_clients import PCM, words
from real_clients import SAID as HEARD
from switches import CHUNK, address, finals, listened, paced, twilio_media, twilio_says, twilio_start

from harness.audio import frames
from harness.stack import Stack
from harness.telephone import alaw, narrow

pytestmark = pytest.mark.model


async def test_words_come_through_each_switch(model_stack: Stack) -> None:
    """All at once, in real time; of Twilio's chunks one in fifty is lost."""
    stack = model_stack

    async def by_twilio() -> str:
        media = [message for number, message in enumerate(twilio_media(PCM)) if number % 50 != 49]
        listening = asyncio.create_task(listened(stack, "CA1"))
        await twilio_says(stack, twilio_start("CA1", language="pt-BR"), media, pace_s=0.0204)
        return " ".join(final["text"] for final in finals(await listening))

    async def by_asterisk() -> str:
        listening = asyncio.create_task(listened(stack, "1699.1"))
        async with websockets.connect(address(stack, "/v1/asterisk?language=pt")) as ws:
            await ws.send("MEDIA_START connection_id:stt channel:WebSocket/stt/0x1 channel_id:1699.1 format:alaw")
            await paced(ws, frames(alaw(narrow(PCM)), CHUNK), 0.02)
        return " ".join(final["text"] for final in finals(await listening))

    async def by_jambonz() -> str:
        async with websockets.connect(address(stack, "/v1/jambonz")) as ws:
            await ws.send('{"type": "start", "language": "pt-BR", "sampleRateHz": 8000, "encoding": "LINEAR16"}')
            await paced(ws, frames(narrow(PCM).tobytes(), 2 * CHUNK), 0.02)
            await ws.send('{"type": "stop"}')
            told = [json.loads(message) async for message in ws]
        return " ".join(message["alternatives"][0]["transcript"] for message in told if message["is_final"])

    async with asyncio.timeout(120):
        heard = await asyncio.gather(by_twilio(), by_asterisk(), by_jambonz())

    assert [HEARD in words(text) for text in heard] == [True] * 3, heard
