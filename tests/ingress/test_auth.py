"""Who may connect, as far as it needs no database: origins, where tokens are found, what goes on and into the logs."""

import logging
from typing import Any

import pytest
from django.test import override_settings

from transcription.ingress import auth
from transcription.ingress.redaction import Brief, Redactor, redacted
from transcription.keys import access

TOKEN = "stt_0123456789ab_" + "Zz09-_" * 7 + "Q"


def scope(subprotocols: list[str] | None = None, query: bytes = b"", **headers: str) -> dict[str, Any]:
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"headers": given, "subprotocols": subprotocols or [], "query_string": query, "path": "/ws/stt"}


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("", "stt.example.com", True),
        ("https://stt.example.com", "stt.example.com", True),
        ("HTTPS://STT.example.com", "stt.Example.com", True),
        ("https://stt.example.com", "stt.example.com:443", True),
        ("http://stt.example.com:8000", "stt.example.com:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://stt.example.com:8000", "stt.example.com:8001", False),
        ("https://stt.example.com", "stt.example.com:80", False),
        ("https://stt.example.com.evil.example", "stt.example.com", False),
        ("https://evil.example", "stt.example.com", False),
        ("https://stt.example.com@evil.example", "stt.example.com", False),
        ("https://evil.example@stt.example.com", "stt.example.com", False),
        ("https://stt.example.com:x", "stt.example.com", False),
        ("null", "stt.example.com", False),
        ("null", "", False),
        ("https://stt.example.com", "", False),
        ("https://evil.example", "evil.example", False),
        ("http://10.1.2.3:8000", "10.1.2.3:8000", True),
        ("http://[::2]:8000", "[::2]:8000", True),
        ("http://whisper-stt:8000", "whisper-stt:8000", True),
        ("http://whisper-stt:8000", "other:8000", False),
        ("file://", "", False),
        ("https://app.example.com", "stt.example.com", True),
        ("https://app.example.com:8443", "stt.example.com", False),
        ("http://app.example.com", "stt.example.com", False),
    ],
)
def test_pages_connect_from_this_host_or_a_listed_origin(origin: str, host: str, allowed: bool) -> None:
    """Of a host that is served here: DNS may point any name at us."""
    with override_settings(ALLOWED_HOSTS=["stt.example.com", "[::1]"]):
        assert auth.origin_allowed(origin, host, ["https://app.example.com"]) is allowed
    assert auth.origin_allowed(origin, host, ["*"])


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (scope(), ""),
        (scope(authorization="Bearer  k "), "k"),
        (scope(authorization="bearer k"), "k"),
        (scope(authorization="Basic k"), ""),
        (scope(authorization="Bearer "), ""),
        (scope(["whisper-stt", "bearer.k"]), "k"),
        (scope(["whisper-stt"]), ""),
        (scope(["bearer.a"], authorization="Bearer k"), "k"),
        (scope(["bearer.k"], b"token=a"), "k"),
        (scope(authorization="Basic YXN0ZXJpc2s6azpr"), "k:k"),
        (scope(["bearer.k"], authorization="basic YXN0ZXJpc2s="), "k"),
        (scope(["bearer.k"], authorization="Basic %"), "k"),
        (scope(["bearer.k"], authorization="Basic /w=="), "k"),
        (scope(query=b"a=b&token=k"), "k"),
        (scope(query=b"token=\xff%zz"), "ÿ%zz"),
    ],
)
def test_a_token_is_found_where_clients_may_put_it(given: dict[str, Any], found: str) -> None:
    """Header, subprotocol, URL: in this order; the URL only if wanted."""
    assert auth.presented(given, query=True) == found
    if given["query_string"]:
        assert auth.presented(given, query=False) != found or "bearer" in str(given["subprotocols"])


def test_what_goes_on_has_no_token() -> None:
    """Nothing inside could log it."""
    given = scope(["bearer.k"], b"token=k", authorization="Bearer k", sec_websocket_protocol="bearer.k", host="h")

    assert auth.cleaned(given) == scope(host="h")


def test_keys_are_kept_as_their_sha_256() -> None:
    """What `printf stt | sha256sum` says."""
    assert access.digest("stt") == "f9eec27ab16bee422cce7c485214abaed07ba27d1c164ae0b0af04c036042358"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"a {TOKEN} b", "a stt_0123456789ab_*** b"),
        ("GET /x?token=hunter2&a=b", "GET /x?token=***&a=b"),
        ("GET /x?a=b&token=hunter2 HTTP/1.1", "GET /x?a=b&token=*** HTTP/1.1"),
        ("GET /v1/listen?keyterm=Ana&keyterm=Jos%C3%A9&model=x", "GET /v1/listen?keyterm=***&keyterm=***&model=x"),
        (
            "/v1/listen?keywords=Ana:2&a=b /v1/asterisk?keyterms=Ana",
            "/v1/listen?keywords=***&a=b /v1/asterisk?keyterms=***",
        ),
        (f"bearer.{TOKEN}", "bearer.stt_0123456789ab_***"),
        ("stt_sessions_active 3", "stt_sessions_active 3"),
    ],
)
def test_logs_show_how_a_key_begins_and_no_more(text: str, shown: str) -> None:
    """Whoever writes it."""
    assert redacted(text) == shown


def test_tracebacks_are_redacted_too() -> None:
    """The finished line."""
    with pytest.raises(ValueError, match="stt_") as failure:
        int(TOKEN)
    record = logging.makeLogRecord({"msg": "failed", "exc_info": failure._excinfo})
    line = Redactor().format(record)

    assert "stt_0123456789ab_***" in line
    assert TOKEN not in line


def test_a_brief_line_has_neither_a_traceback_nor_a_second_line() -> None:
    """What a client sends by mistake fills no log."""
    with pytest.raises(ValueError, match="stt_") as failure:
        int(TOKEN)
    record = logging.makeLogRecord({"msg": f"refused {TOKEN}\nand more", "exc_info": failure._excinfo})

    assert Brief().format(record) == "refused stt_0123456789ab_***"
