"""Who may connect: ASGI middleware before the consumer.

It refuses a handshake with 401 (no key, or none that is good), 403 (a web page from elsewhere) or 503 (the keys
cannot be read), or puts `scope["holder"]`: the `Key`, or `None` where none is needed. What goes on has no token in it.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from transcription import keys, metrics, service
from transcription.keyring import KeysUnavailableError
from transcription.keys import Key

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SUBPROTOCOL = "whisper-stt"
"""What a browser asks for beside its key, and is answered."""
BEARER_SUBPROTOCOL = "bearer."
"""A subprotocol that begins so carries a key: browsers cannot set headers."""
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Denial:
    """A handshake's refusal."""

    status: HTTPStatus
    outcome: str
    """For the metric."""
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


NO_KEY = Denial(
    HTTPStatus.UNAUTHORIZED,
    "no_key",
    "Expected an API key: Authorization: Bearer <key>, or the subprotocol bearer.<key>",
    ((b"www-authenticate", b'Bearer realm="whisper-stt"'),),
)
BAD_KEY = Denial(
    HTTPStatus.UNAUTHORIZED,
    "bad_key",
    "The API key is not valid",
    ((b"www-authenticate", b'Bearer realm="whisper-stt", error="invalid_token"'),),
)
FOREIGN_ORIGIN = Denial(HTTPStatus.FORBIDDEN, "origin", "Web pages of this origin may not connect")
NO_ANSWER = Denial(
    HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "API keys cannot be checked now", ((b"retry-after", b"2"),)
)


class Gate:
    """The middleware."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in or refuse."""
        holder = await admit(scope)
        if isinstance(holder, Denial):
            metrics.handshakes_total.labels(holder.outcome).inc()
            await deny(scope, receive, send, holder)
            return
        metrics.handshakes_total.labels("accepted").inc()
        inner = cleaned(scope) | {"holder": holder}
        if holder is None:
            await self._application(inner, receive, _answering(scope, send))
            return
        current = service.current()
        current.recorder.submit(keys.used(holder))
        with current.keyring.holding(holder):
            await self._application(inner, receive, _answering(scope, send))


async def admit(scope: Scope) -> Key | Denial | None:
    """Whose handshake it is, or why it is refused."""
    stt = settings.STT
    headers = dict(scope["headers"])
    if not origin_allowed(
        headers.get(b"origin", b"").decode("latin1"), headers.get(b"host", b"").decode("latin1"), stt.allowed_origins
    ):
        return FOREIGN_ORIGIN
    if stt.auth == "off":
        return None
    token = presented(scope, query=stt.auth_query_token)
    if not token:
        return NO_KEY
    try:
        key = await service.current().keyring.find(token)
    except KeysUnavailableError as error:
        logger.warning("A handshake is refused, its key cannot be checked: %s", error)
        return NO_ANSWER
    return key or BAD_KEY


def origin_allowed(origin: str, host: str, allowed: list[str]) -> bool:
    """Whether a page of this origin may connect: from this host, or listed; no origin at all is no browser.

    The host must be one of `ALLOWED_HOSTS`, or a name that somebody else's DNS points here would do.
    """
    if not origin:
        return True
    if "*" in allowed or origin.lower() in allowed:
        return True
    parts = urlsplit(origin.lower())
    domain, port = split_domain_port(host)
    hosts = settings.ALLOWED_HOSTS or (["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    try:
        from_port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return False
    to_port = int(port) if port else PORTS.get(parts.scheme)
    same = bool(domain) and parts.netloc.rpartition("@")[2] == parts.netloc and from_port == to_port
    return same and split_domain_port(parts.netloc)[0] == domain and validate_host(domain, hosts)


def presented(scope: Scope, *, query: bool) -> str:
    """The token of a handshake: from the header, a subprotocol or (if wanted) the URL; empty without one."""
    scheme, _, token = dict(scope["headers"]).get(b"authorization", b"").decode("latin1").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for subprotocol in scope["subprotocols"]:
        if subprotocol.startswith(BEARER_SUBPROTOCOL):
            return subprotocol.removeprefix(BEARER_SUBPROTOCOL)
    return dict(parse_qsl(scope["query_string"].decode("latin1"))).get("token", "") if query else ""


def cleaned(scope: Scope) -> Scope:
    """The scope without what may hold a token."""
    secret = {b"authorization", b"sec-websocket-protocol", b"cookie"}
    headers = [(name, value) for name, value in scope["headers"] if name not in secret]
    return scope | {"headers": headers, "query_string": b"", "subprotocols": []}


async def deny(scope: Scope, receive: Receive, send: Send, denial: Denial) -> None:
    """Answer with the denial's status; a server without ASGI's WebSocket Denial Response can only say 403."""
    await receive()  # websocket.connect
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    body = msgspec.json.encode({"status": denial.status, "error": denial.message})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *denial.headers,
    ]
    await send({"type": "websocket.http.response.start", "status": int(denial.status), "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _answering(scope: Scope, send: Send) -> Send:
    """Answer with our subprotocol where it was asked for, and with none that carries a key."""
    if SUBPROTOCOL not in scope["subprotocols"]:
        return send

    async def answer(message: dict[str, Any]) -> None:
        await send(message | {"subprotocol": SUBPROTOCOL} if message["type"] == "websocket.accept" else message)

    return answer
