"""Daphne with bounds; `python -m sttproject.daphne` runs it.

Daphne queues what a client sends, and what a client does not read, without limit, and cuts every connection when it is
stopped. Here a client is not read from while its messages wait for the application, one that does not read is closed,
and SIGTERM lets sessions finish (docs/reliability.md).

Daphne also refuses every handshake with 403, and its access log shows query strings, where a key may have been put by
mistake. Here ASGI's WebSocket Denial Response (`websocket.http.response`) gives other answers, as with uvicorn and
Hypercorn, and what may be a key is left out of the log.
"""

import asyncio
import logging
import signal
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import daphne.server  # first: it installs the reactor
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from daphne.access import AccessLogGenerator
from daphne.cli import CommandLineInterface
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from twisted.internet.defer import Deferred

from transcription import metrics
from transcription.core.protocol import CloseCode
from transcription.ingress import draining
from transcription.ingress.bodies import Inbox, Request
from transcription.ingress.redaction import redacted

logger = logging.getLogger(__name__)

DENIAL = "websocket.http.response"
"""ASGI's extension for refusing a handshake with more than 403."""

MAX_REASON = 123
"""Bytes of a close frame's reason (RFC 6455, 5.5)."""

WHOLE_BINARY, MASKED, EXTENDED = 0x82, 0x80, 126
"""The first byte of a binary message in one frame; the bit of the second that says it is masked, which a client's is;
the length that says there are two bytes of it (RFC 6455, 5.2)."""
STEPS_A_TURN = 64
"""Half frames taken from what was read before other connections have their turn: 64 kB can be 10,000 frames."""
SHORT = 4_096
"""Bytes of a frame that are unmasked as one number: of more, Autobahn's own way is quicker."""
PIECES = 1_024
"""How many pieces of an unfinished message are kept; more are joined: an empty frame takes memory, too."""
SOCKET_BYTES = 131_072
"""Size of each of the kernel's buffers, which else grow to megabytes: minutes of work in frames of one sample."""
PING_TIMEOUT_S = 15
"""Less than Daphne's ping interval: it forgets the timer of a ping when it sends the next."""
CLOSE_TIMEOUT_S = 2
"""How long a client has to answer a close."""
CLOSE_WITHIN_S = 3.0
"""How long sessions have, at the end of a drain, to tell their clients that they are over."""
POLL_S = 0.05


class Connection(WebSocketProtocol):
    """One WebSocket, bounded both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.inbox = self.taken_in = Inbox(self._read_on)
        self._reading = True
        self._due = False
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._writable = True
        self._short = 0
        self._denial: dict[str, Any] = {}

    # From the client

    data: bytes
    frame_data: list[bytes]
    message_data: list[bytes]

    def onConnect(self, request: ConnectionRequest) -> Any:
        """Refuse a handshake too many, and every one while the server stops, with 503."""
        if draining.began.is_set():
            raise ConnectionDeny(503, "The server is shutting down")
        if self.factory.countConnections > self.factory.server_class.max_connections:
            metrics.connections_refused_total.inc()
            raise ConnectionDeny(503, "Too many connections")
        return super().onConnect(request)

    def onOpen(self) -> None:
        """The handshake is done: from now on this, and not the HTTP channel, hears of a full write buffer."""
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.transport.getHandle().setsockopt(socket.SOL_SOCKET, buffer, SOCKET_BYTES)
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        self._short = min(SHORT, self.maxFramePayloadSize or SHORT, self.maxMessagePayloadSize or SHORT)
        super().onOpen()

    def dataReceived(self, data: bytes) -> None:
        """As Autobahn does, without describing it for a log that nobody keeps."""
        self._dataReceived(data)

    def processData(self) -> bool:
        """As Autobahn does; a short binary message in one frame, which is what audio comes in, in one step.

        All others are Autobahn's, those that break its rules or come in the midst of something included.
        """
        data = self.data
        if len(data) < 8 or data[0] != WHOLE_BINARY or not self._expects_a_message:
            return bool(super().processData())
        start, length, shortest, longest = 6, data[1] - MASKED, 1, EXTENDED - 1
        if length == EXTENDED:
            start, length, shortest, longest = 8, int.from_bytes(data[2:4], "big"), EXTENDED, self._short
        end = start + length
        if not shortest <= length <= longest or len(data) < end:
            return bool(super().processData())
        mask = (data[start - 4 : start] * (length // 4 + 1))[:length]
        payload = int.from_bytes(data[start:end], "little") ^ int.from_bytes(mask, "little")
        self.data = data[end:]
        self.onMessage(payload.to_bytes(length, "little"), True)
        return end < len(data)

    @property
    def _expects_a_message(self) -> bool:
        """Whether nothing is under way that a message might belong to, or put an end to."""
        under_way = self.current_frame or self.inside_message or self.failedByMe or self.autoPingTimeoutCall
        return self.state == self.STATE_OPEN and not under_way

    def consumeData(self) -> None:
        """Take frames from what was read, while there is room for them and it is this connection's turn."""
        if self.state not in (self.STATE_OPEN, self.STATE_CLOSING):
            super().consumeData()
            return
        for _ in range(STEPS_A_TURN):
            if self.inbox.is_full:
                metrics.input_pauses_total.inc()
                self._set_reading(False)
                return
            if not self.processData() or self.state == self.STATE_CLOSED:
                self._set_reading(True)
                return
        self._set_reading(False)
        self._read_on()

    def _read_on(self) -> None:
        if not self._reading and not self._due:
            self._due = True
            asyncio.get_event_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._due = False
        self.consumeData()

    def _set_reading(self, reading: bool) -> None:
        if self._reading is reading or self.state == self.STATE_CLOSED:
            return
        self._reading = reading
        (self.transport.resumeProducing if reading else self.transport.pauseProducing)()

    def onMessageFrameData(self, payload: bytes) -> None:
        """As Autobahn does, in a bounded number of pieces."""
        super().onMessageFrameData(payload)
        if len(self.frame_data) > PIECES:
            self.frame_data = [b"".join(self.frame_data)]

    def onMessageFrame(self, payload: list[bytes]) -> None:
        """As Autobahn does, in a bounded number of pieces."""
        super().onMessageFrame(payload)
        if len(self.message_data) > PIECES:
            self.message_data = [b"".join(self.message_data)]

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The connection is gone; if its handshake was refused, Daphne has never known of it."""
        if self in self.factory.server_class.connections:
            super().onClose(wasClean, code, reason)

    # To the client

    def pauseProducing(self) -> None:
        """The transport's buffer is full: from now on frames are held."""
        self._writable = False

    def resumeProducing(self) -> None:
        """The transport's buffer is empty: what was held goes out, until it is full again."""
        self._writable = True
        while self._unsent and self._writable:
            data = self._unsent.popleft()
            self._unsent_bytes -= len(data)
            super().sendData(data)

    def stopProducing(self) -> None:
        """The transport is gone; `onClose` will say so, nothing is to be done here."""

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Write a frame, or hold it until the client reads; one that does not is closed."""
        if self._writable:
            super().sendData(data, sync, chopsize)
            return
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes > settings.STT.max_unsent_bytes and not self.muted:
            self._give_up()

    def _give_up(self) -> None:
        logger.warning("Slow reader: %d bytes unsent, the connection is closed", self._unsent_bytes)
        metrics.slow_readers_total.inc()
        self._unsent.clear()
        self._unsent_bytes = 0
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": int(CloseCode.TRY_AGAIN_LATER)})
        self.muted = True  # neither its messages nor a second disconnect reach the application
        self.sendCloseFrame(CloseCode.TRY_AGAIN_LATER, b"slow reader")

    def handle_reply(self, message: dict[str, Any]) -> None:
        """What the application sends, with the answers of `DENIAL`, and the reason of a close, which Daphne drops."""
        match message["type"].removeprefix(DENIAL):
            case ".start":
                self._denial = message
            case ".body":
                self._deny(HTTPStatus(self._denial["status"]), message.get("body", b""))
            case "websocket.close" if self.state != self.STATE_CONNECTING:
                self.serverClose(message.get("code"), message.get("reason") or "")
            case _:
                super().handle_reply(message)

    def _deny(self, status: HTTPStatus, body: bytes) -> None:
        """As `serverReject` and autobahn's `failHandshake`, with the status, headers and body of the application."""
        headers = [(name.decode("latin1"), value.decode("latin1")) for name, value in self._denial["headers"]]
        del self.handshake_deferred
        self.wasNotCleanReason = status.phrase
        self.sendHttpErrorResponse(int(status), status.phrase, headers)
        self.sendData(body)
        self.dropConnection(abort=False)
        client = self.client_addr and "{}:{}".format(*self.client_addr)
        self.server.log_action("websocket", "rejected", {"path": self.request.path, "client": client})

    def serverSend(self, content: Any, binary: bool = False) -> None:
        """Send a message, if there is still a connection: Autobahn raises where ASGI wants nothing to happen."""
        if self.state == self.STATE_OPEN:
            super().serverSend(content, binary)

    def serverClose(self, code: int | None = None, reason: str = "") -> None:
        """Close with any code of RFC 6455: `sendClose` takes 1000 and those of applications only."""
        told = reason.encode()[:MAX_REASON].decode(errors="ignore")
        self.sendCloseFrame(1000 if code is None else code, told.encode() or None)


class AccessLog(AccessLogGenerator):
    """Daphne's access log, without keys; in JSON where other lines are."""

    def write_entry(self, host: str, date: Any, request: str, **details: Any) -> None:
        """Write the line of one request or handshake."""
        if settings.STT.log_format == "json":
            about = {"action": "access", "client": host, "request": redacted(request)}
            logger.info("access", extra=about | {name: value for name, value in details.items() if value is not None})
            return
        super().write_entry(host, date, redacted(request), **details)


class Server(daphne.server.Server):
    """Daphne's server, with bounded connections and an end that sessions hear of."""

    def __init__(self, **options: Any) -> None:
        if options.get("action_logger"):
            options["action_logger"] = AccessLog(options["action_logger"].stream)
        super().__init__(**options, signal_handlers=False, ready_callable=self._prepare)
        self.max_connections = settings.STT.max_connections or 64 + 4 * settings.STT.max_sessions
        self._hurry = asyncio.Event()
        self._drained: asyncio.Task[None] | None = None

    def _prepare(self) -> None:
        self.ws_factory.protocol = Connection
        self.http_factory.buildProtocol = partial(_http_channel, self.http_factory.buildProtocol)
        # Autobahn forgets `allowNullOrigin` where it is not said again; who may connect is for the application to say
        self.ws_factory.setProtocolOptions(
            failByDrop=False, closeHandshakeTimeout=CLOSE_TIMEOUT_S, allowNullOrigin=True
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_event_loop().add_signal_handler(number, self._asked_to_stop)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> asyncio.Queue[dict[str, Any]] | None:
        """As Daphne does, with the connection's own queue."""
        inbox = protocol.inbox
        if inbox is None:
            return super().create_application(protocol, scope)
        scope.setdefault("asgi", {"version": "3.0"})
        if isinstance(protocol, Connection):
            scope.setdefault("extensions", {})[DENIAL] = {}
        send = partial(self.handle_reply, protocol)
        application = self.application(scope=scope, receive=inbox.get, send=send)
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(application)
        return protocol.taken_in

    def kill_all_applications(self) -> Deferred[Any]:
        """As Daphne does; an entry may just have lost its application."""
        applications = [application for details in self.connections.values() if (application := _running(details))]
        for application in applications:
            application.cancel()
        return Deferred.fromFuture(asyncio.gather(*applications, return_exceptions=True))

    def _asked_to_stop(self) -> None:
        if self._drained:
            self._hurry.set()
        else:
            draining.began.set()
            self._drained = asyncio.get_event_loop().create_task(self._drain())

    async def _drain(self) -> None:
        """Wait for the sessions, tell those that are left, wait for their connections, stop."""
        logger.info("Stopping: sessions may finish within %g s", settings.STT.drain_s)
        try:
            await _until(lambda: not draining.sessions or self._hurry.is_set(), settings.STT.drain_s)
            connections = [protocol for protocol in self.connections if protocol.inbox is not None]
            for connection in connections:
                connection.inbox.put_nowait({"type": draining.STOP})
            await _until(lambda: not any(_running(self.connections.get(one)) for one in connections), CLOSE_WITHIN_S)
        finally:
            self.stop()


def _http_channel(build: Callable[[Any], Any], address: Any) -> Any:
    """As Daphne builds it, with requests of ours."""
    channel = build(address)
    channel.requestFactory = Request
    return channel


def _running(details: dict[str, Any] | None) -> asyncio.Future[None] | None:
    """The application of a connection, if it runs."""
    application = (details or {}).get("application_instance")
    return application if application and not application.done() else None


async def _until(over: Callable[[], bool], within_s: float) -> None:
    """Poll until something holds, or the time is over."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not over() and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(POLL_S)


class Command(CommandLineInterface):
    """Daphne's command line, for this server and with its `PING_TIMEOUT_S`."""

    server_class = Server

    def __init__(self) -> None:
        super().__init__()
        self.parser.set_defaults(ping_timeout=PING_TIMEOUT_S)
