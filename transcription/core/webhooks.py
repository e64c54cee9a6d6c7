"""What is said to other systems' addresses, how it is signed, and when it is said again (standardwebhooks.com).

An event's id is made of what it is about, so that whatever happens in between, the same event has the same id.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec

FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 3600.0
SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins
PORTS = {"https": 443, "http": 80}


class EventType(StrEnum):
    """What an endpoint may be told of."""

    SEGMENT_FINAL = "segment.final"
    SESSION_CLOSED = "session.closed"


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every request."""

    type: EventType
    timestamp: str
    """When it happened (ISO 8601, UTC)."""
    data: dict[str, Any]


def encode(envelope: Envelope) -> str:
    """The body as it is kept, signed and sent: JSON."""
    return msgspec.json.encode(envelope).decode()


def segment_event_id(uid: str, segment_id: str) -> str:
    """The id of a segment's final; `uid` is its session's."""
    return f"msg_{uid}_{segment_id}"


def closed_event_id(uid: str) -> str:
    """The id of a session's end."""
    return f"msg_{uid}_closed"


def make_secret(random: bytes) -> str:
    """An endpoint's secret of random bytes (24 to 64 of them, the standard says), as it is shown and kept."""
    return SECRET_PREFIX + base64.b64encode(random).decode()


def signature(secret: str, event_id: str, timestamp: int, body: str) -> str:
    """The header `webhook-signature`; `timestamp` is the attempt's (Unix, s). Raises `ValueError` for no secret."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("expected whsec_ and base64") from None
    signed = hmac.digest(key, f"{event_id}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"


def retry_after_s(attempts: int, spread: float) -> float:
    """How long after so many attempts (1 or more) the next comes; `spread` is 0 to 1, drawn anew each time.

    Twice as long each time, from 5 s to an hour, and up to a fifth more, for those that failed together not to come
    back together.
    """
    return float(min(FIRST_RETRY_S * 2 ** min(attempts - 1, 16), LONGEST_RETRY_S)) * (1 + spread / 5)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where requests may go: scheme, host (`*.example.com`: whatever is under that) and port."""

    scheme: str
    host: str
    port: int

    def covers(self, other: "Origin") -> bool:
        """Whether another is this one, or under it."""
        if (self.scheme, self.port) != (other.scheme, other.port):
            return False
        return other.host.endswith(self.host[1:]) if self.host.startswith("*.") else self.host == other.host


def origin(address: str) -> Origin:
    """Of a URL, or of a host alone, which means HTTPS. Raises `ValueError`, with what was expected."""
    parts = urlsplit(address if "//" in address else f"https://{address}")
    if parts.scheme not in PORTS or not parts.hostname or parts.username is not None or parts.password is not None:
        raise ValueError("expected an address such as https://hooks.example.com/stt, without a user or password")
    return Origin(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])


def is_allowed(url: str, allowed: Collection[str]) -> bool:
    """Whether a URL is at one of the allowed hosts. Raises `ValueError` for what is no URL."""
    wanted = origin(url)
    return any(origin(one).covers(wanted) for one in allowed)
