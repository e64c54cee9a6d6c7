"""A dialect that says what a test has written, between a client and a session that a test plays."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from harness.audio import speech
from transcription.core import protocol
from transcription.core.dialects.dialect import Refused, Step
from transcription.core.protocol import Error, ErrorCode, ServerMessage, SessionStarted, StartSession
from transcription.ingress.translating import Conversation

REJECTING: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}
CONNECT, GONE = {"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}
PCM = speech("s13_pm_alex")
START = StartSession(session_id="s")
STARTED = SessionStarted(session_id="s")
FULL = Error(code=ErrorCode.QUEUE_FULL, message="Queue full", session_id="s", retry_after_ms=1_000)


class Scripted:
    """A dialect that takes each step from the test, and keeps what it heard."""

    def __init__(self, *opening: Step, refuses: Refused | None = None) -> None:
        self._opening, self._refuses = opening, refuses
        self.heard: list[str | bytes] = []
        self.told: list[ServerMessage] = []
        self.answers: deque[Sequence[Step]] = deque()

    def open(self) -> Sequence[Step]:
        if self._refuses:
            raise self._refuses
        return self._opening

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        self.heard.append(frame)
        return self.answers.popleft() if self.answers else ()

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        self.told.append(message)
        return self.answers.popleft() if self.answers else ()

    def refuse(self, error: Error) -> Refused:
        return Refused(429, {"message": error.message}, (("retry-after", "1"), ("dg-error", "cheia – já")))


class Between:
    """A conversation with the client's and the session's ends in the test's hands."""

    def __init__(self, dialect: Scripted, scope: dict[str, Any] = REJECTING) -> None:
        self.from_client: deque[dict[str, Any]] = deque()
        self.to_client: list[dict[str, Any]] = []
        self.talk = Conversation(dialect, scope, self._receive, self._keep)

    async def _receive(self) -> dict[str, Any]:
        if not self.from_client:
            await asyncio.Event().wait()
        return self.from_client.popleft()

    async def _keep(self, message: dict[str, Any]) -> None:
        self.to_client.append(message)

    async def opened(self) -> "Between":
        """As the consumer does: it hears of the handshake and accepts."""
        self.from_client.append(CONNECT)
        assert await self.talk.receive() == CONNECT
        await self.talk.send({"type": "websocket.accept"})
        return self

    async def client_says(self, *messages: dict[str, Any]) -> dict[str, Any]:
        """What the session hears next of it."""
        self.from_client.extend(messages)
        return await self.talk.receive()

    async def session_says(self, message: ServerMessage) -> None:
        await self.talk.send({"type": "websocket.send", "text": protocol.encode(message)})

    async def session_closes(self, **code: int) -> None:
        await self.talk.send({"type": "websocket.close"} | code)

    @property
    def kinds(self) -> list[str]:
        return [message["type"].removeprefix("websocket.") for message in self.to_client]


def text(frame: str) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": frame}


def binary(frame: bytes) -> dict[str, Any]:
    return {"type": "websocket.receive", "bytes": frame}
