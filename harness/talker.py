"""A client over a WebSocket: speaks in real time, and keeps what comes back with its time."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import websockets

from harness.audio import BYTES_PER_S, frames


class Received(NamedTuple):
    """A message from the server."""

    at: float
    """When it was read, `time.perf_counter` seconds; when it came in, while somebody reads."""
    message: dict[str, Any]


async def sleep_until(moment: float) -> None:
    """Sleep until a moment of `time.perf_counter`; one in the past only lets others run."""
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))


class Talker:
    """One connection, open within `async with`. It reads only when asked to: by `next`, `until`, `converse`."""

    def __init__(self, url: str, key: str = "", *, headers: Sequence[tuple[str, str]] = (), **options: Any) -> None:
        """With an API key, headers of the handshake, options of `websockets.connect`."""
        self._url = url
        self._headers = [*headers, ("Authorization", f"Bearer {key}")] if key else headers
        self._options = options
        self.received: list[Received] = []
        self.lags_ms: list[float] = []
        """How late each paced frame was."""

    async def __aenter__(self) -> Self:
        # PCM does not compress; deflating it would only cost both sides CPU
        self.ws = await websockets.connect(
            self._url, compression=None, additional_headers=self._headers, **self._options
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.ws.close()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was read so far."""
        return [received.message for received in self.received]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a type so far."""
        return [message for message in self.messages if message["type"] == kind]

    async def say(self, kind: str, **fields: Any) -> None:
        """Send a control message of type `kind` with these fields."""
        await self.ws.send(json.dumps({"type": kind} | fields))

    async def start(self, **fields: Any) -> dict[str, Any]:
        """Start a session; the answer."""
        await self.say("start_session", **fields)
        return await self.next()

    async def end(self, patience_s: float = 60.0) -> dict[str, Any]:
        """End the session; its last message."""
        await self.say("end_session")
        return await self.until("session_ended", patience_s)

    def vanish(self) -> None:
        """Drop the connection without a word."""
        self.ws.transport.abort()

    async def stream(self, pcm: bytes, pace: float = 1.0) -> None:
        """Send audio in frames of 20 ms; `pace` 1 is real time, 0 at once."""
        await self.send_frames(frames(pcm), pace=pace)

    async def send_frames(self, audio: Iterable[bytes], began_at: float = 0.0, pace: float = 1.0) -> None:
        """Send each frame when its last sample would have been spoken by one who began at `began_at`.

        That is a moment of `time.perf_counter`, by default now. Deadlines are absolute, so nothing drifts; with a
        `pace` of 0 there are none. A frame is asked for when the one before has been sent.
        """
        began_at, spoken = began_at or time.perf_counter(), 0
        for frame in audio:
            spoken += len(frame)
            if pace:
                due = began_at + pace * spoken / BYTES_PER_S
                await sleep_until(due)
                self.lags_ms.append((time.perf_counter() - due) * 1000)
            await self.ws.send(frame)

    async def next(self, patience_s: float = 30.0) -> dict[str, Any]:
        """The next message. Raises `TimeoutError`, or `ConnectionClosed` when no more will come."""
        async with asyncio.timeout(patience_s):
            return (await self._receive()).message

    async def until(self, kind: str, patience_s: float = 60.0) -> dict[str, Any]:
        """Messages up to the first of a type. Raises as `next` does."""
        async with asyncio.timeout(patience_s):
            while (message := (await self._receive()).message)["type"] != kind:
                pass
        return message

    async def converse(
        self, speaking: Awaitable[None], patience_s: float, heed: Callable[[Received], None] | None = None
    ) -> None:
        """Speak, and listen meanwhile and after until the connection is closed, however that comes about.

        Each message is handed to `heed` as it comes. Raises what `speaking` does, and `TimeoutError` when the
        connection is still open `patience_s` later.
        """
        listening = asyncio.create_task(self._listen(heed))
        try:
            await speaking
            await asyncio.wait_for(listening, patience_s)
        finally:
            listening.cancel()

    async def _listen(self, heed: Callable[[Received], None] | None) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                received = await self._receive()
                if heed:
                    heed(received)

    async def _receive(self) -> Received:
        text = await self.ws.recv()
        received = Received(time.perf_counter(), json.loads(text))
        self.received.append(received)
        return received
