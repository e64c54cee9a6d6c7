"""Who may connect: ASGI middleware before the consumer.

It refuses a handshake with 401 (no key, or none that is good), 403 (a web page from elsewhere) or 503 (the keys
cannot be read), or puts `scope["principal"]`: the `Key`, or `None` where none is needed. What goes on has no token in
it.
"""

import base64
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from transcription import metrics
from transcription.audit.records import Record
from transcription.ingress import runtime
from transcription.ingress.mailbox import QueueAwayError
from transcription.keys import access
from transcription.keys.access import Key
from transcription.keys.keyring import KeysUnavailableError

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SUBPROTOCOL = "whisper-stt"
"""What a browser asks for beside its key, and is answered."""
ANSWERED = (SUBPROTOCOL, "token", "bearer", "realtime", "media")
"""What is answered of the subprotocols asked for: those of other services' browser clients too, and Asterisk's."""
KEY_PREFIXES = ("bearer.", "openai-insecure-api-key.")
"""A subprotocol that begins so carries a key: browsers cannot set headers."""
PAIRED_SUBPROTOCOLS = ("token", "bearer")
"""The one after these is the key, as Deepgram's clients have it."""
SCHEMES = ("bearer", "token")
"""Of the Authorization header; the second is Deepgram's."""
PASSWORD_SCHEME = "basic"  # noqa: S105 - a name
"""Where the key is the password, whatever the user: Asterisk has nothing else."""
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Denial:
    """How a handshake is refused: status, message (its JSON body) and headers."""

    status: HTTPStatus
    outcome: str
    """Its label in `stt_handshakes_total`."""
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
FOREIGN_ORIGIN = Denial(
    HTTPStatus.FORBIDDEN,
    "origin",
    "Pages of this Origin may not connect: it is neither this host's nor in STT_ALLOWED_ORIGINS",
)
NO_ANSWER = Denial(
    HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "API keys cannot be checked now", ((b"retry-after", b"2"),)
)
NO_QUEUE = Denial(
    HTTPStatus.SERVICE_UNAVAILABLE, "no_queue", "The service cannot reach its queue", ((b"retry-after", b"2"),)
)


class Gate:
    """The middleware: asks `admit`, counts the outcome, and has the key watched while the connection lasts."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the handshake in to the application, or answer it with a denial: the gate's, or that Redis is away."""
        try:
            await self._pass(scope, receive, send)
        except* QueueAwayError as away:
            logger.warning("A handshake is refused, Redis cannot be reached: %s", away.exceptions[0])
            metrics.handshakes_total.labels(NO_QUEUE.outcome).inc()
            await deny(scope, receive, send, NO_QUEUE)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal = await admit(scope)
        if isinstance(principal, Denial):
            metrics.handshakes_total.labels(principal.outcome).inc()
            await deny(scope, receive, send, principal)
            return
        metrics.handshakes_total.labels("accepted").inc()
        inner = cleaned(scope) | {"principal": principal}
        if principal is None:
            await self._application(inner, receive, _answering(scope, send))
            return
        current = runtime.current()
        current.recorder.submit(Record(access.used(principal)))
        with current.keyring.holding(principal):
            await self._application(inner, receive, _answering(scope, send))


async def admit(scope: Scope) -> Key | Denial | None:
    """Whose handshake it is (`None` where no key is needed), or why it is refused."""
    stt = settings.STT
    headers = dict(scope["headers"])
    origin, host = (headers.get(name, b"").decode("latin1") for name in (b"origin", b"host"))
    if not origin_allowed(origin, host, stt.allowed_origins):
        logger.warning("A handshake is refused: Origin %.200r, Host %.200r (STT_ALLOWED_ORIGINS)", origin, host)
        return FOREIGN_ORIGIN
    if stt.auth == "off":
        return None
    token = presented(scope, query=stt.auth_query_token)
    if not token:
        return NO_KEY
    try:
        key = await runtime.current().keyring.find(token)
    except KeysUnavailableError as error:
        logger.warning("A handshake is refused, its key cannot be checked: %s", error)
        return NO_ANSWER
    return key or BAD_KEY


def origin_allowed(origin: str, host: str, allowed: list[str]) -> bool:
    """Whether a page of this origin may connect: from this host, or listed; no origin at all is no browser.

    The host must be one of `ALLOWED_HOSTS`, or one that nobody's DNS can point here: else a page of any name would do
    once its name does. Programs that send an Origin of their own make it of the address they connect to.
    """
    if not origin:
        return True
    if "*" in allowed or origin.lower() in allowed:
        return True
    try:
        parts = urlsplit(origin.lower())
        from_port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return False
    domain, port = split_domain_port(host)
    hosts = settings.ALLOWED_HOSTS or (["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    to_port = int(port) if port else PORTS.get(parts.scheme)
    same = bool(domain) and parts.netloc.rpartition("@")[2] == parts.netloc and from_port == to_port
    served = validate_host(domain, hosts) or _has_no_dns(domain)
    return same and split_domain_port(parts.netloc)[0] == domain and served


def _has_no_dns(domain: str) -> bool:
    """Whether a host is an address, or a name of one label, which public DNS has not."""
    try:
        ip_address(domain.strip("[]"))
    except ValueError:
        return "." not in domain
    return True


def presented(scope: Scope, *, query: bool) -> str:
    """The token of a handshake: from the header, a subprotocol or (if wanted) the URL; empty without one."""
    scheme, _, token = dict(scope["headers"]).get(b"authorization", b"").decode("latin1").partition(" ")
    if scheme.lower() in SCHEMES and token.strip():
        return token.strip()
    if scheme.lower() == PASSWORD_SCHEME and (password := _password(token.strip())):
        return password
    for before, subprotocol in pairwise(["", *scope["subprotocols"]]):
        if before in PAIRED_SUBPROTOCOLS:
            return subprotocol
        for prefix in KEY_PREFIXES:
            if subprotocol.startswith(prefix):
                return subprotocol.removeprefix(prefix)
    return dict(parse_qsl(scope["query_string"].decode("latin1"))).get("token", "") if query else ""


def _password(credentials: str) -> str:
    """Of `user:password` in base64 (RFC 7617); empty where it is not that."""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def cleaned(scope: Scope) -> Scope:
    """The scope without what may hold a token."""
    secret = {b"authorization", b"sec-websocket-protocol", b"cookie"}
    headers = [(name, value) for name, value in scope["headers"] if name not in secret]
    query = [
        (name, value)
        for name, value in parse_qsl(scope["query_string"].decode("latin1"), keep_blank_values=True)
        if name != "token"
    ]
    return scope | {"headers": headers, "query_string": urlencode(query).encode(), "subprotocols": []}


async def deny(scope: Scope, receive: Receive, send: Send, denial: Denial) -> None:
    """Answer with the denial's status; a server without ASGI's WebSocket Denial Response can only say 403."""
    await receive()  # websocket.connect
    body = {"status": denial.status, "error": denial.message}
    await refuse(scope, send, denial.status, body, denial.headers)


async def refuse(
    scope: Scope, send: Send, status: int, body: dict[str, object], headers: Iterable[tuple[bytes, bytes]]
) -> None:
    """Answer a handshake with an HTTP status and a JSON body, where the server can (ASGI's Denial Response)."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    encoded = msgspec.json.encode(body)
    whole = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(encoded)).encode()),
        (b"connection", b"close"),
        *headers,
    ]
    await send({"type": "websocket.http.response.start", "status": int(status), "headers": whole})
    await send({"type": "websocket.http.response.body", "body": encoded})


def _answering(scope: Scope, send: Send) -> Send:
    """Answer with the subprotocol that was asked for, and with none that carries a key."""
    chosen = next((name for name in ANSWERED if name in scope["subprotocols"]), None)
    if chosen is None:
        return send

    async def answer(message: dict[str, Any]) -> None:
        await send(message | {"subprotocol": chosen} if message["type"] == "websocket.accept" else message)

    return answer
