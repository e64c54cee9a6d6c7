"""The WebSocket of one who listens to a call, `/v1/calls/<call>`: what the call's own socket does not take.

It hears what was said before it came (`cluster/calls.py` bounds that), then what is said, at any web process and under
the API key of the call's own socket. It is closed once every stream of the call that it has heard of has ended.
"""

import asyncio
import logging
import time
from typing import Any

import redis
from django.conf import settings

from transcription import metrics
from transcription.cluster.calls import FROM_THE_START, RETRY_S, Entry
from transcription.core import protocol
from transcription.core.dialects.listening import Hearing
from transcription.core.protocol import CloseCode, ErrorCode
from transcription.ingress import draining, runtime
from transcription.ingress.auth import Receive, Scope, Send

logger = logging.getLogger(__name__)

LOST_AFTER = 3
"""So many looks, a second apart, that find none of a call's sessions in its place: their web process is dead."""


async def listen(scope: Scope, receive: Receive, send: Send) -> None:
    """One listener, behind the gate."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept", "subprotocol": None})
    listener = Listener(scope["url_route"]["kwargs"]["call"], scope.get("principal"), send)
    going = asyncio.create_task(_until_gone(receive))
    serving = asyncio.create_task(listener.serve())
    try:
        with metrics.call_listeners.track_inprogress():
            await asyncio.wait({going, serving}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        elif going.result() == draining.STOP:
            await listener.close(CloseCode.SERVICE_RESTART, "The server is shutting down")
    except Exception:
        logger.exception("A listener failed")
        await listener.close(CloseCode.INTERNAL_ERROR, "Internal error")
    finally:
        going.cancel()
        serving.cancel()
        await asyncio.gather(going, serving, return_exceptions=True)


async def _until_gone(receive: Receive) -> str:
    """What ends the listening from outside; what a listener says is not heard."""
    while (kind := (await receive())["type"]) == "websocket.receive":
        pass
    return str(kind)


class Listener:
    """What is read for one listener, and passed on."""

    def __init__(self, call: str, principal: Any, send: Send) -> None:
        self._call, self._principal, self._send = call, principal, send
        self._key_id = principal.key_id if principal else ""
        self._hearing = Hearing()
        self._after = FROM_THE_START
        self._missed = 0
        """Looks in a row that found no session in its place."""

    async def serve(self) -> None:
        """Until there is nothing more to hear."""
        until = time.monotonic() + settings.STT.idle_timeout_s
        while not self._hearing.over:
            keyring = runtime.current().keyring
            if self._principal and (refusal := keyring.verdict(self._principal)):
                await self._break_off(refusal.code, refusal.message, CloseCode.POLICY_VIOLATION)
                return
            try:
                await self._hear_on()
            except redis.RedisError as error:
                logger.warning("A call cannot be listened to: %s", error)
                await asyncio.sleep(RETRY_S)
            if self._missed >= LOST_AFTER:
                await self._break_off(ErrorCode.INTERNAL_ERROR, "The stream was lost", CloseCode.INTERNAL_ERROR)
                return
            if not self._hearing.begun and time.monotonic() > until:
                await self.close(CloseCode.TRY_AGAIN_LATER, "Nobody has started this call")
                return
        await self.close(CloseCode.NORMAL)

    async def _hear_on(self) -> None:
        board = runtime.current().board
        entries = await board.read(self._key_id, self._call, self._after)
        for entry in entries:
            await self._pass_on(entry)
        waits_for = self._hearing.admitted
        lost = not entries and waits_for and not await board.are_live(waits_for)
        self._missed = self._missed + 1 if lost else 0

    async def _pass_on(self, entry: Entry) -> None:
        self._after = entry.entry_id
        if self._hearing.is_new(entry.session_id, entry.number, entry.text):
            await self._send({"type": "websocket.send", "text": entry.text})

    async def _break_off(self, code: ErrorCode, message: str, close: CloseCode) -> None:
        error = protocol.Error(code=code, message=message, session_id=None)
        await self._send({"type": "websocket.send", "text": protocol.encode(error)})
        await self.close(close, message)

    async def close(self, code: CloseCode, reason: str = "") -> None:
        """Close the listener's socket."""
        await self._send({"type": "websocket.close", "code": int(code), "reason": reason})
