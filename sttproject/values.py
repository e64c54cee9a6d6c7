"""What settings may be beyond their types. Each takes a value and gives it as it is kept, or raises `ValueError`."""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dj_database_url

from sttproject import redis_server
from transcription.core import webhooks
from transcription.core.hearing import MOST_LANGUAGES
from transcription.core.languages import normalise_language
from transcription.core.paths import is_own, is_prefix


def origins(value: list[str]) -> list[str]:
    """Origins of pages, as browsers write them: without the scheme's own port."""
    if not all(re.fullmatch(r"\*|null|file://|[A-Za-z][A-Za-z0-9+.-]*://[^/\s*]+", origin) for origin in value):
        raise ValueError("expected whole origins such as https://app.example.com, file://, null, or *")
    return [re.sub(r"^(http://.*):80$|^(https://.*):443$", r"\1\2", origin.lower()) for origin in value]


HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?|\[[0-9A-Fa-f:.]+\]"
"""A host's name or address, as URLs have it."""


def allowed_hosts(value: list[str]) -> list[str]:
    """Host names as Django compares them: without a port."""
    if not value or not all(re.fullmatch(rf"\*|\.?(?:{HOST})", host) for host in value):
        raise ValueError("expected host names without a scheme or port: stt.example.com, .example.com, or *")
    return value


def webhook_hosts(value: list[str]) -> list[str]:
    """Hosts that webhooks may be at."""
    for one in value:
        if not re.fullmatch(rf"(?:https?://)?(?:\*\.)?(?:{HOST})(?::[0-9]+)?/?", one, re.IGNORECASE):
            raise ValueError("expected hosts such as hooks.example.com, *.example.com or http://crm.internal:8080")
        webhooks.origin(one)
    return value


def web_address(value: str) -> str:
    """Where requests are sent, or nowhere."""
    if value and not re.fullmatch(r"https?://[^\s\"']+", value, re.IGNORECASE):
        raise ValueError("expected an address such as http://collector:4318")
    return value


def database_url(value: str) -> str:
    """Where an SQLite file or a server is. What is wrong is not shown: it may hold a password."""
    try:
        named = dj_database_url.parse(value)
    except ValueError:
        named = {}
    if named.get("NAME", ":memory:") == ":memory:":  # which is each process's own
        raise ValueError(
            "expected sqlite:////path/to/file or postgres://user:password@host:5432/name; " + redis_server.ESCAPES
        )
    return value


def token(value: str) -> str:
    """What clients send in a header, or nothing: of other characters each has its own encoding."""
    if not re.fullmatch(r"[!-~]*", value):
        raise ValueError("expected ASCII letters, digits and signs without spaces, such as openssl rand -hex 32 prints")
    return value


def secret_key(value: str) -> str:
    """What cookies are signed with."""
    if not value:
        raise ValueError("expected a long random string, such as openssl rand -hex 32 prints")
    return value


def redis_url(value: str) -> str:
    """Where a server of Redis' protocol is."""
    redis_server.at(value)
    return value


def path_prefix(value: str) -> str:
    """The path of a shared host, or none."""
    if value and is_own(value):
        raise ValueError("expected a path that none of the service's own begins with, such as /stt")
    if value and not is_prefix(value):
        raise ValueError("expected at most 128 characters and eight names, none of them . or ..")
    return value


def time_zone(value: str) -> str:
    """A name of the tz database."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):  # a path, a directory, a name that there is not
        raise ValueError("expected a name of the tz database such as America/Sao_Paulo or UTC") from None
    return value


def language(value: str) -> str:
    """A language that Whisper knows, by its code there."""
    known = normalise_language(value)
    if known is None:
        raise ValueError("expected a Whisper language code such as pt")
    return known


def languages(value: list[str]) -> list[str]:
    """Those that it may be where it is found out."""
    if not 2 <= len(value) <= MOST_LANGUAGES:
        raise ValueError(f"expected 2 to {MOST_LANGUAGES} Whisper language codes such as pt,es,en")
    return [language(code) for code in value]
