"""A WebSocket to the service, by the websockets library."""

import errno
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from whisper_stt.errors import ConnectError, NobodyListensError, RefusedError, WhisperSttError
from whisper_stt.proxies import proxy_for
from whisper_stt.session import Frame
from whisper_stt.session.address import Address
from whisper_stt.session.errors import closed_for_good
from whisper_stt.session.limits import CLOSE_S, HEARTBEAT_S
from whisper_stt.session.words import _

# At DEBUG, websockets logs the handshake's headers, and with them the key: whatever level is asked for.
_quiet = logging.getLogger("whisper_stt.websocket")
_quiet.setLevel(logging.INFO)
_quiet.addFilter(lambda record: record.levelno > logging.DEBUG)


class Dialler:
    """Opens connections; keeps the key to itself."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        """Raises `OptionError` when the environment names a proxy that is none."""
        self._address = address
        self._proxy = proxy_for(address.endpoint)
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def dial(self) -> AsyncIterator["Connection"]:
        """A connection without a session; raises `ConnectError` and `RefusedError`."""
        ws = await self._open()
        try:
            yield Connection(ws, self._address)
        finally:
            await ws.close()

    async def _open(self) -> websockets.ClientConnection:
        try:
            return await websockets.connect(
                self._address.url,
                additional_headers=self._address.headers,
                proxy=self._proxy.url if self._proxy else None,
                compression=None,
                open_timeout=self._timeout_s,
                close_timeout=CLOSE_S,
                ping_interval=HEARTBEAT_S,
                ping_timeout=HEARTBEAT_S,
                logger=_quiet,
            )
        except Exception as error:  # websockets' own, the system's, and those of what it connects through
            failure = self._explain(error)
        # Out here, because theirs may hold the request, and with it the key: no context for ours.
        raise failure

    def _explain(self, error: Exception) -> WhisperSttError:
        if isinstance(error, InvalidStatus):
            answer = error.response
            told = _said(answer.body) or answer.reason_phrase
            return RefusedError(f"HTTP {answer.status_code}", self._address.hide(told))
        way = f"{self._address}"
        if self._proxy:
            way = _("{address} through {proxy}").format(address=way, proxy=self._proxy.name)
        if isinstance(error, ImportError) and self._proxy and self._proxy.socks:
            told = _("Cannot connect to {way}: SOCKS needs python-socks (pip install 'python-socks[asyncio]')")
            return ConnectError(told.format(way=way))
        if nobody_listens(error):
            return NobodyListensError(_("Cannot connect to {way}: nothing listens there").format(way=way))
        reason = _("no answer in time") if isinstance(error, TimeoutError) else f"{error}" or type(error).__name__
        told = _("Cannot connect to {way}: {reason}")
        return ConnectError(told.format(way=way, reason=self._address.hide(reason)))


def nobody_listens(error: object) -> bool:
    """Whether connecting was refused; asyncio joins the errors of a name's addresses to one text."""
    return isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error)


def _said(body: bytes | bytearray | None) -> str:
    """Why a handshake is refused: the service's words, or the beginning of what something else says."""
    try:
        return str(json.loads(body or b"")["error"])[:200]
    except (ValueError, KeyError, TypeError):
        return (body or b"")[:200].decode(errors="replace")


class Connection:
    """Frames both ways. A lost connection is a `ConnectError`, one that is closed for good an `EndedError`."""

    def __init__(self, ws: websockets.ClientConnection, address: Address) -> None:
        self._ws = ws
        self._hide = address.hide

    async def send(self, frame: Frame) -> None:
        """Send a frame; waits while the socket has enough to send."""
        try:
            await self._ws.send(frame)
        except ConnectionClosed as error:
            raise self._lost(error) from None

    def _lost(self, error: ConnectionClosed) -> ConnectError:
        return ConnectError(_("Connection lost: {reason}").format(reason=self._hide(error)))

    async def receive(self) -> Frame:
        """The next frame; those that came before the connection was lost come first."""
        try:
            return await self._ws.recv()
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else None
            raise closed_for_good(code) or self._lost(error) from None
