"""Daphne's bounds: who is read from and when, what is held and how much, how handshakes and requests are refused."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

from tests.ingress.wires import Application, Serving, Socket, Wire, fragments, turns
from transcription import metrics
from transcription.ingress import bodies, draining, server
from transcription.ingress.bodies import INBOX_BYTES, INBOX_MESSAGES, MAX_BODY_BYTES, Inbox
from transcription.ingress.server import PIECES


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
async def serving(application: Application) -> Serving:
    return Serving(application)


def test_an_inbox_is_full_by_messages_or_by_bytes_and_asks_for_more_when_half_of_it_is_free() -> None:
    asked = list[int]()
    inbox = Inbox(lambda: asked.append(inbox.qsize()))
    for number in range(INBOX_MESSAGES):
        assert not inbox.is_full
        inbox.put_nowait({"type": "websocket.receive", "text": str(number)})
    full = inbox.is_full
    taken = [inbox.get_nowait()["text"] for _ in range(INBOX_MESSAGES)]
    inbox.put_nowait({"type": "websocket.receive", "bytes": bytes(INBOX_BYTES)})

    assert full
    assert taken == [str(number) for number in range(INBOX_MESSAGES)]
    assert asked == [*range(INBOX_MESSAGES // 2, -1, -1)]
    assert inbox.is_full


async def test_frames_go_in_and_out(serving: Serving, application: Application) -> None:
    """With buffers of the kernel's that hold no minutes of audio."""
    client = await Socket(serving, "/ws/stt?a=1").opened()
    client.say(b"pcm", "text", b"")
    await turns()
    await application.send({"type": "websocket.send", "text": "olá"})
    await application.send({"type": "websocket.send", "bytes": b"x"})

    assert application.payloads == [b"pcm", "text", b"" or None]
    assert [bytes(frame.data) for frame in client.heard()] == ["olá".encode(), b"x"]
    assert application.scopes[0]["query_string"] == b"a=1"
    assert client.wire.handle.set == {socket.SO_RCVBUF: server.SOCKET_BYTES, socket.SO_SNDBUF: server.SOCKET_BYTES}


@pytest.mark.parametrize(
    ("count", "size", "most"), [(1_000, 2, INBOX_MESSAGES), (40, 32_000, INBOX_BYTES // 32_000 + 1)]
)
async def test_a_client_is_read_from_no_faster_than_it_is_served(
    serving: Serving, application: Application, count: int, size: int, most: int
) -> None:
    """However much comes in one piece: so much waits, the rest where it came from; all of it arrives, in order."""
    client = await Socket(serving).opened()
    application.reads.clear()
    await turns()
    pauses = metrics.input_pauses_total._value.get()
    frames = [number.to_bytes(2, "big") * (size // 2) for number in range(count)]
    client.say(*frames)
    await turns(100)
    waiting, read = client.connection.inbox.qsize(), client.is_read
    application.reads.set()
    async with asyncio.timeout(5):
        while len(application.got) < count:
            await asyncio.sleep(0)

    assert waiting <= most
    assert not read
    assert metrics.input_pauses_total._value.get() > pauses
    assert application.payloads == frames
    await turns()
    assert client.is_read


async def test_a_connection_with_much_to_take_gives_others_their_turn(
    serving: Serving, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10,000 frames may come in one read."""
    monkeypatch.setattr(bodies, "INBOX_MESSAGES", 10_000)
    client = await Socket(serving).opened()
    client.say(*[b"x"] * 500)
    at_once = client.connection.inbox.qsize()
    await turns(600)

    assert at_once <= server.STEPS_A_TURN
    assert len(application.got) == 500


async def test_a_message_in_many_pieces_is_kept_in_few(serving: Serving, application: Application) -> None:
    """Frames without content take memory too; what they say is not changed."""
    client = await Socket(serving).opened()
    pieces = fragments(3 * PIECES, b"a")
    for piece in pieces[:-1]:
        client.say(piece)
        await turns(3)
    kept = len(client.connection.message_data)
    client.say(pieces[-1])
    await turns(20)

    assert kept <= PIECES + 1
    assert application.payloads == [b"a" * 3 * PIECES]


async def test_frames_wait_for_a_client_that_reads_slowly(serving: Serving, application: Application) -> None:
    """In order, and go out when there is room again; new ones do not overtake them."""
    client = await Socket(serving).opened()
    client.connection.pauseProducing()
    for text in ("one", "two"):
        await application.send({"type": "websocket.send", "text": text})
    before = client.heard()
    client.connection.resumeProducing()
    await application.send({"type": "websocket.send", "text": "three"})

    assert before == []
    assert [bytes(frame.data) for frame in client.heard()] == [b"one", b"two", b"three"]


async def test_a_client_that_does_not_read_is_given_up(
    serving: Serving, application: Application, settings: Settings
) -> None:
    """Its application hears once that it is gone; nothing is held for it any more."""
    settings.STT = django_settings.STT.model_copy(update={"max_unsent_bytes": 1_000})
    slow = metrics.slow_readers_total._value.get()
    client = await Socket(serving).opened()
    client.connection.pauseProducing()
    for _ in range(30):
        await application.send({"type": "websocket.send", "text": "x" * 100})
    await turns()
    client.say("still there")
    client.connection.resumeProducing()
    client.heard()
    client.leave()
    await turns()

    assert [message["type"] for message in application.got] == ["websocket.disconnect"]
    assert application.got[0]["code"] == client.close_code == 1013
    assert metrics.slow_readers_total._value.get() == slow + 1


@pytest.mark.parametrize("code", [1000, 1008, 1011, 1012, 4000])
async def test_a_connection_is_closed_with_any_code(serving: Serving, application: Application, code: int) -> None:
    """What is sent after it is nothing's fault."""
    client = await Socket(serving).opened()
    await application.send({"type": "websocket.close", "code": code})
    await application.send({"type": "websocket.send", "text": "too late"})
    heard = client.heard()

    assert client.close_code == code
    assert [frame.opcode.name for frame in heard] == ["CLOSE"]


@pytest.mark.parametrize(("reason", "told"), [("Full", "Full"), ("é" * 100, "é" * 61), ("", "")])
async def test_a_connection_is_closed_with_a_reason(
    serving: Serving, application: Application, reason: str, told: str
) -> None:
    """As much of it as a close frame takes, in whole characters."""
    client = await Socket(serving).opened()
    await application.send({"type": "websocket.close", "code": 1013, "reason": reason})
    (frame,) = client.heard()

    assert frame.data == (1013).to_bytes(2, "big") + told.encode()


async def test_a_client_that_is_gone_is_told_of_and_sent_nothing(serving: Serving, application: Application) -> None:
    client = await Socket(serving).opened()
    client.say(b"last words")
    client.leave()
    await turns()
    await application.send({"type": "websocket.send", "text": "nobody hears"})

    assert [message["type"] for message in application.got] == ["websocket.receive", "websocket.disconnect"]


async def answered(serving: Serving, request: bytes) -> tuple[Wire, bytes]:
    wire = serving.connect()
    wire.protocol.dataReceived(request)
    await turns(20)
    return wire, wire.value()


UPGRADE = (
    b"GET %s HTTP/1.1\r\nHost: stt.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def test_a_handshake_is_refused_as_the_application_says() -> None:
    """Status, headers and body; the connection ends. It had the extension offered."""
    offered = list[dict[str, Any]]()

    async def refuse(scope: dict[str, Any], receive: Any, send: Any) -> None:
        offered.append(scope["extensions"])
        await receive()
        headers = [(b"content-length", b"2"), (b"retry-after", b"7")]
        await send({"type": "websocket.http.response.start", "status": 429, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    serving = Serving(refuse)
    wire, answer = await answered(serving, UPGRADE % b"/ws/stt?token=hunter2")

    assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\nretry-after: 7\r\n")
    assert answer.endswith(b"\r\n\r\nno")
    assert wire.disconnecting
    assert "websocket.http.response" in offered[0]
    assert "WSREJECT /ws/stt" in serving.log.getvalue()
    assert "hunter2" not in serving.log.getvalue()


@pytest.mark.parametrize("reason", ["too many", "stopping"])
async def test_a_server_that_is_full_or_stops_refuses_the_handshake(
    serving: Serving, application: Application, reason: str
) -> None:
    """Before anybody is asked; the application does not hear of it, nor of its end."""
    if reason == "too many":
        serving.server.max_connections = 0
    else:
        draining.began.set()
    try:
        wire, answer = await answered(serving, UPGRADE % b"/ws/stt")
        wire.protocol.connectionLost(SimpleNamespace(value=None))
    finally:
        draining.began.clear()

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert application.scopes == []
    assert all("disconnected" in details for details in serving.server.connections.values())


async def test_head_is_answered_without_a_body(serving: Serving, application: Application) -> None:
    _, answer = await answered(serving, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    _, whole = await answered(serving, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length: 4" in answer.lower()
    assert whole.endswith(b"\r\n\r\nabcd")


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"Transfer-Encoding: chunked\r\n\r\n" + b"80000\r\n%s\r\n" % bytes(0x80000) * 3,
    ],
    ids=["announced", "in chunks"],
)
async def test_a_body_too_long_is_refused_before_it_is_there(
    serving: Serving, application: Application, rest: bytes
) -> None:
    wire, answer = await answered(serving, b"POST / HTTP/1.1\r\nHost: x\r\n" + rest)

    assert answer == b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert wire.disconnecting
    assert application.scopes == []


async def test_the_access_log_names_no_key(serving: Serving) -> None:
    await answered(serving, b"GET /x?token=hunter2&a=b HTTP/1.1\r\nHost: x\r\n\r\n")
    client = await Socket(serving, "/ws/stt?token=hunter2").opened()
    client.leave()
    lines = serving.log.getvalue()

    assert "GET /x?token=***&a=b" in lines
    assert "WSCONNECT /ws/stt" in lines
    assert "hunter2" not in lines


async def test_a_stop_waits_for_sessions_and_then_tells_those_that_are_left(
    serving: Serving, application: Application, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those without one too; a second signal is the end of the wait."""
    settings.STT = django_settings.STT.model_copy(update={"drain_s": 60})
    monkeypatch.setattr(server, "POLL_S", 0.001)
    monkeypatch.setattr(server, "CLOSE_WITHIN_S", 0.05)
    monkeypatch.setattr(draining, "sessions", {"uid"})
    monkeypatch.setattr(draining, "began", asyncio.Event())
    await Socket(serving).opened()
    serving.server._asked_to_stop()
    await asyncio.sleep(0.02)
    early = list(application.got)
    serving.server._asked_to_stop()
    await asyncio.wait_for(serving.server._drained, 5)

    assert draining.began.is_set()
    assert early == []
    assert application.got == [{"type": draining.STOP}]
    assert serving.server.abort_start


async def test_a_stop_without_sessions_is_at_once(
    serving: Serving, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STT = django_settings.STT.model_copy(update={"drain_s": 60})
    monkeypatch.setattr(draining, "began", asyncio.Event())
    serving.server._asked_to_stop()
    await asyncio.wait_for(serving.server._drained, 5)

    assert serving.server.abort_start
