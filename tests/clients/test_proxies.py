"""The way to the service: through proxies, around them, and what is said when there is none."""

import asyncio
import base64
import json
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import whisper_stt
from commands import command, started
from scripted_service import ScriptedService, one_utterance
from whisper_stt.proxies import proxy_for
from whisper_stt.session.address import Address

SECRET = "Zx9-sekret"
ELSEWHERE = "ws://stt.example:8000/ws/stt"
"""A name that is resolved by a proxy only."""


class Proxy:
    """An HTTP proxy that takes everybody to one service."""

    def __init__(self, service_port: int) -> None:
        self.asked: list[bytes] = []
        self.status = b"200 OK"
        self._service_port = service_port
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks.add(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        if head.startswith(b"GET"):
            body = json.dumps({"status": "ready", "accepting_requests": True}).encode()
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (self.status, len(body), body))
        else:
            writer.write(b"HTTP/1.1 %s\r\n\r\n" % self.status)
        if not head.startswith(b"CONNECT") or b"200" not in self.status:
            writer.close()
            return
        there, here = await asyncio.open_connection("127.0.0.1", self._service_port)
        await asyncio.gather(_pass(reader, here), _pass(there, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def proxy(service: ScriptedService) -> AsyncIterator[Proxy]:
    service.scripts = [one_utterance()]
    async with Proxy(int(service.url.split(":")[2].split("/")[0])) as proxy:
        yield proxy


def chosen(url: str, monkeypatch: pytest.MonkeyPatch, **env: str) -> str | None:
    for kind in ("ws", "wss", "socks", "http", "https", "all", "no"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind}_proxy".upper(), raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(Address(url).endpoint)
    return found and found.url


def test_which_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(url: str, **env: str) -> str | None:
        return chosen(url, monkeypatch, **env)

    assert of(ELSEWHERE) is None
    assert of(ELSEWHERE, http_proxy="http://p:3128") == "http://p:3128"
    assert of(ELSEWHERE, HTTP_PROXY="http://p:3128/") == "http://p:3128"
    assert of(ELSEWHERE, http_proxy="http://h:1", https_proxy="http://s:2") == "http://s:2"
    assert of(ELSEWHERE, https_proxy="http://s:2", socks_proxy="p") == "socks5h://p:1080"
    assert of(ELSEWHERE, socks_proxy="http://p:1081", ws_proxy="http://w:3") == "http://w:3"
    assert of(ELSEWHERE, socks_proxy="http://p:1081") == "socks5h://p:1081"
    assert of(ELSEWHERE, all_proxy="socks5://[::1]") == "socks5://[::1]:1080"
    assert of(ELSEWHERE, http_proxy="p:3128") == "http://p:3128"
    assert of("wss://stt.example/", http_proxy="http://p:3128") is None
    assert of("wss://stt.example/", https_proxy="https://a:b%40c@p", all_proxy="q") == "https://a:b%40c@p:443"
    assert of(ELSEWHERE, http_proxy="http://p:3128", no_proxy="example") is None
    assert of(ELSEWHERE, http_proxy="http://p:3128", NO_PROXY="*") is None
    for here in ("localhost", "127.0.0.1", "127.1.2.3", "[::1]", "stt.localhost"):
        assert of(f"ws://{here}:8000/", http_proxy="nonsense://p:3128", all_proxy="socks5://p") is None


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (f"nonsense://{SECRET}@p:3128", "another scheme"),
        (f"http://me:{SECRET}@p:0", "no port"),
        (f"http://me:{SECRET}@p:99999", "no port"),
        (f"http://me:{SECRET}@p:abc", "no port"),
        (f"http://me:{SECRET}@", "no host"),
        (f"http://me:{SECRET} @p", "a space"),
    ],
)
def test_proxy_that_is_none(value: str, what: str) -> None:
    for arguments in (["transcribe", "speech.wav"], ["mic"], ["status"], ["load", "speech.wav"]):
        told = command(*arguments, "--url", ELSEWHERE, env={"http_proxy": value})
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr.startswith("whisper-stt: The proxy of http_proxy ")
        assert what in told.stderr
        assert told.stderr.count("\n") == 1
        assert SECRET not in told.stderr


async def test_through_a_proxy(proxy: Proxy, service: ScriptedService, recording: Any) -> None:
    env = {"https_proxy": f"http://me:{SECRET}@127.0.0.1:{proxy.port}", "STT_URL": ELSEWHERE, "STT_API_KEY": "key"}
    assert await started("transcribe", "--no-times", recording, env=env) == (0, "olá mundo\n", "")
    credentials = base64.b64encode(f"me:{SECRET}".encode())
    assert proxy.asked[0].startswith(b"CONNECT stt.example:8000 ")
    assert b"Proxy-Authorization: Basic " + credentials in proxy.asked[0]
    assert service.headers[0]["Authorization"] == "Bearer key"

    code, out, err = await started("status", env=env)
    assert (code, err) == (0, "")
    assert "is ready: takes new sessions" in out
    assert proxy.asked[1].startswith(b"GET http://stt.example:8000/health/status ")
    assert b"Basic " + credentials in proxy.asked[1]


async def test_proxy_that_refuses(proxy: Proxy, recording: Any) -> None:
    proxy.status = b"407 Proxy Authentication Required"
    env = {"http_proxy": f"http://me:{SECRET}@127.0.0.1:{proxy.port}", "STT_URL": ELSEWHERE}
    for arguments in (["transcribe", recording], ["status"], ["load", "--duration", "1", recording]):
        code, _, err = await started(*arguments, env=env)
        assert code == 3
        assert f"through the proxy http://127.0.0.1:{proxy.port} (http_proxy)" in err
        assert "407" in err
        assert SECRET not in err


@pytest.mark.parametrize("value", ["http://127.0.0.1:9", f"http://me:{SECRET}@127.0.0.1:9", "socks5h://127.0.0.1:9"])
def test_proxy_that_is_not_there(value: str, recording: Any) -> None:
    for arguments in (["transcribe", recording], ["status"], ["load", "--duration", "1", recording]):
        told = command(*arguments, "--url", ELSEWHERE, env={"all_proxy": value})
        assert told.returncode == 3
        assert "127.0.0.1:9 (all_proxy)" in told.stderr
        assert SECRET not in told.stderr
        assert "Traceback" not in told.stderr


def test_socks_without_its_package(recording: Any) -> None:
    told = command("transcribe", "--url", ELSEWHERE, recording, env={"socks_proxy": "127.0.0.1:9"})
    assert told.returncode == 3
    assert "pip install 'python-socks[asyncio]'" in told.stderr


@pytest.mark.parametrize("arguments", [["transcribe", "speech.wav"], ["mic"], ["status"], ["load", "speech.wav"]])
def test_wrong_url_or_key(arguments: list[str]) -> None:
    for url in ("http://x", "ws://h:0", "ws://h:99999", "ws://h:abc", f"ws://me:{SECRET}@a..b", f"ws://{SECRET} @x"):
        told = command(*arguments, "--url", url)
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr.startswith("whisper-stt: The service's URL (STT_URL) ")
        assert SECRET not in told.stderr
    for key in (f"{SECRET}\n", f"{SECRET}\r", f"{SECRET}ключ", f"{SECRET}\udcff", f" {SECRET}"):
        told = command(*arguments, env={"STT_API_KEY": key})
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr.startswith("whisper-stt: The API key (STT_API_KEY) holds ")
        assert SECRET not in told.stderr


def test_what_was_typed_is_quoted_without_its_secrets() -> None:
    told = command("status", f"ws://me:{SECRET}@stt/ws/stt?token={SECRET}")
    assert told.returncode == 2
    assert "unrecognized arguments: ws://…@stt/ws/stt?…" in told.stderr
    assert SECRET not in told.stderr


async def test_library_tells_no_secret_whatever_fails(
    service: ScriptedService, caplog: pytest.LogCaptureFixture
) -> None:
    """In no message, cause or context, and no log, however much of it is wanted."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="whisper_stt.websocket")
    host = service.url.removeprefix("ws://")
    urls = [f"ws://me:{SECRET}@{host}?token={SECRET}", f"ws://me:{SECRET}@127.0.0.1:9/", f"wss://me:{SECRET}@{host}"]
    for url in urls:
        for api_key in (None, SECRET):
            service.statuses = [403]
            with pytest.raises(whisper_stt.WhisperSttError) as caught:
                async with whisper_stt.connect(url, api_key=api_key, timeout_s=2):
                    pass
            error: BaseException | None = caught.value
            while error:
                assert SECRET not in f"{error!r} {vars(error)}"
                assert "Basic bWU6" not in f"{error!r} {vars(error)}"
                error = error.__cause__ or error.__context__
            assert SECRET not in "".join(traceback.format_exception(caught.value)).replace("api_key=SECRET", "")
    assert SECRET not in "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")
    )
