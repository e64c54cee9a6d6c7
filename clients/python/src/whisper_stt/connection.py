"""One WebSocket with one session on it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import websockets
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from whisper_stt.errors import ConnectError, ProtocolError, RefusedError
from whisper_stt.messages import Message, ServerError, SessionEnded, SessionStarted, decode, encode

# At DEBUG, websockets logs the handshake's headers, and with them the key.
_quiet = logging.getLogger("whisper_stt.websocket")
_quiet.setLevel(logging.INFO)

CLOSE_S = 2.0
HEARTBEAT_S = 20.0


class Dialler:
    """Opens connections; keeps the key to itself."""

    def __init__(self, url: str, api_key: str | None, timeout_s: float) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def dial(self) -> AsyncIterator["Connection"]:
        """A connection without a session; a session still live at the end is cancelled."""
        try:
            ws = await websockets.connect(
                self._url,
                additional_headers=self._headers,
                compression=None,
                open_timeout=self._timeout_s,
                close_timeout=CLOSE_S,
                ping_interval=HEARTBEAT_S,
                ping_timeout=HEARTBEAT_S,
                logger=_quiet,
            )
        except InvalidStatus as error:
            status, body = error.response.status_code, error.response.body or b""
            raise RefusedError(f"HTTP {status}", body[:200].decode(errors="replace")) from None
        except InvalidURI as error:
            raise RefusedError("URL", str(error)) from None
        except (InvalidHandshake, TimeoutError, OSError, EOFError) as error:
            raise ConnectError(f"Cannot connect to {self._url}: {error or 'no answer in time'}") from None
        connection = Connection(ws, self._timeout_s)
        try:
            yield connection
        finally:
            await connection.close()


class Connection:
    """Messages both ways. A lost connection is a `ConnectError`."""

    def __init__(self, ws: websockets.ClientConnection, timeout_s: float) -> None:
        self._ws = ws
        self._timeout_s = timeout_s
        self._live = False

    async def start(self, config: dict[str, Any], *, resume: str | None, last_segment_id: str | None) -> SessionStarted:
        """Open a session that can be resumed, or go on with one; raises the `RefusedError` of a refusal."""
        lost = {"session_id": resume, "last_segment_id": last_segment_id} if resume else {}
        await self.send("start_session", resume=True, config=config, **lost)
        try:
            return await self._started()
        except RefusedError as error:
            # A service that knows no `resume`, or whose session still belongs to the lost connection.
            if error.code != "INVALID_MESSAGE" and not (lost and error.code == "SESSION_EXISTS"):
                raise
        await self.send("start_session", config=config)
        return await self._started()

    async def send(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        await self._send(encode(kind, **fields))

    async def send_audio(self, pcm: bytes) -> None:
        """Send a frame of audio."""
        await self._send(pcm)

    async def __aiter__(self) -> AsyncIterator[Message]:
        """What comes, `session_ended` last."""
        while self._live:
            message = await self._receive()
            if isinstance(message, SessionEnded):
                self._live = False
            yield message

    def abort(self) -> None:
        """Drop the connection."""
        self._ws.transport.abort()

    async def close(self) -> None:
        """Close the socket; what a session that still lives has not answered is dropped."""
        if self._live and self._ws.state is websockets.State.OPEN:
            with suppress(ConnectError):
                await self.send("cancel")
        await self._ws.close()

    async def _started(self) -> SessionStarted:
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    match await self._receive():
                        case SessionStarted() as started:
                            self._live = True
                            return started
                        case ServerError() as error:
                            raise RefusedError(error.code, error.message, error.retry_after_ms)
        except TimeoutError:
            raise ConnectError("The service did not open a session in time") from None

    async def _send(self, frame: str | bytes) -> None:
        try:
            await self._ws.send(frame)
        except ConnectionClosed as error:
            raise ConnectError(f"Connection lost: {error}") from None

    async def _receive(self) -> Message:
        while True:
            try:
                frame = await self._ws.recv()
            except ConnectionClosed as error:
                raise ConnectError(f"Connection lost: {error}") from None
            if isinstance(frame, bytes):
                raise ProtocolError("The service does not speak this protocol")
            if message := decode(frame):
                return message
