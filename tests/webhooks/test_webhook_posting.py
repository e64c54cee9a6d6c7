"""One request to an endpoint, over real sockets: what is sent, and what is not."""

import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest

from tests.webhooks.receiver import Receiver
from transcription.core.webhooks import make_secret
from transcription.webhooks import posting
from transcription.webhooks.posting import post

HERE = [ip_network("127.0.0.1/32")]
SECRET = make_secret(b"s" * 32)
BODY = '{"type":"session.closed","data":"à"}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().listening() as receiver:
        yield receiver


async def sent(url: str, hosts: list[str] | None = None, networks: Any = HERE) -> str | None:
    return await post(url, SECRET, "msg_1", BODY, hosts=[url] if hosts is None else hosts, networks=networks)


async def test_what_is_sent_is_signed(receiver: Receiver) -> None:
    """Over these very bytes: a receiver's own code says so, and that of another secret, or body, does not."""
    assert await sent(f"{receiver.url}/hook?a=1") is None

    (told,) = receiver.taken
    assert (told.path, told.id, told.raw.decode()) == ("/hook?a=1", "msg_1", BODY)
    assert told.headers["content-type"] == "application/json"
    assert told.is_signed_with(SECRET)
    assert not told.is_signed_with(make_secret(b"t" * 32))


@pytest.mark.parametrize("status", [400, 401, 410, 429, 500, 503])
async def test_an_answer_that_is_not_2xx_is_told(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda told: (status, {})

    assert await sent(receiver.url) == f"it answered {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda told: (status, {"Location": f"{receiver.url}/elsewhere"})

    assert await sent(f"{receiver.url}/hook") == f"it answered {status}, and redirects are not followed"
    assert [told.path for told in receiver.told] == ["/hook"]


async def test_a_private_address_is_not_connected_to(receiver: Receiver) -> None:
    """Unless its network is allowed; that its host is does not do."""
    assert "its address is private" in (await sent(receiver.url, networks=[]) or "")
    assert receiver.told == []


async def test_what_a_name_resolves_to_is_looked_at_when_the_socket_is_made(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that first was public: resolved once, for this very connection."""
    asked: list[str] = []

    async def resolve(self: Any, host: str, port: int = 0, family: int = 0) -> list[Any]:
        asked.append(host)
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    why = await sent(f"http://hooks.example:{receiver.port}/", networks=[])

    assert "its address is private" in (why or "")
    assert (asked, receiver.told) == (["hooks.example"], [])


async def test_a_host_that_is_allowed_no_more_is_not_sent_to(receiver: Receiver) -> None:
    assert await sent(receiver.url, hosts=["hooks.example.com"]) == "its host is not among STT_WEBHOOK_HOSTS"
    assert receiver.told == []


async def test_who_is_slow_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "ANSWER_WITHIN_S", 0.2)
    over = threading.Event()
    receiver.answer = lambda told: (204, {}) if over.wait(30) else (500, {})

    assert await sent(receiver.url) == "no answer within 0.2 s"
    over.set()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9/", "it cannot be connected to"),
        ("http://nobody.invalid/", "its name is not known"),
        ("http://user:password@127.0.0.1:9/", "its address or its secret is none"),
    ],
)
async def test_what_went_wrong_is_told(url: str, why: str) -> None:
    assert await sent(url, hosts=["http://127.0.0.1:9", "http://nobody.invalid"]) == why


async def test_a_plain_server_is_no_https(receiver: Receiver) -> None:
    """Its certificate is looked at, too: nothing is sent before."""
    assert "does not speak TLS" in (await sent(receiver.url.replace("http:", "https:")) or "")
    assert receiver.told == []


async def test_a_secret_that_is_none_sends_nothing(receiver: Receiver) -> None:
    why = await post(receiver.url, "whsec_?", "msg_1", BODY, hosts=[receiver.url], networks=HERE)

    assert (why, receiver.told) == ("its address or its secret is none", [])
