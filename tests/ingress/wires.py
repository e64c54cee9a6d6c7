"""The web server without sockets: connections whose far end is in the test's hands, byte for byte."""

import asyncio
from collections.abc import Callable
from io import StringIO
from typing import Any

from daphne.access import AccessLogGenerator
from daphne.http_protocol import HTTPFactory
from daphne.ws_protocol import WebSocketFactory
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from transcription.ingress.server import Server


class Wire(StringTransport):
    """One connection's transport, as the server has it."""

    protocol: Any
    handle: "Handle"

    def getHandle(self) -> "Handle":  # noqa: N802 - Twisted's name
        return self.handle

    def resumeProducing(self) -> None:  # noqa: N802
        """As a socket does: without effect once it is being closed."""
        if not self.disconnecting:
            super().resumeProducing()


class Handle:
    """A socket, as far as it has options."""

    def __init__(self) -> None:
        self.set: dict[int, int] = {}

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.set[option] = value


class Serving:
    """A server that listens nowhere, and what it logs."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self.log = StringIO()
        self.server = Server(application=application, endpoints=["none"], action_logger=AccessLogGenerator(self.log))
        self.server.connections = {}
        self.server.http_factory = HTTPFactory(self.server)
        self.server.ws_factory = WebSocketFactory(self.server, server="daphne")
        self.server._prepare()

    def connect(self) -> Wire:
        """A new connection."""
        address = IPv4Address("TCP", "192.0.2.7", 1234)
        wire = Wire(address)
        wire.handle = Handle()
        wire.protocol = self.server.http_factory.buildProtocol(address)
        wire.protocol.makeConnection(wire)
        return wire


class Application:
    """Accepts each connection, and reads on when the test lets it."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.got: list[dict[str, Any]] = []
        self.scopes: list[dict[str, Any]] = []
        self.send: Callable[[dict[str, Any]], Any] = lambda message: None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.send = send
        await receive()
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
            for piece in (b"ab", b"cd"):
                await send({"type": "http.response.body", "body": piece, "more_body": piece == b"ab"})
            return
        await send({"type": "websocket.accept"})
        while not self.got or self.got[-1]["type"] != "websocket.disconnect":
            await self.reads.wait()
            self.got.append(await receive())

    @property
    def payloads(self) -> list[Any]:
        return [message.get("bytes") or message.get("text") for message in self.got]


async def turns(count: int = 10) -> None:
    """Let the server and the application have some turns."""
    for _ in range(count):
        await asyncio.sleep(0)


class Socket:
    """A client's WebSocket over a wire."""

    def __init__(self, serving: Serving, path: str = "/ws/stt") -> None:
        self.wire = serving.connect()
        self._client = ClientProtocol(parse_uri(f"ws://stt.example.com{path}"), max_size=None)
        self._client.send_request(self._client.connect())

    async def opened(self) -> "Socket":
        self._flush()
        await turns()
        self.heard()
        assert self._client.handshake_exc is None
        return self

    @property
    def connection(self) -> Any:
        return self.wire.protocol

    @property
    def is_read(self) -> bool:
        """Whether the server reads from it."""
        return self.wire.producerState == "producing"

    def say(self, *frames: bytes | str | Frame) -> None:
        """Send them all in one piece."""
        for frame in frames:
            match frame:
                case Frame():
                    self._client.send_frame(frame)
                case bytes():
                    self._client.send_binary(frame)
                case _:
                    self._client.send_text(frame.encode())
        self._flush()

    def _flush(self) -> None:
        data = b"".join(self._client.data_to_send())
        self.wire.protocol.dataReceived(data)

    def heard(self) -> list[Frame]:
        """The frames that have come since the last time."""
        self._client.receive_data(self.wire.value())
        self.wire.clear()
        return [event for event in self._client.events_received() if isinstance(event, Frame)]

    @property
    def close_code(self) -> int | None:
        """The server's."""
        frame = self._client.close_rcvd
        return frame.code if frame else None

    @property
    def close_reason(self) -> str:
        """What the server's close says."""
        frame = self._client.close_rcvd
        return frame.reason if frame else ""

    def leave(self) -> None:
        """Be gone without a word."""
        self.wire.protocol.connectionLost(Failure(ConnectionDone()))


def fragments(count: int, payload: bytes) -> list[Frame]:
    """One message in so many frames."""
    return [Frame(Opcode.BINARY if i == 0 else Opcode.CONT, payload, fin=i == count - 1) for i in range(count)]
