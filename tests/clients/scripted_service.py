"""A service that says what a test tells it to, over a real WebSocket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

TIMING = dict.fromkeys(("preprocess_ms", "queue_wait_ms", "inference_ms", "postprocess_ms", "server_total_ms"), 1.0)

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One client's connection, from the service's side."""

    def __init__(self, ws: ServerConnection, session_id: str) -> None:
        self.ws = ws
        self.session_id = session_id
        self.start: dict[str, Any] = {}
        self.chunks: list[bytes] = []
        self.received: list[str] = []
        """The types of the text messages."""
        self.flush_ids: list[str] = []
        self.changes: list[dict[str, Any]] = []
        """What each `configure` asked for."""

    @property
    def audio(self) -> bytes:
        return b"".join(self.chunks)

    async def accept(self, **fields: Any) -> None:
        """Read `start_session` and answer it; with `resumed`, as a service does that has the session still."""
        self.start = json.loads(await self.ws.recv())
        if fields.get("resumed"):
            self.session_id = self.start["session_id"]
        await self.say("session_started", **fields)

    async def hear(self, *, ms: float = 0, until: str = "") -> None:
        """Read up to so much audio in all, or a message of this type."""
        while until not in self.received if until else len(self.audio) < ms * 32:
            frame = await self.ws.recv()
            if isinstance(frame, bytes):
                self.chunks.append(frame)
            else:
                message = json.loads(frame)
                self.received.append(message["type"])
                if message["type"] == "configure":
                    self.changes.append(message)
                if message.get("flush_id"):
                    self.flush_ids.append(message["flush_id"])

    async def say(self, kind: str, **fields: Any) -> None:
        await self.ws.send(json.dumps({"type": kind, "session_id": self.session_id, "news": "ignored", **fields}))

    async def speech(self, state: str, t_ms: float, segment_id: str = "seg-1") -> None:
        await self.say("vad_event", state=f"speech_{state}", t_ms=t_ms, segment_id=segment_id)

    async def partial(self, text: str, audio_end_ms: float, segment_id: str = "seg-1", **more: Any) -> None:
        fields = {"segment_id": segment_id, "text": text, "audio_end_ms": audio_end_ms, **more}
        await self.say("partial_transcript", confidence=0.7, is_final=False, timing=TIMING, **fields)

    async def final(
        self, text: str, start_ms: float, duration_ms: float, segment_id: str = "seg-1", **more: Any
    ) -> None:
        """A final whose words last 100 ms each, from the segment's start on."""
        words = [
            {"word": word, "start": n / 10, "end": (n + 1) / 10, "probability": 0.9}
            for n, word in enumerate(text.split())
        ]
        fields = {"segment_id": segment_id, "text": text, "confidence": 0.9, "is_final": True, "words": words}
        fields |= more
        await self.say(
            "final_transcript", audio_start_ms=start_ms, audio_duration_ms=duration_ms, timing=TIMING, **fields
        )

    async def error(self, code: str, **fields: Any) -> None:
        await self.say("error", code=code, message=f"{code} it is", **fields)

    async def end(self, reason: str = "completed") -> None:
        """Say that the session has ended, and close."""
        await self.say("session_ended", reason=reason, total_audio_ms=0.0, total_segments=1)
        await self.ws.close()

    async def drop(self) -> None:
        """Vanish without a word."""
        self.ws.transport.abort()
        await self.ws.wait_closed()


class ScriptedService:
    """Runs the next script on each connection, and the last one on all that follow."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.statuses: list[int] = []
        """What the next handshakes are answered with, instead of a connection; the request's headers are the body."""
        self.peers: list[Peer] = []
        self.handshakes = 0
        self.headers: list[dict[str, str]] = []
        self._server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ws/stt"

    async def __aenter__(self) -> "ScriptedService":
        self._server = await serve(self._handle, "127.0.0.1", 0, process_request=self._handshake, max_queue=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def _handle(self, ws: ServerConnection) -> None:
        peer = Peer(ws, f"session-{len(self.peers) + 1}")
        script = self.scripts[min(len(self.peers), len(self.scripts) - 1)]
        self.peers.append(peer)
        with suppress(ConnectionClosed):
            await script(peer)

    def _handshake(self, ws: ServerConnection, request: Request) -> Response | None:
        self.handshakes += 1
        self.headers.append(dict(request.headers.raw_items()))
        return ws.respond(HTTPStatus(self.statuses.pop(0)), f"{request.headers}") if self.statuses else None


def one_utterance(text: str = "olá mundo", *, start_ms: float = 200, end_ms: float = 800) -> Script:
    """A script: after 1 s of audio it heard this, and ends when told to."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=1000)
        await peer.speech("start", start_ms)
        await peer.partial(text[:3], end_ms)
        await peer.speech("end", end_ms)
        await peer.final(text, start_ms - 100, 900)
        await peer.hear(until="end_session")
        await peer.end()

    return script


def refusal(code: str, **fields: Any) -> Script:
    """A script: the session is refused, however often it is asked for; the connection stays."""

    async def script(peer: Peer) -> None:
        async for _ in peer.ws:
            await peer.error(code, **fields)

    return script


async def settle(done: Callable[[], bool], within_s: float = 2.0) -> None:
    """Wait until `done`, or fail."""
    async with asyncio.timeout(within_s):
        while not done():
            await asyncio.sleep(0.01)
