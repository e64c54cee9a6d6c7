"""`whisper-stt status`."""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from whisper_stt.cli import Exit
from whisper_stt.errors import ConnectError, RefusedError
from whisper_stt.options import DEFAULT_URL

TIMEOUT_S = 10.0


def status(arguments: argparse.Namespace) -> int:
    """Show `/health/status`; 0 when a session would be accepted now."""
    said = _fetch(arguments.url or os.environ.get("STT_URL") or DEFAULT_URL)
    if arguments.json:
        sys.stdout.write(json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    else:
        rows = list(_rows(said))
        width = max(len(name) for name, _ in rows)
        sys.stdout.write("".join(f"{name:<{width}}  {value}\n" for name, value in rows))
    return Exit.OK if said.get("accepting_requests") else Exit.INCOMPLETE


def _fetch(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    schemes = {"ws": "http", "wss": "https"}
    if parts.scheme not in schemes or not parts.netloc:
        raise RefusedError("URL", f"{url}: expected ws://… or wss://…")
    page = urlunsplit((schemes[parts.scheme], parts.netloc, "/health/status", "", ""))
    request = urllib.request.Request(page)  # noqa: S310 - http or https, see above
    if key := os.environ.get("STT_API_KEY"):
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            body = response.read()
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise RefusedError(f"HTTP {error.code}", page) from None
        body = error.read()
    except OSError as error:
        raise ConnectError(f"Cannot reach {page}: {getattr(error, 'reason', error)}") from None
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise ConnectError(f"{page} is not a page of Whisper STT")
    return said


def _rows(said: dict[str, Any], prefix: str = "") -> Any:
    for name, value in said.items():
        if isinstance(value, dict):
            yield from _rows(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value).lower() if isinstance(value, bool) else value
