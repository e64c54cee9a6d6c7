"""What clients' frames become: whole messages, in order, and the end of those that break the rules."""

import asyncio

import pytest
from websockets.frames import Frame, Opcode

from tests.ingress.wires import Application, Serving, Socket, fragments, turns
from transcription.ingress import server
from transcription.ingress.bodies import Inbox


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
async def serving(application: Application) -> Serving:
    return Serving(application)


def masked(frame: Frame) -> bytes:
    """As a client sends it."""
    return frame.serialize(mask=True)


@pytest.mark.parametrize("at_once", [1, 3, 7, 700, 100_000])
async def test_binary_messages_of_any_length_arrive_however_they_are_cut(
    serving: Serving, application: Application, at_once: int
) -> None:
    """Between texts, pings, and messages in several frames, too."""
    client = await Socket(serving).opened()
    sizes = [0, 1, 2, 3, 125, 126, 127, 639, 640, 641, server.SHORT - 1, server.SHORT, server.SHORT + 1, 65_536]
    noise = bytes(range(1, 252)) * 262
    said = [noise[:size] for size in sizes]
    whole = b"".join(
        masked(frame)
        for payload in said
        for frame in (
            Frame(Opcode.BINARY, payload),
            Frame(Opcode.TEXT, b"text"),
            Frame(Opcode.PING, b"ping"),
            *fragments(3, b"part"),
        )
    )
    for at in range(0, len(whole), at_once):
        client.wire.protocol.dataReceived(whole[at : at + at_once])
        if client.connection.inbox.is_full or at_once > 100:
            await turns()
    async with asyncio.timeout(30):
        while len(application.got) < 3 * len(said):
            await asyncio.sleep(0)

    assert application.payloads[::3] == [payload or None for payload in said]
    assert application.payloads[1::3] == ["text"] * len(said)
    assert application.payloads[2::3] == [b"partpartpart"] * len(said)
    assert [frame.opcode for frame in client.heard()] == [Opcode.PONG] * len(said)


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x82\x08unmasked",
        b"\x82\xfe\x00\x08\0\0\0\0not like",  # a length in two bytes that one would hold
        b"\xc2\x88\0\0\0\0reserved",
        b"\x80\x88\0\0\0\0goes on.",
        b"\x02\x84\0\0\0\0part\x82\x84\0\0\0\0anew",
    ],
)
async def test_frames_against_the_rules_end_the_connection(
    serving: Serving, application: Application, wrong: bytes
) -> None:
    client = await Socket(serving).opened()
    client.wire.protocol.dataReceived(wrong + bytes(100))
    await turns()
    client.heard()

    assert client.close_code == 1002
    assert application.got == []


async def test_a_message_longer_than_allowed_is_refused(serving: Serving, application: Application) -> None:
    """Also where a short one is."""
    serving.server.ws_factory.setProtocolOptions(maxMessagePayloadSize=500, maxFramePayloadSize=500)
    client = await Socket(serving).opened()
    client.say(bytes(500), bytes(501))
    await turns()
    client.heard()

    assert application.payloads[:1] == [bytes(500)]
    assert client.close_code == 1009


async def test_a_client_that_speaks_is_not_taken_for_gone(serving: Serving) -> None:
    """Its audio is as good as the answer to a ping."""
    client = await Socket(serving).opened()
    client.connection.autoPingTimeout = 15
    client.connection._sendAutoPing()
    waits = client.connection.autoPingTimeoutCall
    client.say(bytes(640))

    assert waits is not None
    assert client.connection.autoPingTimeoutCall is None
    client.leave()


async def test_connections_whose_messages_wait_take_turns() -> None:
    """Else one with many would be heard to its end first."""
    inboxes = [Inbox(lambda: None), Inbox(lambda: None)]
    for inbox in inboxes:
        for _ in range(5):
            inbox.put_nowait({"type": "websocket.receive", "text": ""})
    order: list[int] = []

    async def take(number: int) -> None:
        for _ in range(5):
            await inboxes[number].get()
            order.append(number)

    await asyncio.gather(take(0), take(1))

    assert order == [0, 1] * 5
