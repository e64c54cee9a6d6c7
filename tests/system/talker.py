"""A WebSocket client for tests: sends, and collects what comes back."""

import asyncio
import json
import wave
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import websockets

AUDIO = Path(__file__).parent.parent / "audio"
FRAME = 640
"""20 ms at 16 kHz."""


def speech(name: str) -> bytes:
    """A clip's PCM, 16 kHz."""
    with wave.open(str(AUDIO / f"{name}.wav")) as clip:
        return clip.readframes(clip.getnframes())


def silence(seconds: float) -> bytes:
    """Digital silence."""
    return bytes(2 * int(seconds * 16_000))


def noise(seconds: float, seed: int = 0) -> bytes:
    """Samples that no other seed gives."""
    return np.random.default_rng(seed).integers(-3000, 3000, int(seconds * 16_000), dtype=np.int16).tobytes()


class Talker:
    """One connection."""

    def __init__(self, url: str, key: str = "") -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.messages: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        self.ws = await websockets.connect(self._url, compression=None, additional_headers=self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.ws.close()

    async def say(self, kind: str, **fields: Any) -> None:
        """Send a control message."""
        await self.ws.send(json.dumps({"type": kind} | fields))

    async def start(self, **fields: Any) -> dict[str, Any]:
        """Start a session; the answer."""
        await self.say("start_session", **fields)
        return await self.next()

    async def stream(self, pcm: bytes, pace: float = 1.0) -> None:
        """Send audio in 20 ms frames; `pace` 1 is real time, 0 at once."""
        began = asyncio.get_running_loop().time()
        for i in range(0, len(pcm), FRAME):
            await self.ws.send(pcm[i : i + FRAME])
            if pace:
                due = began + pace * (i + FRAME) / 32_000
                await asyncio.sleep(max(due - asyncio.get_running_loop().time(), 0))

    async def next(self, patience_s: float = 30.0) -> dict[str, Any]:
        """The next message."""
        message = json.loads(await asyncio.wait_for(self.ws.recv(), patience_s))
        self.messages.append(message)
        return message

    async def until(self, kind: str, patience_s: float = 60.0) -> dict[str, Any]:
        """Messages up to the first of a type."""
        async with asyncio.timeout(patience_s):
            while (message := await self.next(patience_s))["type"] != kind:
                pass
        return message

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a type so far."""
        return [message for message in self.messages if message["type"] == kind]
