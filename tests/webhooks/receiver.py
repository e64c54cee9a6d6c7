"""A receiver of webhooks: a real server, which checks signatures by code of its own and does what a test wants."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness.processes import free_port


@dataclass(frozen=True)
class Told:
    """One request."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)

    def is_signed_with(self, secret: str) -> bool:
        """As standardwebhooks.com has it, written from there and not from the service."""
        key = base64.b64decode(secret[len("whsec_") :])
        content = self.headers["webhook-id"] + "." + self.headers["webhook-timestamp"] + "."
        digest = hmac.new(key, content.encode("ascii") + self.raw, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(digest).decode("ascii")
        return expected in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """Answers each request with what `answer` says: a status, and headers; keeps what it was told."""

    port: int = field(default_factory=free_port)
    answer: Callable[[Told], tuple[int, dict[str, str]]] = lambda told: (204, {})
    told: list[Told] = field(default_factory=list)
    taken: list[Told] = field(default_factory=list)
    """Those that it answered with 2xx."""
    open: int = 0
    most_open: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, kind: str) -> list[Told]:
        """What was taken of a type."""
        return [told for told in self.taken if told.body["type"] == kind]

    def forget(self) -> None:
        """Be as new, at the same port."""
        self.__dict__.update(Receiver(port=self.port).__dict__)

    @contextmanager
    def listening(self) -> Iterator["Receiver"]:
        """The server, while it lasts; before and after, connections are refused."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            told = Told(self.path, {name.lower(): value for name, value in self.headers.items()}, raw)
            with lock:
                receiver.told.append(told)
                receiver.open += 1
                receiver.most_open = max(receiver.most_open, receiver.open)
            status, headers = receiver.answer(told)
            with lock:
                receiver.open -= 1
                if 200 <= status < 300:
                    receiver.taken.append(told)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    return Handler
