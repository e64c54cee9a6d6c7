"""Paths of the service, and the prefix that it may be under on a shared host."""

import re

OWN = (
    "/ws/stt",
    "/ws/admin/live",
    "/v1/listen",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/models",
    "/v2/listen",
    "/v1/realtime",
    "/v1/jambonz",
    "/v1/twilio",
    "/v1/asterisk",
    "/health/live",
    "/health/startup",
    "/health/ready",
    "/health/status",
    "/metrics",
    "/api/usage",
)
TREES = ("/admin/", "/static/", "/v1/calls/")
"""Paths that have more below them."""
PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+){1,8}")
LONGEST = 128


def is_own(prefix: str) -> bool:
    """Whether paths of the service begin with this: whether a proxy has stripped it could not be told."""
    below = f"{prefix}/"
    return below.startswith(TREES) or any(f"{path}/".startswith(below) for path in OWN)


def is_prefix(text: str) -> bool:
    """Whether the service can be under this path, which has no slash at its end."""
    plain = len(text) <= LONGEST and PREFIX.fullmatch(text) is not None
    return plain and not {".", ".."}.intersection(text.split("/")) and not is_own(text)


UPLOADS = (b"/v1/audio/transcriptions", b"/v1/audio/translations", b"/v1/listen")


def takes_upload(method: bytes, uri: bytes) -> bool:
    """Whether a request brings a recording, whatever prefix its path has."""
    return method == b"POST" and uri.partition(b"?")[0].rstrip(b"/").endswith(UPLOADS)
