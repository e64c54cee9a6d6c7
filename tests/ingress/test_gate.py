"""The door before the consumer: who gets in with what, and how the others are refused. Keys are in memory here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

from transcription import metrics
from transcription.audit.records import Record
from transcription.ingress import runtime
from transcription.ingress.auth import Gate
from transcription.ingress.mailbox import QueueAwayError
from transcription.keys.access import Key
from transcription.keys.keyring import KeysUnavailableError

KEY = Key("7", "ana", None, None)
REJECTING: dict[str, Any] = {"websocket.http.response": {}}


class Ring:
    """Knows one key; keeps who is connected under it."""

    def __init__(self) -> None:
        self.available = True
        self.held: list[Key] = []
        self.asked: list[str] = []

    async def find(self, token: str) -> Key | None:
        self.asked.append(token)
        if not self.available:
            raise KeysUnavailableError("down")
        return KEY if token == "good" else None

    @contextmanager
    def holding(self, key: Key) -> Iterator[None]:
        self.held.append(key)
        try:
            yield
        finally:
            self.held.remove(key)


class Door:
    """A gate with an application behind it that accepts, and tells what it was given."""

    def __init__(self) -> None:
        self.ring, self.records = Ring(), list[Record]()
        self.sent: list[dict[str, Any]] = []
        self.scopes: list[dict[str, Any]] = []
        self.held_inside: list[Key] = []
        self.trouble: Exception | None = None

    async def _application(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if self.trouble:
            raise self.trouble
        self.held_inside = list(self.ring.held)
        await send({"type": "websocket.accept", "subprotocol": None})
        await send({"type": "websocket.send", "text": "hello"})

    async def knock(
        self, *subprotocols: str, query: bytes = b"", extensions: dict[str, Any] | None = None, **headers: str
    ) -> list[dict[str, Any]]:
        """What a handshake is answered."""
        scope = {
            "type": "websocket", "path": "/ws/stt", "query_string": query, "subprotocols": [*subprotocols],
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "extensions": REJECTING if extensions is None else extensions,
        }  # fmt: skip
        self.sent = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: dict[str, Any]) -> None:
            self.sent.append(message)

        await Gate(self._application)(scope, receive, send)
        return self.sent


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Door:
    door = Door()
    settings.STT = django_settings.STT.model_copy(update={"auth": "required"})
    shared = SimpleNamespace(keyring=door.ring, recorder=SimpleNamespace(submit=door.records.append))
    monkeypatch.setattr(runtime, "current", lambda: shared)
    return door


def count(outcome: str) -> float:
    return metrics.handshakes_total.labels(outcome)._value.get()


@pytest.mark.parametrize(
    ("subprotocols", "headers"),
    [
        ((), {"authorization": "Bearer good"}),
        ((), {"authorization": "Token good"}),
        ((), {"authorization": "TOKEN  good "}),
        (("whisper-stt", "bearer.good"), {}),
        (("realtime", "openai-insecure-api-key.good", "openai-beta.realtime-v1"), {}),
        (("token", "good"), {}),
        (("bearer", "good"), {}),
        (("token", "bad"), {"authorization": "Bearer good"}),
    ],
)
async def test_a_good_key_opens_wherever_clients_of_any_service_put_it(
    door: Door, subprotocols: tuple[str, ...], headers: dict[str, str]
) -> None:
    """The key is watched while the connection lasts, noted as used, and nowhere in what goes on."""
    answer = await door.knock(*subprotocols, **headers)
    (inside,) = door.scopes

    assert [message["type"] for message in answer] == ["websocket.accept", "websocket.send"]
    assert inside["principal"] == KEY
    assert "good" not in str({name: value for name, value in inside.items() if name != "principal"})
    assert (door.held_inside, door.ring.held, len(door.records)) == ([KEY], [], 1)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (("whisper-stt", "bearer.good"), "whisper-stt"),
        (("bearer.good", "whisper-stt"), "whisper-stt"),
        (("token", "good"), "token"),
        (("bearer", "good"), "bearer"),
        (("realtime", "openai-insecure-api-key.good"), "realtime"),
        (("bearer.good",), None),
        ((), None),
    ],
)
async def test_the_answer_names_a_subprotocol_that_was_asked_for_and_never_the_key(
    door: Door, asked: tuple[str, ...], answered: str | None
) -> None:
    """A browser closes a connection whose answer names none of those it asked for."""
    accepted, said = await door.knock(*asked, **({} if asked else {"authorization": "Bearer good"}))

    assert accepted["subprotocol"] == answered
    assert said == {"type": "websocket.send", "text": "hello"}


async def test_the_query_goes_on_without_the_token(door: Door, settings: Settings) -> None:
    """Values may be empty, said twice, or of any characters; a dialect reads them."""
    settings.STT = settings.STT.model_copy(update={"auth_query_token": True})
    await door.knock(query=b"model=a&token=good&keyterm=caf%C3%A9&keyterm=b+c&empty=")

    assert door.ring.asked == ["good"]
    assert door.scopes[0]["query_string"] == b"model=a&keyterm=caf%C3%A9&keyterm=b+c&empty="


async def test_the_query_s_token_is_none_unless_that_is_switched_on(door: Door) -> None:
    """Proxies log it; it does not go on all the same."""
    start, _ = await door.knock(query=b"token=good")

    assert (start["status"], door.ring.asked) == (401, [])


@pytest.mark.parametrize(
    ("headers", "status", "outcome", "said", "header"),
    [
        ({}, 401, "no_key", "Expected an API key", (b"www-authenticate", b'Bearer realm="whisper-stt"')),
        ({"authorization": "Basic good"}, 401, "no_key", "Expected an API key", None),
        ({"authorization": "Bearer bad"}, 401, "bad_key", "The API key is not valid", None),
        ({"authorization": "Bearer good", "origin": "https://evil.example", "host": "stt.example.com"}, 403, "origin",
         "Pages of this Origin may not connect", None),
    ],
)  # fmt: skip
async def test_a_refusal_is_an_http_answer_with_its_reason(
    door: Door, headers: dict[str, str], status: int, outcome: str, said: str, header: tuple[bytes, bytes] | None
) -> None:
    """Counted by outcome; the application hears nothing of it."""
    before = count(outcome)
    start, body = await door.knock(**headers)
    told = json.loads(body["body"])
    given = dict(start["headers"])

    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert body["type"] == "websocket.http.response.body"
    assert told["status"] == status
    assert told["error"].startswith(said)
    assert given[b"content-length"] == str(len(body["body"])).encode()
    assert (given[b"content-type"], given[b"connection"]) == (b"application/json", b"close")
    assert header is None or header in start["headers"]
    assert (door.scopes, count(outcome)) == ([], before + 1)


async def test_keys_that_cannot_be_looked_up_are_no_bad_keys(door: Door) -> None:
    """The client is to come again, not to throw its key away."""
    door.ring.available = False
    start, body = await door.knock(authorization="Bearer good")

    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"2")
    assert json.loads(body["body"])["error"] == "API keys cannot be checked now"


AWAY = QueueAwayError("Connection refused")


@pytest.mark.parametrize("trouble", [AWAY, ExceptionGroup("an upload's tasks", [AWAY])])
async def test_who_comes_while_redis_is_away_is_to_come_again(door: Door, trouble: Exception) -> None:
    """He is let in by his key, and then there is nothing to serve him with."""
    door.trouble = trouble
    before = count("no_queue")
    start, body = await door.knock(authorization="Bearer good")

    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"2")
    assert json.loads(body["body"])["error"] == "The service cannot reach its queue"
    assert (count("no_queue"), door.ring.held) == (before + 1, [])


async def test_a_server_without_denial_responses_is_told_to_close(door: Door) -> None:
    """Which it does with 403, as ASGI has it."""
    assert await door.knock(extensions={}) == [{"type": "websocket.close"}]


async def test_where_no_key_is_needed_none_is_looked_at(door: Door, settings: Settings) -> None:
    """Nor kept: what is in its place may be another service's."""
    settings.STT = settings.STT.model_copy(update={"auth": "off"})
    await door.knock("whisper-stt", "bearer.good", authorization="Bearer good")

    assert door.scopes[0]["principal"] is None
    assert (door.ring.asked, door.records) == ([], [])
    assert not [value for _, value in door.scopes[0]["headers"] if b"good" in value]


async def test_a_session_that_fails_lets_go_of_its_key(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(door, "_application", fail)
    with pytest.raises(RuntimeError, match="broken"):
        await door.knock(authorization="Bearer good")

    assert door.ring.held == []


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://[stt.example.com]", "http://stt:99999999"])
async def test_an_origin_that_is_no_url_is_a_foreign_one(door: Door, origin: str) -> None:
    """And no fault of ours."""
    (start, _) = await door.knock(authorization="Bearer good", origin=origin, host="stt.example.com")

    assert start["status"] == 403
