"""Telephone switches' side of their protocols, Twilio's for the most part, and who listens to a call."""

import asyncio
import contextlib
import json
import time
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import websockets
from websockets import ClientConnection
from websockets.exceptions import ConnectionClosed

from harness.audio import frames
from harness.stack import Stack
from harness.telephone import mulaw, narrow

CHUNK = 160
"""Bytes of 20 ms of G.711."""


def address(stack: Stack, path: str, web: int = 0) -> str:
    return stack.ws_urls[web].removesuffix("/ws/stt") + path


def twilio_start(call: str, stream: str = "MZ1", tracks: Iterable[str] = ("inbound",), **parameters: str) -> str:
    start = {
        "accountSid": "AC1",
        "streamSid": stream,
        "callSid": call,
        "tracks": [*tracks],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": parameters,
    }
    return json.dumps({"event": "start", "sequenceNumber": "1", "start": start, "streamSid": stream})


def twilio_media(pcm: bytes, track: str = "inbound") -> list[str]:
    """16 kHz PCM as Twilio sends it."""
    return [
        json.dumps(
            {
                "event": "media",
                "sequenceNumber": str(number + 1),
                "streamSid": "MZ1",
                "media": {
                    "track": track,
                    "chunk": str(number),
                    "timestamp": str(20 * (number - 1)),
                    "payload": b64encode(chunk).decode(),
                },
            }
        )
        for number, chunk in enumerate(frames(mulaw(narrow(pcm)), CHUNK), start=1)
    ]


TWILIO_CONNECTED = '{"event": "connected", "protocol": "Call", "version": "1.0.0"}'
TWILIO_STOP = '{"event": "stop", "sequenceNumber": "9", "stop": {"accountSid": "AC1", "callSid": "CA"}}'


async def twilio_says(
    stack: Stack, start: str, media: Iterable[str], *, pace_s: float = 0.0, stops: bool = True
) -> ClientConnection:
    """One stream, to its end; without `stops` the socket is cut. The connection, once it is closed."""
    ws = await websockets.connect(address(stack, "/v1/twilio"))
    await ws.send(TWILIO_CONNECTED)
    await ws.send(start)
    await paced(ws, media, pace_s)
    if not stops:
        ws.transport.abort()
        return ws
    await ws.send(TWILIO_STOP)
    assert await rest(ws) == [], "nothing is said to Twilio"
    return ws


async def rest(ws: ClientConnection) -> list[str]:
    """What still comes until the server closes, with whatever code."""
    told: list[str] = []
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionClosed):
            while True:
                told.append(str(await ws.recv()))
    return told


async def paced(ws: ClientConnection, messages: Iterable[str | bytes], pace_s: float) -> None:
    """One message every `pace_s`."""
    began = time.monotonic()
    for number, message in enumerate(messages):
        if pace_s:
            await asyncio.sleep(began + number * pace_s - time.monotonic())
        await ws.send(message)


async def listened(stack: Stack, call: str, key: str = "", web: int = 0) -> list[dict[str, Any]]:
    """What a listener hears until it is closed with 1000."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        asyncio.timeout(90),
        websockets.connect(address(stack, f"/v1/calls/{call}", web), additional_headers=headers) as ws,
    ):
        told = [json.loads(message) async for message in ws]
    assert ws.close_code == 1000
    return told


def finals(told: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in told if message["type"] == "final_transcript"]
