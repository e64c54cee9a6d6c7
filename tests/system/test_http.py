"""The pages as proxies, probes and old clients ask for them: methods, hosts, a path of a shared host."""

import http.client
import json
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import websockets

from harness.processes import free_port
from harness.stack import ECHO, Stack
from harness.waiting import until
from launcher.supervisor import Child, stop

PROBES = ["/health/live", "/health/startup", "/health/ready", "/health/status", "/metrics"]
FOREIGN = ["127.0.0.1:8000", "10.1.2.3:8000", "localhost", "whisper-web.stt.svc:8000", "[::1]:8000", "other.example"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service that is told its name."""
    directory = tmp_path_factory.mktemp("http")
    with Stack(directory, ECHO | {"ALLOWED_HOSTS": "stt.example.com"}) as stack:
        stack.start_worker()
        stack.start_web()
        yield stack


def ask(stack: Stack, method: str, path: str, **headers: str) -> requests.Response:
    named = {"Host": "stt.example.com"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, stack.http_url + path, headers=named, timeout=10, allow_redirects=False)


@pytest.mark.parametrize("host", FOREIGN)
def test_probes_answer_by_whatever_name(stack: Stack, host: str) -> None:
    """A kubelet's, a scraper's; the page does not."""
    assert {ask(stack, "GET", path, Host=host).status_code for path in PROBES} == {200}
    assert ask(stack, "GET", "/", Host=host).status_code == 400


def test_head_has_no_body_and_the_connection_stays_good(stack: Stack) -> None:
    """However long the page is: the second answer on the connection is the second request's."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.ports[0], timeout=10)
    headers = {"Host": "stt.example.com"}
    for path in [*PROBES, "/", "/static/transcription/main.js", "/admin/login/", "/nothing"]:
        connection.request("HEAD", path, headers=headers)
        head = connection.getresponse()
        assert head.read() == b""
        connection.request("GET", "/health/live", headers=headers)
        assert json.loads(connection.getresponse().read()) == {"status": "alive"}
    connection.close()


async def in_pieces(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI application whose answer comes in pieces, as Django's does above 64 KiB."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    for piece in (b"ab", b"cd", b"ef"):
        await send({"type": "http.response.body", "body": piece, "more_body": piece != b"ef"})


def test_head_has_no_body_in_any_piece(stack: Stack) -> None:
    port = free_port()
    command = ["sttproject.daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port), f"{__name__}:in_pieces"]
    child = Child("pieces", [sys.executable, "-m", *command], stack.env)
    try:
        until(lambda: requests.get(f"http://127.0.0.1:{port}/", timeout=2).text == "abcdef", "the server")
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: raw.recv(65_536), b""))
    finally:
        stop([child], 5.0)

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.endswith(b"\r\n\r\n")
    assert b"cd" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FOO"])
def test_other_methods_are_told_which_there_are(stack: Stack, method: str) -> None:
    """Not a page about forms."""
    for path in [*PROBES, "/"]:
        response = ask(stack, method, path)

        assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/ws/stt", "/ws/stt/", "/ws/admin/live"])
def test_a_socket_s_path_wants_a_handshake(stack: Stack, path: str) -> None:
    response = ask(stack, "GET", path)

    assert (response.status_code, response.headers["Upgrade"]) == (426, "websocket")


def test_under_a_path_all_links_and_addresses_have_it(stack: Stack) -> None:
    """As the proxy says, which strips it; the admin too."""
    info = ask(stack, "GET", "/", X_Forwarded_Prefix="/stt").json()
    page = ask(stack, "GET", "/", X_Forwarded_Prefix="/stt", Accept="text/html")
    login = ask(stack, "GET", "/admin/", X_Forwarded_Prefix="/stt")

    assert (info["websocket"], info["metrics"], info["health"][0]) == (
        "/stt/ws/stt",
        "/stt/metrics",
        "/stt/health/live",
    )
    assert 'data-websocket="/stt/ws/stt"' in page.text
    assert 'src="/stt/static/transcription/main.js"' in page.text
    assert 'href="/stt/admin/"' in page.text
    assert not [link for link in ('="/static', '="/admin', '="/health', '="/metrics') if link in page.text]
    assert "X-Forwarded-Prefix" in page.headers["Vary"]
    assert login.headers["Location"] == "/stt/admin/login/?next=/stt/admin/"
    assert ask(stack, "GET", "/stt/static/transcription/main.js", X_Forwarded_Prefix="/stt").status_code == 200


def test_a_redirect_under_a_path_is_not_kept_for_others(stack: Stack) -> None:
    """It has the proxy's path in it."""
    under, plain = ask(stack, "GET", "/admin", X_Forwarded_Prefix="/stt"), ask(stack, "GET", "/admin")

    assert (under.status_code, under.headers["Location"]) == (301, "/stt/admin/")
    assert "X-Forwarded-Prefix" in under.headers["Vary"]
    assert "X-Forwarded-Prefix" not in plain.headers.get("Vary", "")


def test_cookies_are_of_the_path_alone(stack: Stack) -> None:
    """Other services on the host neither get them nor set them."""
    with stack.another_web(STT_PATH_PREFIX="/a/stt") as (_, url):
        base = url.replace("ws:", "http:").removesuffix("/ws/stt") + "/a/stt"
        login = requests.get(f"{base}/admin/login/", headers={"Host": "stt.example.com"}, timeout=10)

    assert [cookie.path for cookie in login.cookies] == ["/a/stt/"]


async def test_under_a_path_the_socket_opens(stack: Stack) -> None:
    """Whether the proxy strips the prefix or not."""
    port = stack.ports[0]
    for path in ("/ws/stt", "/a/stt/ws/stt"):
        headers = {"X-Forwarded-Prefix": "/a/stt"}
        async with websockets.connect(f"ws://127.0.0.1:{port}{path}", additional_headers=headers) as socket:
            await socket.send('{"type": "start_session"}')
            assert json.loads(await socket.recv())["type"] == "session_started"


async def test_a_program_s_own_origin_gets_in_by_address(stack: Stack) -> None:
    """As some libraries send it; a page's of elsewhere does not, and is told what to set."""
    address = f"127.0.0.1:{stack.ports[0]}"
    async with websockets.connect(f"ws://{address}/ws/stt", origin=f"http://{address}"):
        pass
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"ws://{address}/ws/stt", origin="https://evil.example")

    assert refused.value.response.status_code == 403
    assert "STT_ALLOWED_ORIGINS" in json.loads(refused.value.response.body)["error"]
