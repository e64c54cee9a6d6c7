"""What `GET /` answers, and to whom."""

from typing import Any

import pytest
import requests

from harness.stack import Stack

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"


def ask(stack: Stack, accept: str | None) -> requests.Response:
    headers: dict[str, Any] = {"Accept": accept}  # None: without one
    return requests.get(stack.http_url, headers=headers, timeout=10)


@pytest.mark.parametrize("accept", [FIREFOX, CHROME, "text/html"])
def test_browsers_get_the_page(echo_stack: Stack, accept: str) -> None:
    """HTML that may load and reach nothing but its own host."""
    response = ask(echo_stack, accept)
    policy = dict(rule.split(" ", 1) for rule in response.headers["Content-Security-Policy"].split("; "))
    host = echo_stack.http_url.removeprefix("http://")

    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Vary"] == "Accept"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == f"'self' ws://{host} wss://{host}"


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/plain", "text/html;q=0.5,application/json"])
def test_programs_get_service_info(echo_stack: Stack, accept: str | None) -> None:
    """JSON, whatever they accept short of preferring HTML."""
    response = ask(echo_stack, accept)

    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Vary"] == "Accept"
    assert response.json()["service"] == "whisper-stt"
    assert response.json()["auth"] == "off"


def test_scripts_are_served_as_scripts(echo_stack: Stack) -> None:
    """Browsers refuse modules of another type."""
    response = requests.get(f"{echo_stack.http_url}/static/transcription/main.js", timeout=10)

    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/javascript")
