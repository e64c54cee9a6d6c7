"""The service under a path of a shared host: ASGI middleware that puts the prefix where Django and Channels look.

The prefix is `STT_PATH_PREFIX`, or what the proxy in front says in `X-Forwarded-Prefix`. A proxy may pass the path on
with the prefix or without it. Whoever sends the header himself only gets pages with other links in them; a cache must
not keep those for others, which `Vary` tells it.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponse
from django.urls import get_script_prefix
from django.utils.cache import patch_vary_headers

from transcription.core.paths import is_prefix

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]

HEADER = "X-Forwarded-Prefix"


class Prefixed:
    """The application, whatever path it is under."""

    def __init__(self, application: Application, prefix: str) -> None:
        """`prefix` is the setting; empty: the header, if there is one."""
        self._application = application
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request or handshake on, with the prefix where Django and Channels look for it."""
        prefix = self._prefix or forwarded(scope)
        await self._application(under(scope, prefix) if prefix else scope, receive, send)


def forwarded(scope: Scope) -> str:
    """The prefix that a proxy names; empty without one, or with one that the service cannot be under."""
    given = dict(scope.get("headers", ())).get(HEADER.lower().encode(), b"").decode("latin1").rstrip("/")
    return given if is_prefix(given) else ""


def under(scope: Scope, prefix: str) -> Scope:
    """The scope with `root_path`, and a `path` that begins with it (ASGI, HTTP connection scope)."""
    path = scope["path"]
    whole = path if path == prefix or path.startswith(f"{prefix}/") else prefix + path
    return scope | {"root_path": prefix, "path": whole}


class VaryByPrefix:
    """Middleware around all others, since redirects have links in them too: tells caches that the header counts."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, with `Vary` where the prefix is the header's to say."""
        response = self._get_response(request)
        if HEADER in request.headers and not settings.STT.path_prefix:
            patch_vary_headers(response, [HEADER])
        return response


class PrefixedStatic(StaticFilesStorage):
    """Static files with the prefix of the request: Django reads `STATIC_URL` once, for all requests."""

    def url(self, name: str | None) -> str:
        """The URL under which a page of this request finds the file."""
        return get_script_prefix().rstrip("/") + super().url(name)
