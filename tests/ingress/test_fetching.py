"""Recordings from elsewhere: which addresses are looked up, and which never are."""

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from transcription import addresses
from transcription.addresses import is_allowed
from transcription.ingress import fetching
from transcription.ingress.fetching import NotFetched, fetch

HERE = [ip_network("127.0.0.1/32")]


@pytest.mark.parametrize("address", ["8.8.8.8", "200.160.2.3", "2001:4860:4860::8888", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert is_allowed(address, [])


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1",
     "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe"],
)  # fmt: skip
def test_addresses_that_are_not(address: str) -> None:
    """Those in IPv6 that stand for such ones in IPv4 too."""
    assert not is_allowed(address, [])


def test_a_network_can_be_allowed() -> None:
    assert is_allowed("127.0.0.1", HERE)
    assert is_allowed("::ffff:127.0.0.1", HERE)
    assert not is_allowed("127.0.0.2", HERE)
    assert not is_allowed("::1", HERE)
    assert is_allowed("fd00::5", [ip_network("fd00::/8")])


class Elsewhere:
    """A server, what it was asked, and what names resolve to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        assert "Cookie" not in request.headers
        match request.path:
            case "/slow":
                response = web.StreamResponse()
                await response.prepare(request)
                await response.write(b"some")
                await asyncio.sleep(60)
                return response
            case "/cut":
                response = web.Response(body=b"some", headers={"Content-Length": "100"})
                await response.prepare(request)
                request.transport.close()
                return response
            case "/missing":
                raise web.HTTPNotFound
            case "/to":
                raise web.HTTPFound(request.query["url"])
            case "/round":
                raise web.HTTPFound("/round")
            case "/cookie":
                raise web.HTTPFound("/a", headers={"Set-Cookie": "a=b"})
        return web.Response(body=b"audio" * 100_000)


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    server = Elsewhere()
    application = web.Application()
    application.router.add_get("/{path}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def fetched(url: str, networks: Any = HERE) -> bytes:
    async with asyncio.timeout(20):
        return b"".join([piece async for piece in fetch(url, networks)])


@pytest.mark.parametrize("path", ["/a", "/to?url=/a", "/cookie"])
async def test_a_recording_is_had(elsewhere: Elsewhere, path: str) -> None:
    """Through redirects; no cookies are kept."""
    assert await fetched(elsewhere.url + path) == b"audio" * 100_000


async def test_nothing_is_asked_of_a_private_address(elsewhere: Elsewhere) -> None:
    with pytest.raises(NotFetched, match="expected a public address"):
        await fetched(f"{elsewhere.url}/a", [])

    assert elsewhere.asked == []


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "[::1]", "[::ffff:127.0.0.2]", "2130706434", "0x7f000002"])
async def test_a_redirect_is_no_way_around(elsewhere: Elsewhere, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the address is written; a name is looked at by what it resolves to."""
    port = elsewhere.url.rpartition(":")[2]
    resolve_to(monkeypatch, "127.0.0.2")
    with pytest.raises(NotFetched, match=r"public address|http:// or https://|cannot be connected"):
        await fetched(f"{elsewhere.url}/to?url=http://{host}:{port}/a")

    assert elsewhere.asked == ["/to"]


async def test_of_a_name_s_addresses_only_those_allowed_are_connected_to(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is resolved once: there is no second answer to be given."""
    connected: list[Any] = []
    made = addresses._Sockets.__call__

    def making(self: Any, info: Any) -> socket.socket:
        made_one = made(self, info)
        connected.append(info[4][0])
        return made_one

    monkeypatch.setattr(addresses._Sockets, "__call__", making)
    asked = resolve_to(monkeypatch, "127.0.0.3", "10.0.0.1", "127.0.0.1")
    port = elsewhere.url.rpartition(":")[2]

    assert await fetched(f"http://store.example:{port}/a")
    assert connected == ["127.0.0.1"]
    assert asked == ["store.example"]


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """What names resolve to from now on; the names that are asked for."""
    asked: list[str] = []

    async def resolve(self: Any, host: str, port: int = 0, family: int = 0) -> list[Any]:
        asked.append(host)
        return [
            {"hostname": host, "host": address, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for address in addresses
        ]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    return asked


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("{}/missing", "answered 404"),
        ("{}/round", "at most 5 redirects"),
        ("{}/to?url=file:///etc/passwd", "http:// or https://"),
        ("{}/cut", "broken off"),
        ("http://127.0.0.1:9/a", "cannot be connected to"),
        ("http://nobody.invalid/a", "name is not known"),
        ("http://", "http:// or https://"),
        ("http://a b/", "http:// or https://|not known"),
        ("{}/slow", "not answer in time"),
    ],
)
async def test_what_went_wrong_is_said(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.setattr(fetching, "SILENT_S", 0.2)
    with pytest.raises(NotFetched, match=message):
        await fetched(url.format(elsewhere.url))


async def test_a_plain_server_is_no_https(elsewhere: Elsewhere) -> None:
    with pytest.raises(NotFetched, match="cannot be connected to"):
        await fetched(elsewhere.url.replace("http:", "https:") + "/a")


async def test_who_stops_reading_stops_the_server(elsewhere: Elsewhere) -> None:
    """The connection is closed with the generator."""
    pieces = fetch(f"{elsewhere.url}/slow", HERE)
    async with asyncio.timeout(20):
        assert await anext(pieces) == b"some"
        await pieces.aclose()
