"""The gate for clients who cannot set headers, and give their key in a message: before it, the handshake is accepted.

What they say until then waits, and no audio is taken. A client that has a key in its handshake, or needs none, passes
as any other.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from django.conf import settings

from transcription.core.protocol import CloseCode
from transcription.ingress.auth import Application, Receive, Scope, Send, presented

MOST_WAITING, MOST_BYTES = 16, 65_536
"""Messages up to the one with the key, and what is in them."""

TakeKey = Callable[[str], tuple[str, str] | None]
"""From a text frame: the key in it and the frame without it, or `None` where it is none that has one."""


class KeysWithin:
    """The middleware, before `Gate`."""

    def __init__(self, gate: Application, take_key: TakeKey, where: str) -> None:
        """`where`: where the key is expected, for people."""
        self._gate, self._take_key, self._where = gate, take_key, where

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if settings.STT.auth == "off" or presented(scope, query=settings.STT.auth_query_token):
            await self._gate(scope, receive, send)
            return
        heard = deque([await receive()])
        await send({"type": "websocket.accept", "subprotocol": None})
        try:
            async with asyncio.timeout(settings.STT.start_timeout_s):
                key = await self._await_key(heard, receive)
        except TimeoutError:
            key = ""
        if key is None:
            return

        async def replay() -> dict[str, Any]:
            return heard.popleft() if heard else await receive()

        given = [(b"authorization", f"Bearer {key}".encode())] if key else []
        missing = "" if key else f"Expected an API key: {self._where}"
        await self._gate(scope | {"headers": [*scope["headers"], *given]}, replay, Accepted(send, missing))

    async def _await_key(self, heard: deque[dict[str, Any]], receive: Receive) -> str | None:
        """The key, empty where none is given in time; `None`: the client is gone. What was heard goes into `heard`."""
        left = MOST_BYTES
        for _ in range(MOST_WAITING):
            message = await receive()
            if message["type"] != "websocket.receive":
                return None
            left -= len(message.get("text") or message.get("bytes") or "")
            if left < 0:
                break
            found = self._take_key(message.get("text") or "")
            heard.append(message if found is None else {"type": "websocket.receive", "text": found[1]})
            if found is not None:
                return found[0]
        return ""


class Accepted:
    """To a client whose handshake is answered already: a denial is a close that says why."""

    def __init__(self, send: Send, missing: str) -> None:
        """`missing`: what a client without a key is told; empty: it has one."""
        self._send, self._missing = send, missing
        self._status = HTTPStatus.OK

    async def __call__(self, message: dict[str, Any]) -> None:
        """Something for the client."""
        match message["type"]:
            case "websocket.accept":
                return
            case "websocket.http.response.start":
                self._status = HTTPStatus(message["status"])
            case "websocket.http.response.body":
                without = self._missing if self._status == HTTPStatus.UNAUTHORIZED else ""
                await self._close(without or msgspec.json.decode(message["body"])["error"])
            case _:
                await self._send(message)

    async def _close(self, reason: str) -> None:
        later = self._status >= HTTPStatus.INTERNAL_SERVER_ERROR
        code = CloseCode.TRY_AGAIN_LATER if later else CloseCode.POLICY_VIOLATION
        await self._send({"type": "websocket.close", "code": int(code), "reason": reason})
