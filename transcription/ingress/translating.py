"""Serves a dialect (`core/dialects`): ASGI middleware between the client and the one consumer that there is.

To the consumer the client speaks the native protocol; to the client the service speaks its own. The handshake is
answered when the session is admitted, so that a refusal can be told before the upgrade, as clients expect it.
"""

import uuid
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from transcription import metrics
from transcription.core import protocol
from transcription.core.dialects.dialect import Dialect, Hangup, Refused, Reply, Step
from transcription.ingress.auth import Application, Receive, Scope, Send, refuse

MakeDialect = Callable[[str, str], Dialect]
"""From a handshake's query and an id for the connection."""


class Translated:
    """The middleware, for one dialect."""

    def __init__(self, application: Application, name: str, dialect: MakeDialect) -> None:
        self._application, self._name, self._dialect = application, name, dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        dialect = self._dialect(scope["query_string"].decode("latin1"), str(uuid.uuid4()))
        metrics.dialect_connections_total.labels(self._name).inc()
        conversation = Conversation(dialect, scope, receive, send)
        await self._application(scope, conversation.receive, conversation.send)


class Conversation:
    """What the consumer takes for its client, and the client for its service."""

    def __init__(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        self._dialect, self._scope = dialect, scope
        self._receive, self._send = receive, send
        self._for_session: deque[dict[str, Any]] = deque()
        self._waits = True
        """Whether the handshake is not answered yet."""
        self._gone = False

    async def receive(self) -> dict[str, Any]:
        """The session's next message from its client."""
        while not self._for_session:
            message = await self._receive()
            match message["type"]:
                case "websocket.receive":
                    frame = message.get("text")
                    await self._take(self._dialect.hear(message.get("bytes") or b"" if frame is None else frame))
                case _:
                    self._for_session.append(message)
        return self._for_session.popleft()

    async def send(self, message: dict[str, Any]) -> None:
        """The session has something for its client."""
        match message["type"]:
            case "websocket.accept":
                await self._open()
            case "websocket.send":
                told = protocol.decode_server(message["text"])
                if self._waits and isinstance(told, protocol.Error):
                    await self._refuse(self._dialect.refuse(told))
                    return
                if self._waits:
                    await self._accept()
                await self._take(self._dialect.tell(told))
            case "websocket.close":
                await self._hang_up(message.get("code") or 1000)

    async def _open(self) -> None:
        try:
            steps = self._dialect.open()
        except Refused as refused:
            await self._refuse(refused)
            return
        if not any(isinstance(step, protocol.StartSession) for step in steps):
            await self._accept()
        await self._take(steps)

    async def _accept(self) -> None:
        self._waits = False
        await self._send({"type": "websocket.accept", "subprotocol": None})

    async def _refuse(self, refused: Refused) -> None:
        self._waits, self._gone = False, True
        self._for_session.append({"type": "websocket.disconnect", "code": 1000})
        headers = [(name.encode(), value.encode("latin1", "replace")) for name, value in refused.headers]
        await refuse(self._scope, self._send, refused.status, refused.body, headers)

    async def _hang_up(self, code: int, reason: str = "") -> None:
        if not self._gone:
            self._gone = True
            await self._send({"type": "websocket.close", "code": code} | ({"reason": reason} if reason else {}))

    async def _take(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case Reply(text=text):
                    if not self._gone:
                        await self._send({"type": "websocket.send", "text": text})
                case Hangup(code=code, reason=reason):
                    await self._hang_up(code, reason)
                case bytes():
                    self._for_session.append({"type": "websocket.receive", "bytes": step})
                case _:
                    text = msgspec.json.encode(step).decode()
                    self._for_session.append({"type": "websocket.receive", "text": text})
