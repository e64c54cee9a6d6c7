"""HTTP requests with bounded bodies, and what waits of a client for its application.

Twisted reads a body to its end before anybody hears of the request, and puts one of more than 100 kB on disk. Here the
body of an upload (`ingress/uploads.py`) goes to the application as it comes in, never faster than that takes it, and a
request that is answered before its end is read on for a moment: who still writes would else not see the answer.
"""

import asyncio
import io
from collections.abc import Callable
from typing import Any

from daphne.http_protocol import WebRequest

from transcription import metrics
from transcription.core.paths import takes_upload

INBOX_MESSAGES, INBOX_BYTES = 64, 262_144
"""A client is not read from while so much of it waits for the application; half of it, and it is again."""
MAX_BODY_BYTES = 1_048_576
"""The longest body of any other HTTP request; the admin's forms are the largest there are."""
LINGER_S = 2.0
"""How long the rest of a body is read, and thrown away, once the request is answered."""


class Inbox(asyncio.Queue[dict[str, Any]]):
    """What waits for the application of one connection; `on_room` is called whenever half of it is free."""

    def __init__(self, on_room: Callable[[], None]) -> None:
        super().__init__()
        self._on_room = on_room
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether no more should be put in."""
        return self.qsize() >= INBOX_MESSAGES or self._bytes >= INBOX_BYTES

    async def get(self) -> dict[str, Any]:
        """The next message. What waits already would else be taken in one go, before any other connection's."""
        if self.empty():
            return await super().get()
        await asyncio.sleep(0)
        return self.get_nowait()

    def _put(self, message: dict[str, Any]) -> None:
        super()._put(message)
        self._bytes += _size(message)

    def _get(self) -> dict[str, Any]:
        message = super()._get()
        self._bytes -= _size(message)
        if self.qsize() <= INBOX_MESSAGES // 2 and self._bytes <= INBOX_BYTES // 2:
            self._on_room()
        return message


def _size(message: dict[str, Any]) -> int:
    return len(message.get("bytes") or message.get("text") or message.get("body") or "")


class Disconnects:
    """What Daphne puts for the application of an upload: that the client is gone. The body goes another way."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def put_nowait(self, message: dict[str, Any]) -> None:
        """Daphne has something for the application."""
        if message["type"] == "http.disconnect":
            self._inbox.put_nowait(message)


class Request(WebRequest):
    """One HTTP request."""

    inbox: Inbox | None = None
    """Of an upload."""
    taken_in: Disconnects | None = None
    _refused = False
    _receiving = False
    """Whether the body of an upload is not over."""
    _answered = False
    """Whether it was answered before."""
    _idle_s: float | None = None
    """The channel's own timeout, while it is not read from."""

    def gotLength(self, length: int | None) -> None:
        """The headers are read, and say how long the body is unless it comes in chunks."""
        upgrade = self.requestHeaders.hasHeader(b"upgrade")
        if not upgrade and takes_upload(self.channel._command, self.channel._path):
            self._begin_upload()
            return
        super().gotLength(length)
        if (length or 0) > MAX_BODY_BYTES:
            self._refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        """Some of the body came."""
        if self._refused or self._answered:
            return
        if self.inbox is not None:
            self.inbox.put_nowait({"type": "http.request", "body": data, "more_body": True})
            if self.inbox.is_full:
                self._set_reading(False)
        elif self.content.tell() + len(data) > MAX_BODY_BYTES:
            self._refuse_body()
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of the body came. An upload's application has been at work since the headers."""
        if self.inbox is None:
            super().requestReceived(command, path, version)
            return
        self._receiving = False
        self.inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        if self._answered:
            super().finish()

    def handle_reply(self, message: dict[str, Any]) -> None:
        """The application's answer. To HEAD it has no body: Twisted leaves out the first piece only."""
        if message["type"] == "http.response.start" and self._receiving:
            self.channel.persistent = False
            message = message | {"headers": [*message["headers"], (b"connection", b"close")]}
        is_head = self.method == b"HEAD" and message["type"] == "http.response.body"
        super().handle_reply(message | {"body": b""} if is_head else message)

    def process(self) -> Any:
        """Hand it to the application, whole."""
        return None if self._refused else super().process()

    def connectionLost(self, reason: Any) -> None:
        """The client is gone, and with it the channel."""
        self._receiving = False
        super().connectionLost(reason)

    def finish(self) -> None:
        """The answer is complete."""
        if not self._receiving:
            super().finish()
            return
        self._answered = True
        self._set_reading(True)
        asyncio.get_event_loop().call_later(LINGER_S, self._part)

    def _begin_upload(self) -> None:
        self.inbox = Inbox(lambda: self._set_reading(True))
        self.taken_in = Disconnects(self.inbox)
        self._receiving = True
        self.content = io.BytesIO()
        self.method, self.uri, self.clientproto = self.channel._command, self.channel._path, self.channel._version
        self.path = self.uri.partition(b"?")[0]
        self.client, self.host = self.channel.getPeer(), self.channel.getHost()
        super().process()

    def _set_reading(self, reading: bool) -> None:
        """Read from the client, or not. While it is not, it is not idle either."""
        if not self._receiving or reading is (self._idle_s is None):
            return
        if reading:
            self.channel.transport.resumeProducing()
            self.channel.setTimeout(self._idle_s or None)
            self._idle_s = None
        else:
            metrics.input_pauses_total.inc()
            self.channel.transport.pauseProducing()
            self._idle_s = self.channel.setTimeout(None) or 0.0

    def _part(self) -> None:
        if self._receiving:
            self.channel.loseConnection()

    def _refuse_body(self) -> None:
        self._refused = True
        metrics.bodies_refused_total.inc()
        self.channel.transport.write(
            b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        self.channel.loseConnection()
