"""A session over aiohttp's WebSockets, with its failures as LiveKit's errors."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError, utils
from livekit.agents import create_api_error_from_http as error_from_http

from ._session import (
    EndedError,
    Frame,
    Happening,
    ProtocolError,
    RefusedError,
    Session,
    SessionStarted,
    TimedOutError,
    Wait,
    WhisperSttError,
)
from ._session.address import Address
from ._session.errors import closed_for_good
from ._session.limits import CLOSE_S, HEARTBEAT_S

SPARE_S = 20.0
"""How long a socket opened ahead is good for; the service closes one without a session after 30 s."""


class Line:
    """The way to the service: its address, the key, and a socket that was opened ahead."""

    def __init__(self, address: Address, http: aiohttp.ClientSession | None) -> None:
        self._address = address
        self._http = http
        self._spare: asyncio.Task[aiohttp.ClientWebSocketResponse] | None = None
        self._spare_until = 0.0

    def prewarm(self) -> None:
        """Open a socket ahead of the next session."""
        if self._spare is None:
            loop = asyncio.get_running_loop()
            self._spare = loop.create_task(self._dial())
            self._spare_until = loop.time() + SPARE_S

    async def open(self, deadline: float) -> aiohttp.ClientWebSocketResponse:
        """A socket without a session; raises the `APIError` of what keeps it from being opened by `deadline`."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._spare_socket() or await self._dial()
        except TimeoutError:
            raise APITimeoutError("The service did not open a session in time") from None
        except (aiohttp.ClientError, OSError) as error:
            failure = APIConnectionError(f"Cannot connect to {self._address}: {self._address.hide(error)}")
        raise failure  # out here, for what `_dial` says

    async def aclose(self) -> None:
        """Close the socket that nobody has used."""
        spare, self._spare = self._spare, None
        if spare:
            await _discard(spare)

    async def _spare_socket(self) -> aiohttp.ClientWebSocketResponse | None:
        spare, self._spare = self._spare, None
        if spare and asyncio.get_running_loop().time() < self._spare_until:
            with suppress(APIError, aiohttp.ClientError, OSError):
                if not (ws := await spare).closed:
                    return ws
        elif spare:
            await _discard(spare)
        return None

    async def _dial(self) -> aiohttp.ClientWebSocketResponse:
        http = self._http or utils.http_context.http_session()
        try:
            timeout = aiohttp.ClientWSTimeout(ws_close=CLOSE_S)
            return await http.ws_connect(
                self._address.url, heartbeat=HEARTBEAT_S, timeout=timeout, headers=self._address.headers
            )
        except aiohttp.WSServerHandshakeError as error:
            refused = error_from_http(self._address.hide(error.message), status=error.status)
        # Out here, because aiohttp's error holds the request's headers, and with them the key: no context for ours.
        raise refused


class Conversation:
    """A session with the service, one connection after the other."""

    def __init__(self, line: Line, session: Session, hear: Callable[[Happening], None], timeout_s: float) -> None:
        """`hear` is given what the service says; `timeout_s` bounds the way to a session, handshake included."""
        self.session_id: str | None = None
        """The session that was opened last."""
        self.opening_s = 0.0
        """What opening it took, handshake included."""
        self._line = line
        self._session = session
        self._hear = hear
        self._timeout_s = timeout_s
        self._dialled_at = 0.0
        self._retry_after_s = 0.0
        self._work = asyncio.Event()
        """Something has happened: the session may have something to send."""

    def wake(self) -> None:
        """The session was given something."""
        self._work.set()

    async def run(self) -> None:
        """Send and hear until the session is over; raises the `APIError` of a failure, then `run` goes on after it."""
        # LiveKit decides whether it tries again; when, is the service's to say.
        await asyncio.sleep(self._retry_after_s)
        self._retry_after_s = 0.0
        while not self._session.over:
            if self._session.needed:
                await self._converse()
            else:
                self._work.clear()
                await self._work.wait()

    async def _converse(self) -> None:
        """One connection."""
        try:
            async with self._connected() as ws:
                sender = asyncio.create_task(self._send_all(ws))
                receiver = asyncio.create_task(self._receive_all(ws))
                try:
                    await asyncio.wait((sender, receiver), return_when=asyncio.FIRST_COMPLETED)
                    if not receiver.done():
                        sender.result()
                    await receiver
                finally:
                    sender.cancel()
                    receiver.cancel()
                    await asyncio.gather(sender, receiver, return_exceptions=True)
        except WhisperSttError as error:
            if isinstance(error, RefusedError):
                self._retry_after_s = error.retry_after_s
            raise _api_error(error, self.session_id) from None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        self._dialled_at = asyncio.get_running_loop().time()
        deadline = self._dialled_at + self._timeout_s
        ws = await self._line.open(deadline)
        self._session.connect(asyncio.get_running_loop().time(), deadline)
        try:
            yield ws
        finally:
            if (farewell := self._session.farewell()) and not ws.closed:
                with suppress(aiohttp.ClientError, OSError):
                    async with asyncio.timeout(CLOSE_S):
                        await _send(ws, farewell)
            await ws.close()

    async def _send_all(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            frame = self._session.poll(clock())
            if isinstance(frame, Wait):
                self._work.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(frame.seconds):
                        await self._work.wait()
                continue
            try:
                await _send(ws, frame)
            except (aiohttp.ClientError, ConnectionError):
                return  # the receiver sees it too, and why

    async def _receive_all(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        clock = asyncio.get_running_loop().time
        while self._session.connected:
            frame = await self._receive(ws)
            for happening in self._session.receive(frame, clock()):
                if isinstance(happening, SessionStarted):
                    self.session_id, self.opening_s = happening.session_id, clock() - self._dialled_at
                self._hear(happening)
            self._work.set()

    async def _receive(self, ws: aiohttp.ClientWebSocketResponse) -> Frame:
        while True:
            message = await ws.receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    return str(message.data)
                case aiohttp.WSMsgType.BINARY:
                    return bytes(message.data)
                case aiohttp.WSMsgType.CLOSE | aiohttp.WSMsgType.CLOSING | aiohttp.WSMsgType.CLOSED:
                    if ended := closed_for_good(ws.close_code):
                        raise ended
                    raise APIStatusError(
                        "Connection closed before the session ended",
                        status_code=ws.close_code or -1,
                        request_id=self.session_id,
                    )
                case aiohttp.WSMsgType.ERROR:
                    raise APIConnectionError("Connection lost") from ws.exception()


async def _send(ws: aiohttp.ClientWebSocketResponse, frame: Frame) -> None:
    if isinstance(frame, str):
        await ws.send_str(frame)
    else:
        await ws.send_bytes(frame)


async def _discard(spare: asyncio.Task[aiohttp.ClientWebSocketResponse]) -> None:
    spare.cancel()
    with suppress(APIError, aiohttp.ClientError, OSError, asyncio.CancelledError):
        await (await spare).close()


def _api_error(error: WhisperSttError, session_id: str | None) -> APIError:
    """The session's error as LiveKit's, which never retries a 4xx but for 408, 429 and 499."""
    match error:
        case RefusedError():
            body = {"code": error.code, "message": error.message, "retry_after_ms": error.retry_after_ms}
            return APIStatusError(str(error), status_code=error.status, request_id=session_id, body=body)
        case ProtocolError() | EndedError():
            return APIError(str(error), retryable=False)
        case TimedOutError():
            return APITimeoutError(str(error))
    return APIStatusError(str(error), request_id=session_id)
