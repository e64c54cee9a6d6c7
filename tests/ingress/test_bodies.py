"""Uploads are handed on as they come in: who is read from and when, and what becomes of an answer given early."""

import asyncio
from typing import Any

import pytest

from tests.ingress.wires import Serving, turns
from transcription.ingress import bodies
from transcription.ingress.bodies import INBOX_BYTES

HEAD = b"POST /stt/v1/audio/transcriptions?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


class Taking:
    """Takes messages when the test lets it, and answers when it is told."""

    def __init__(self) -> None:
        self.may, self.answers = asyncio.Semaphore(0), asyncio.Event()
        self.got: list[dict[str, Any]] = []
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        taking = asyncio.create_task(self._take(receive))
        await self.answers.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
        await taking

    async def _take(self, receive: Any) -> None:
        while not self.got or self.got[-1]["type"] != "http.disconnect":
            await self.may.acquire()
            self.got.append(await receive())


@pytest.fixture
async def taking() -> Taking:
    return Taking()


def let(taking: Taking, count: int) -> None:
    for _ in range(count):
        taking.may.release()


async def test_the_application_is_asked_before_the_body_is_there(taking: Taking) -> None:
    """And hears each piece; one connection serves several."""
    wire = Serving(taking).connect()
    let(taking, 9)
    for _ in range(2):
        taking.got.clear()
        taking.answers.clear()
        wire.protocol.dataReceived(HEAD % 6 + b"abc")
        await turns()
        early = list(taking.got)
        wire.protocol.dataReceived(b"def")
        taking.answers.set()
        await turns(20)

        assert [message["body"] for message in early] == [b"abc"]
        assert [message.get("body") for message in taking.got] == [b"abc", b"def", b"", None]
        assert [message["more_body"] for message in taking.got[:3]] == [True, True, False]
    assert taking.scopes[0]["path"] == "/stt/v1/audio/transcriptions"
    assert taking.scopes[0]["query_string"] == b"a=1"
    assert wire.value().count(b"\r\n\r\nok") == 2
    assert not wire.disconnecting


async def test_an_upload_is_read_no_faster_than_it_is_taken(taking: Taking) -> None:
    """Nor is a client idle that is not read from."""
    wire = Serving(taking).connect()
    wire.protocol.dataReceived(HEAD % (3 * INBOX_BYTES))
    for _ in range(4):
        wire.protocol.dataReceived(bytes(INBOX_BYTES // 4))
    await turns()
    paused, timeout = wire.producerState, wire.protocol._channel.timeOut
    let(taking, 4)
    await turns()

    assert (paused, timeout) == ("paused", None)
    assert wire.producerState == "producing"
    assert wire.protocol._channel.timeOut
    wire.protocol._channel.setTimeout(None)


async def test_a_client_that_hangs_up_is_told_of(taking: Taking) -> None:
    wire = Serving(taking).connect()
    let(taking, 9)
    wire.protocol.dataReceived(HEAD % 6 + b"abc")
    await turns()
    wire.protocol.connectionLost(asyncio.CancelledError())
    taking.answers.set()
    await turns()

    assert [message["type"] for message in taking.got] == ["http.request", "http.disconnect"]


@pytest.mark.parametrize("ends", [True, False], ids=["that ends", "that does not end"])
async def test_an_upload_that_is_answered_early_is_read_on_for_a_moment(
    taking: Taking, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    """The rest is thrown away, and the connection closed."""
    monkeypatch.setattr(bodies, "LINGER_S", 0.0 if not ends else 60.0)
    wire = Serving(taking).connect()
    wire.protocol.dataReceived(HEAD % (9 * INBOX_BYTES))
    taking.answers.set()
    await turns()
    for _ in range(3):
        wire.protocol.dataReceived(bytes(INBOX_BYTES))
    if ends:
        assert wire.producerState == "producing"
        assert not wire.disconnecting
        wire.protocol.dataReceived(bytes(6 * INBOX_BYTES))
    await asyncio.sleep(0.01)

    assert b"HTTP/1.1 200 OK" in wire.value()
    assert b"connection: close" in wire.value().lower()
    assert wire.value().endswith(b"ok")
    assert wire.disconnecting
    let(taking, 99)
    await turns()


async def test_a_handshake_is_none(taking: Taking) -> None:
    wire = Serving(taking).connect()
    wire.protocol.dataReceived(HEAD.replace(b"Host", b"Upgrade: websocket\r\nHost") % 6 + b"abcdef")
    await turns()

    assert taking.scopes == []
