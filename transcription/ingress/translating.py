"""Serves a dialect (`core/dialects`): ASGI middleware between the client and the one consumer that there is.

To the consumer the client speaks the native protocol; to the client the service speaks its own. The handshake is
answered when the session is admitted, so that a refusal can be told before the upgrade, as clients expect it.

What a client takes none of is noticed for those who listen to the call (`ingress/calls.py`). Its session ends when it
goes, and is heard to the end: only then does the consumer hear that nobody is there.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from transcription import metrics
from transcription.core import protocol
from transcription.core.dialects.dialect import Dialect, Hangup, Notice, Refused, Reply, Step, Unpack
from transcription.ingress import runtime
from transcription.ingress.auth import Application, Receive, Scope, Send, refuse
from transcription.ingress.ffmpeg import NotAudio
from transcription.ingress.unpacking import Unpacking

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
        try:
            await self._application({**scope, "dialect": self._name}, conversation.receive, conversation.send)
        finally:
            conversation.close()


class Conversation:
    """What the consumer takes for its client, and the client for its service."""

    def __init__(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        self._dialect, self._scope = dialect, scope
        self._receive, self._send = receive, send
        self._for_session: deque[dict[str, Any]] = deque()
        self._waits = True
        """Whether the handshake is not answered yet."""
        self._gone = False
        self._unpacking: Unpacking | None = None
        self._garbled: Callable[[str], Sequence[Step]]
        """What is told of audio that cannot be unpacked."""
        self._noticed = self._live = False
        """Whether others hear what the session says; whether it runs, or has been asked for."""
        self._started = False
        self._departed: dict[str, Any] | None = None
        """That the client has gone, while the session is heard to its end."""
        self._ended = asyncio.Event()

    def close(self) -> None:
        """Nothing is to be heard any more."""
        if self._unpacking:
            self._unpacking.close()

    async def receive(self) -> dict[str, Any]:
        """The session's next message from its client."""
        if self._for_session or self._unpacking:
            await asyncio.sleep(0)  # one frame of the client's may be many messages: others have their turn between
        while not self._for_session:
            if samples := await self._unpacked():
                await self._take(self._dialect.hear(samples))
                continue
            message = await self._next()
            match message["type"]:
                case "websocket.receive":
                    frame = message.get("text")
                    await self._hear(message.get("bytes") or b"" if frame is None else frame)
                case "websocket.disconnect" if self._noticed and self._live and self._departed is None:
                    self._departed, self._gone = message, True
                    await self._take([protocol.EndSession()])
                case _:
                    self._for_session.append(message)
        return self._for_session.popleft()

    async def _next(self) -> dict[str, Any]:
        """From the client, or the server; that the client has gone is told once the session has ended."""
        if self._departed is None:
            return await self._receive()
        receiving = asyncio.ensure_future(self._receive())
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({receiving, ending}, return_when=asyncio.FIRST_COMPLETED)
            return receiving.result() if receiving.done() else self._departed
        finally:
            receiving.cancel()
            ending.cancel()

    async def _hear(self, frame: str | bytes) -> None:
        """A frame of the client's. Audio that is to be unpacked is heard once it is."""
        if self._gone:
            return
        if not self._unpacking or not frame or isinstance(frame, str):
            await self._take(self._dialect.hear(frame))
            return
        try:
            self._unpacking.feed(frame)
        except NotAudio as error:
            await self._take(self._garbled(str(error)))

    async def _unpacked(self) -> bytes | None:
        """The next samples of what the client has sent; `None` once there are no more."""
        if not self._unpacking or self._gone:
            return None
        try:
            return await self._unpacking.take()
        except NotAudio as error:
            await self._take(self._garbled(str(error)))
            return None

    async def _unpack_rest(self) -> None:
        if self._unpacking and not self._gone:
            try:
                self._unpacking.end()
            except NotAudio as error:
                await self._take(self._garbled(str(error)))
        while samples := await self._unpacked():
            await self._take(self._dialect.hear(samples))

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
                self._started = self._started or isinstance(told, protocol.SessionStarted)
                await self._take(self._dialect.tell(told))
                if isinstance(told, protocol.Error) and not self._started:
                    self._end()
            case "websocket.close":
                self._end()
                await self._hang_up(message.get("code") or 1000)

    def _end(self) -> None:
        self._live = False
        self._ended.set()

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

    def _notice(self, notice: Notice) -> None:
        self._noticed = True
        principal = self._scope.get("principal")
        runtime.current().board.put(principal.key_id if principal else "", notice)

    async def _take(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case Reply(text=text):
                    if not self._gone:
                        await self._send({"type": "websocket.send", "text": text})
                case Hangup(code=code, reason=reason):
                    await self._hang_up(code, reason)
                case Unpack(garbled=garbled):
                    self._unpacking, self._garbled = Unpacking(step), garbled
                case Notice():
                    self._notice(step)
                case bytes():
                    self._for_session.append({"type": "websocket.receive", "bytes": step})
                case _:
                    self._live = self._live or isinstance(step, protocol.StartSession)
                    if isinstance(step, protocol.EndSession):
                        await self._unpack_rest()
                    text = msgspec.json.encode(step).decode()
                    self._for_session.append({"type": "websocket.receive", "text": text})
