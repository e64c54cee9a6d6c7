"""A key that comes in a message: who gets in with it, how the others are closed, and what is heard of it inside."""

import asyncio
import json
from collections import deque
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from transcription.core.dialects.twilio import take_key
from transcription.ingress import keys_within
from transcription.ingress.keys_within import KeysWithin

CONNECT, GONE = {"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}
LONG = {"type": "websocket.receive", "text": " " * (keys_within.MOST_BYTES + 1)}
CONNECTED = {"type": "websocket.receive", "text": '{"event": "connected"}'}


def start(**parameters: str) -> dict[str, Any]:
    message = {"event": "start", "start": {"callSid": "CA1", "customParameters": parameters}}
    return {"type": "websocket.receive", "text": json.dumps(message)}


class Door:
    """The middleware, with a gate behind it that lets one key in, and hears all that comes."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = deque(messages)
        self.sent: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []
        self.scope: dict[str, Any] | None = None
        self.denies: tuple[int, str] | None = None

    async def _gate(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scope = scope
        self.heard.append(await receive())
        if self.denies:
            status, error = self.denies
            await send({"type": "websocket.http.response.start", "status": status, "headers": []})
            body = json.dumps({"status": status, "error": error}).encode()
            await send({"type": "websocket.http.response.body", "body": body})
            return
        await send({"type": "websocket.accept", "subprotocol": None})
        while self.heard[-1] != GONE:
            self.heard.append(await receive())
        await send({"type": "websocket.send", "text": "hello"})

    async def _receive(self) -> dict[str, Any]:
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.popleft()

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def knock(self, **headers: str) -> "Door":
        scope = {
            "type": "websocket", "query_string": b"", "subprotocols": [],
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        door = KeysWithin(self._gate, take_key, "the parameter api_key")
        await door(scope, self._receive, self._send)
        return self

    @property
    def authorization(self) -> list[bytes]:
        return [value for name, value in self.scope["headers"] if name == b"authorization"]


@pytest.fixture(autouse=True)
def required(settings: Settings) -> None:
    settings.STT = settings.STT.model_copy(update={"auth": "required", "start_timeout_s": 0.05})


async def test_a_key_in_the_start_is_the_handshake_s() -> None:
    """What was said before it is heard after it, the key is in nothing; the socket is accepted once."""
    door = await Door(CONNECT, CONNECTED, start(api_key="stt_secret", a="b"), GONE).knock()

    assert door.authorization == [b"Bearer stt_secret"]
    assert door.heard == [CONNECT, CONNECTED, {**start(a="b"), "text": door.heard[2]["text"]}, GONE]
    assert json.loads(door.heard[2]["text"]) == json.loads(start(a="b")["text"])
    assert [message["type"] for message in door.sent] == ["websocket.accept", "websocket.send"]


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [(401, "The API key is not valid", 1008), (403, "Origin", 1008), (503, "API keys cannot be checked now", 1013)],
)
async def test_a_denial_is_a_close_that_says_why(status: int, error: str, code: int) -> None:
    door = Door(CONNECT, start(api_key="bad"))
    door.denies = (status, error)
    await door.knock()

    assert door.sent[1:] == [{"type": "websocket.close", "code": code, "reason": error}]


@pytest.mark.parametrize(
    "messages", [[start()], [], [CONNECTED] * keys_within.MOST_WAITING, [LONG, start(api_key="k")]]
)
async def test_without_a_key_it_is_said_where_one_is_expected(messages: list[dict[str, Any]]) -> None:
    """None in the start, no start in time, anything but a start, more than a start can be."""
    door = Door(CONNECT, *messages)
    door.denies = (401, "Expected an API key: Authorization")
    await door.knock()

    assert door.authorization == []
    assert door.sent[-1] == {
        "type": "websocket.close", "code": 1008, "reason": "Expected an API key: the parameter api_key",
    }  # fmt: skip


async def test_audio_is_no_key() -> None:
    """A binary frame has no text."""
    door = await Door(CONNECT, {"type": "websocket.receive", "bytes": b"x"}, start(api_key="k"), GONE).knock()

    assert door.authorization == [b"Bearer k"]


async def test_one_that_goes_before_its_key_is_not_asked_about() -> None:
    door = await Door(CONNECT, CONNECTED, GONE).knock()

    assert door.scope is None
    assert [message["type"] for message in door.sent] == ["websocket.accept"]


async def test_a_key_in_the_handshake_is_as_good() -> None:
    """Then a refusal can be told before the upgrade."""
    door = await Door(CONNECT, GONE).knock(authorization="Bearer k")

    assert door.heard == [CONNECT, GONE]
    assert [message["type"] for message in door.sent] == ["websocket.accept", "websocket.send"]


async def test_where_none_is_needed_none_is_waited_for(settings: Settings) -> None:
    settings.STT = settings.STT.model_copy(update={"auth": "off"})
    door = await Door(CONNECT, GONE).knock()

    assert door.heard == [CONNECT, GONE]
    assert door.authorization == []
