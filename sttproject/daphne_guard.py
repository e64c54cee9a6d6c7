"""What Daphne 4.2 lacks to refuse clients properly; drop it when upstream has it.

A handshake that is not accepted is always answered 403. ASGI has an extension for other answers, WebSocket Denial
Response (`websocket.http.response`), which uvicorn and Hypercorn implement: here it is for Daphne. Its close codes are
limited to those of applications (autobahn's `sendClose`: 1000 and 3000 up), though an ASGI server speaks as the server:
1008 and 1011 raised. And its access log shows the query strings of HTTP requests, where a key may have been put by
mistake.
"""

from http import HTTPStatus
from typing import Any

from daphne.access import AccessLogGenerator
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol

from sttproject.redaction import redacted

EXTENSION = "websocket.http.response"


def install() -> None:
    """Patch the WebSocket protocol, its scope and the access log; once a process, before the first connection."""
    create, reply, write = Server.create_application, WebSocketProtocol.handle_reply, AccessLogGenerator.write_entry

    def create_application(self: Server, protocol: Any, scope: dict[str, Any]) -> Any:
        if scope["type"] == "websocket":
            scope.setdefault("extensions", {})[EXTENSION] = {}
        return create(self, protocol, scope)

    def handle_reply(self: WebSocketProtocol, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "websocket.http.response.start":
                self.denial = message
            case "websocket.http.response.body":
                _deny(self, self.denial, message.get("body", b""))
            case _:
                reply(self, message)

    def write_entry(self: AccessLogGenerator, host: Any, date: Any, request: str, **details: Any) -> None:
        write(self, host, date, redacted(request), **details)

    def server_close(self: WebSocketProtocol, code: int | None = None) -> None:
        self.sendCloseFrame(code=1000 if code is None else code)

    Server.create_application = create_application
    WebSocketProtocol.serverClose = server_close
    WebSocketProtocol.handle_reply = handle_reply
    AccessLogGenerator.write_entry = write_entry


def _deny(protocol: WebSocketProtocol, start: dict[str, Any], body: bytes) -> None:
    """As `serverReject` and autobahn's `failHandshake`, with the status, headers and body of the application."""
    status = HTTPStatus(start["status"])
    headers = [(name.decode("latin1"), value.decode("latin1")) for name, value in start["headers"]]
    del protocol.handshake_deferred
    protocol.wasNotCleanReason = status.phrase
    protocol.sendHttpErrorResponse(int(status), status.phrase, headers)
    protocol.sendData(body)
    protocol.dropConnection(abort=False)
    client = protocol.client_addr and "{}:{}".format(*protocol.client_addr)
    protocol.server.log_action("websocket", "rejected", {"path": protocol.request.path, "client": client})
