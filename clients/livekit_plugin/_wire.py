"""The service's WebSocket protocol from the client's side, with its failures as LiveKit's errors."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, TypeVar

import aiohttp
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError, utils
from livekit.agents import create_api_error_from_http as error_from_http

from ._audio import Part

T = TypeVar("T")

Message = dict[str, Any]
"""A server message; fields and types it may gain are ignored."""

HEARTBEAT_S = 30.0
CLOSE_S = 2.0
"""How long a close may take before the socket is dropped."""
SILENCE_S = 60.0
"""How long the service may say nothing while finals are awaited; it answers for a lost worker well before."""
SPARE_S = 20.0
"""How long a socket opened ahead is good for; the service closes one without a session after 30 s."""
MAX_SPEED = 20
"""Audio is sent at most so many times faster than real time: the service refuses what it cannot store in time."""

# LiveKit never retries a 4xx but for 408, 429 and 499.
STATUS = {
    "INVALID_MESSAGE": 400,
    "SESSION_EXISTS": 409,
    "MAX_SESSIONS_REACHED": 429,
    "QUEUE_FULL": 429,
    "QUEUE_CONGESTION": 503,
    "UNAUTHORIZED": 401,
    "QUOTA_EXCEEDED": 403,
}


class Connection:
    """A WebSocket with one session on it."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, config: dict[str, Any]) -> None:
        self.session_id = ""
        self.resumed_ms: float | None = None
        """Up to where a resumed session has its audio; `None` for a new one."""
        self._ws = ws
        self._config = config
        self._live = False
        self._ending = False
        self._heard = 0

    async def start(self, resume: Message | None) -> None:
        """Open the session, or go on with the one that `resume` names; raises the `APIError` of a refusal."""
        await self._send({"type": "start_session", "config": self._config, "resume": True, **(resume or {})})
        try:
            return await self._started()
        except APIStatusError as error:
            # A service that knows no `resume`, or whose session still belongs to the lost connection.
            taken = resume is not None and error.status_code == STATUS["SESSION_EXISTS"]
            if error.status_code != STATUS["INVALID_MESSAGE"] and not taken:
                raise
        await self._send({"type": "start_session", "config": self._config})
        return await self._started()

    async def converse(self, parts: AsyncGenerator[Part], handle: Callable[[Message], None]) -> bool:
        """Send all `parts`, then end the session; `handle` gets each message until it has ended.

        Returns whether the end was ours; if not, the service ended the session because nothing was sent for long.
        """
        sender = asyncio.create_task(self._send_all(parts))
        receiver = asyncio.create_task(self._receive_all(handle))
        try:
            await asyncio.wait((sender, receiver), return_when=asyncio.FIRST_COMPLETED)
            if sender.done():
                sender.result()
            await self._drain(receiver)
            reason = receiver.result()
        finally:
            sender.cancel()
            receiver.cancel()
            await asyncio.gather(sender, receiver, return_exceptions=True)
        if not self._ending and reason != "timeout":
            raise APIStatusError(f"The service ended the session: {reason}", request_id=self.session_id)
        return self._ending

    async def close(self) -> None:
        """Close the socket; what a session that still lives has not answered is dropped."""
        if self._live:
            with suppress(aiohttp.ClientError, OSError):
                async with asyncio.timeout(CLOSE_S):
                    await self._send({"type": "cancel"})
        await self._ws.close()

    async def _started(self) -> None:
        while not self._live:
            message = await self._receive()
            if message.get("type") == "session_started":
                self.session_id = message["session_id"]
                self.resumed_ms = message["audio_received_ms"] if message.get("resumed") else None
                self._live = True

    async def _send(self, message: Message) -> None:
        await self._ws.send_str(json.dumps(message))

    async def _send_all(self, parts: AsyncGenerator[Part]) -> None:
        bytes_per_second = self._config["sample_rate"] * 2
        # The receiver sees a lost connection too, and why.
        with suppress(aiohttp.ClientError, ConnectionError):
            async with aclosing(parts):
                async for part in parts:
                    if isinstance(part, str):
                        await self._send({"type": "flush", "flush_id": part})
                    else:
                        await self._ws.send_bytes(part)
                        await asyncio.sleep(len(part) / bytes_per_second / MAX_SPEED)
            self._ending = True
            await self._send({"type": "end_session"})

    async def _receive_all(self, handle: Callable[[Message], None]) -> str:
        while True:
            message = await self._receive()
            if message.get("type") == "session_ended":
                self._live = False
                return str(message["reason"])
            handle(message)

    async def _drain(self, receiver: asyncio.Task[str]) -> None:
        """Wait for the end as long as the service has something to say."""
        while not receiver.done():
            heard = self._heard
            await asyncio.wait((receiver,), timeout=SILENCE_S)
            if not receiver.done() and self._heard == heard:
                raise APITimeoutError("The service does not answer `end_session`")

    async def _receive(self) -> Message:
        while True:
            frame = await self._ws.receive()
            match frame.type:
                case aiohttp.WSMsgType.TEXT:
                    self._heard += 1
                    message = _decoded(frame.data)
                    if message.get("type") == "error" and message.get("segment_id") is None:
                        raise self._error(message)
                    return message
                case aiohttp.WSMsgType.CLOSE | aiohttp.WSMsgType.CLOSING | aiohttp.WSMsgType.CLOSED:
                    raise APIStatusError(
                        "Connection closed before the session ended",
                        status_code=self._ws.close_code or -1,
                        request_id=self.session_id or None,
                    )
                case aiohttp.WSMsgType.ERROR:
                    raise APIConnectionError("Connection lost") from self._ws.exception()

    def _error(self, message: Message) -> APIStatusError:
        code = message.get("code", "unknown error")
        return APIStatusError(
            f"{code}: {message.get('message', '')}",
            status_code=STATUS.get(code, 500),
            request_id=self.session_id or None,
            body=message,
        )


class Line:
    """The way to the service: its address, the key, and a socket that was opened ahead."""

    def __init__(self, url: str, api_key: str | None, http: aiohttp.ClientSession | None) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = http
        self._spare: asyncio.Task[aiohttp.ClientWebSocketResponse] | None = None
        self._spare_until = 0.0

    def prewarm(self) -> None:
        """Open a socket ahead of the next session."""
        if self._spare is None:
            loop = asyncio.get_running_loop()
            self._spare = loop.create_task(self._dial())
            self._spare_until = loop.time() + SPARE_S

    async def open(self) -> aiohttp.ClientWebSocketResponse:
        """A socket without a session."""
        spare, self._spare = self._spare, None
        if spare and asyncio.get_running_loop().time() < self._spare_until:
            with suppress(APIError, aiohttp.ClientError, OSError):
                if not (ws := await spare).closed:
                    return ws
        elif spare:
            await _discard(spare)
        return await self._dial()

    async def aclose(self) -> None:
        """Close the socket that nobody has used."""
        spare, self._spare = self._spare, None
        if spare:
            await _discard(spare)

    async def _dial(self) -> aiohttp.ClientWebSocketResponse:
        http = self._http or utils.http_context.http_session()
        try:
            timeout = aiohttp.ClientWSTimeout(ws_close=CLOSE_S)
            return await http.ws_connect(self._url, heartbeat=HEARTBEAT_S, timeout=timeout, headers=self._headers)
        except aiohttp.WSServerHandshakeError as error:
            refused = error_from_http(error.message, status=error.status)
        # Out here, because aiohttp's error holds the request's headers, and with them the key: no context for ours.
        raise refused


async def _discard(spare: asyncio.Task[aiohttp.ClientWebSocketResponse]) -> None:
    spare.cancel()
    with suppress(APIError, aiohttp.ClientError, OSError, asyncio.CancelledError):
        await (await spare).close()


@asynccontextmanager
async def connect(
    line: "Line", config: dict[str, Any], timeout_s: float, resume: Message | None = None
) -> AsyncIterator[Connection]:
    """A connection with a started session; `timeout_s` bounds the way there. The socket is closed on the way out."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    connection = Connection(await _within(deadline, line.open()), config)
    try:
        await _within(deadline, connection.start(resume))
        yield connection
    finally:
        await connection.close()


def retry_after_s(error: APIStatusError) -> float:
    """How long the service asks to be left alone."""
    body = error.body if isinstance(error.body, dict) else {}
    return float(body.get("retry_after_ms") or 0) / 1000


async def _within(deadline: float, step: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout_at(deadline):
            return await step
    except TimeoutError:
        raise APITimeoutError("The service did not open a session in time") from None
    except (aiohttp.ClientError, OSError) as error:
        raise APIConnectionError("Cannot connect to the service") from error


def _decoded(text: str) -> Message:
    try:
        message = json.loads(text)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise APIError("The service does not speak this protocol", retryable=False)
    return message
