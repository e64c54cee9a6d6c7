"""A dialect between a client and the consumer: what each hears of the other, and when the handshake is answered."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.ingress.between import FULL, GONE, REJECTING, START, STARTED, Between, Scripted, binary, text
from transcription import metrics
from transcription.core import protocol
from transcription.core.dialects.dialect import Hangup, Notice, Refused, Reply, Step
from transcription.core.protocol import EndSession
from transcription.ingress import runtime
from transcription.ingress.translating import Translated
from transcription.keys.access import Key


async def test_a_dialect_without_a_start_is_accepted_at_once() -> None:
    """It says hello then, before the session has anything to say."""
    between = await Between(Scripted(Reply("hello"))).opened()

    assert between.kinds == ["accept", "send"]
    assert between.to_client[1]["text"] == "hello"


async def test_a_dialect_that_starts_is_accepted_when_the_session_is() -> None:
    """Until then the client hears nothing; the session hears the start as its own protocol has it."""
    dialect = Scripted(START)
    between = await Between(dialect).opened()
    before = list(between.kinds)
    heard = await between.client_says()
    dialect.answers.append([Reply("ready")])
    await between.session_says(STARTED)

    assert before == []
    assert protocol.decode(heard["text"]) == START
    assert between.kinds == ["accept", "send"]
    assert dialect.told == [STARTED]


async def test_a_session_that_is_not_admitted_is_refused_before_the_upgrade() -> None:
    """In the dialect's own terms; the session hears that its client is gone, and nobody hears anything after."""
    dialect = Scripted(START)
    between = await Between(dialect).opened()
    await between.client_says()
    await between.session_says(FULL)
    heard = await between.client_says()
    await between.session_says(FULL)
    await between.session_closes(code=1013)
    start, body = between.to_client

    assert (start["type"], start["status"]) == ("websocket.http.response.start", 429)
    assert dict(start["headers"]) == {
        b"content-type": b"application/json", b"content-length": str(len(body["body"])).encode(),
        b"connection": b"close", b"retry-after": b"1", b"dg-error": "cheia ? já".encode("latin1"),
    }  # fmt: skip
    assert json.loads(body["body"]) == {"message": "Queue full"}
    assert heard["type"] == "websocket.disconnect"
    assert dialect.told == [FULL]  # what came after; the refusal itself is no message of the session's


async def test_parameters_that_cannot_be_served_are_refused_before_the_session_hears_of_them() -> None:
    between = await Between(Scripted(refuses=Refused(400, {"err_msg": "encoding"}))).opened()
    heard = await between.client_says()

    assert between.to_client[0]["status"] == 400
    assert json.loads(between.to_client[1]["body"]) == {"err_msg": "encoding"}
    assert heard["type"] == "websocket.disconnect"


async def test_a_server_without_denial_responses_closes() -> None:
    between = await Between(Scripted(refuses=Refused(400, {})), {}).opened()

    assert between.to_client == [{"type": "websocket.close"}]


async def test_an_error_in_a_session_is_no_refusal() -> None:
    """Once the handshake is answered there is no other answer to it."""
    dialect = Scripted(START)
    between = await Between(dialect).opened()
    await between.session_says(STARTED)
    dialect.answers.append([Reply("busy")])
    await between.session_says(FULL)

    assert between.kinds == ["accept", "send"]
    assert dialect.told == [STARTED, FULL]


async def test_frames_go_through_the_dialect_in_order() -> None:
    """One frame may be several messages, or none; audio stays audio."""
    dialect = Scripted(Reply("hello"))
    between = await Between(dialect).opened()
    dialect.answers.extend([[START, b"pcm"], [], [EndSession()]])
    first = await between.client_says(text("{}"), binary(b"quiet"), text("bye"))
    rest = [await between.client_says() for _ in range(2)]

    assert dialect.heard == ["{}", b"quiet", "bye"]
    assert json.loads(first["text"])["type"] == "start_session"
    assert rest[0] == binary(b"pcm")
    assert json.loads(rest[1]["text"]) == {"type": "end_session"}


@pytest.mark.parametrize(
    ("frame", "heard"),
    [
        (binary(b""), b""),
        (text(""), ""),
        ({"type": "websocket.receive", "text": None, "bytes": b"x"}, b"x"),
        ({"type": "websocket.receive", "text": "x", "bytes": None}, "x"),
    ],
)
async def test_a_frame_is_of_the_kind_that_the_server_says(frame: dict[str, Any], heard: str | bytes) -> None:
    """Servers may leave the other out or set it to nothing; an empty frame is a frame, which ends a stream of some."""
    dialect = Scripted(Reply("hello"))
    between = await Between(dialect).opened()
    await between.client_says(frame, GONE)

    assert dialect.heard == [heard]


async def test_a_dialect_may_answer_its_client_itself() -> None:
    """While it listens, without the session."""
    dialect = Scripted(Reply("hello"))
    between = await Between(dialect).opened()
    dialect.answers.append([Reply("pong")])
    await between.client_says(text("ping"), GONE)

    assert [message.get("text") for message in between.to_client] == [None, "hello", "pong"]


async def test_after_a_hangup_the_client_hears_nothing() -> None:
    """Neither more frames nor a second close; the session goes on until it is told that its client is gone."""
    dialect = Scripted(Reply("hello"))
    between = await Between(dialect).opened()
    dialect.answers.extend([[Reply("bye"), Hangup(4000), Reply("too late")], [Reply("later still"), Hangup(1000)]])
    await between.session_says(STARTED)
    await between.session_says(FULL)
    await between.session_closes(code=1011)

    assert [message.get("text") for message in between.to_client] == [None, "hello", "bye", None]
    assert between.to_client[-1] == {"type": "websocket.close", "code": 4000}
    assert await between.client_says(GONE) == GONE


async def test_a_hangup_may_say_why() -> None:
    dialect = Scripted(Reply("hello"))
    between = await Between(dialect).opened()
    dialect.answers.append([Hangup(1013, "Full")])
    await between.session_says(FULL)

    assert between.to_client[-1] == {"type": "websocket.close", "code": 1013, "reason": "Full"}


@pytest.mark.parametrize(("said", "code"), [({}, 1000), ({"code": 1008}, 1008)])
async def test_the_session_s_close_is_the_client_s(said: dict[str, int], code: int) -> None:
    between = await Between(Scripted(Reply("hello"))).opened()
    await between.session_closes(**said)

    assert between.to_client[-1] == {"type": "websocket.close", "code": code}


async def test_a_client_that_goes_is_told_of_behind_what_it_said() -> None:
    """Nothing of that is lost."""
    dialect = Scripted(Reply("hello"))
    between = await Between(dialect).opened()
    dialect.answers.append([b"one", b"two"])
    heard = [await between.client_says(binary(b"both"), GONE), *[await between.client_says() for _ in range(2)]]

    assert heard == [binary(b"one"), binary(b"two"), GONE]


async def test_messages_of_the_server_s_own_pass() -> None:
    """That it stops, for one, which is no frame of the client's."""
    between = await Between(Scripted(Reply("hello"))).opened()

    assert await between.client_says({"type": "server.stop"}) == {"type": "server.stop"}


async def test_each_connection_has_a_dialect_of_its_own_made_of_its_query() -> None:
    """Counted by name; with an id that is no other's."""
    made = list[tuple[str, str]]()

    def make(query: str, connection_id: str) -> Scripted:
        made.append((query, connection_id))
        return Scripted()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        """Says nothing."""

    counted = metrics.dialect_connections_total.labels("scripted")._value
    before = counted.get()
    for query in (b"a=1", b"a=%C3%A9"):
        await Translated(application, "scripted", make)({"query_string": query}, None, None)

    assert [query for query, _ in made] == ["a=1", "a=%C3%A9"]
    assert made[0][1] != made[1][1]
    assert counted.get() == before + 2


class Kept:
    """A board that keeps what is put on it."""

    def __init__(self) -> None:
        self.put_on: list[tuple[str, Notice]] = []

    def put(self, key_id: str, notice: Notice) -> None:
        self.put_on.append((key_id, notice))


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Kept:
    board = Kept()
    monkeypatch.setattr(runtime, "current", lambda: SimpleNamespace(board=board))
    return board


NOTICE = Notice("CA1", "CA1/MZ1", "{}")


@pytest.mark.parametrize(("principal", "key_id"), [(None, ""), (Key("7", "ana", None, None), "7")])
async def test_a_notice_is_for_listeners_under_the_same_key(board: Kept, principal: Key | None, key_id: str) -> None:
    """The client hears nothing of it."""
    between = await Between(Scripted(NOTICE), REJECTING | {"principal": principal}).opened()

    assert board.put_on == [(key_id, NOTICE)]
    assert between.kinds == ["accept"]


async def test_what_a_client_said_that_is_gone_is_still_told_to_listeners(board: Kept) -> None:
    """The session ends, and hears that nobody is there once it has said everything; the client hears nothing."""
    dialect = Scripted(NOTICE, START)
    between = await Between(dialect).opened()
    await between.session_says(STARTED)
    await between.client_says()
    heard = await between.client_says(GONE)
    waits = asyncio.create_task(between.talk.receive())
    dialect.answers.append([NOTICE, Reply("too late")])
    await between.session_says(FULL)
    await asyncio.sleep(0)
    assert not waits.done()
    await between.session_closes(code=1000)

    assert json.loads(heard["text"]) == {"type": "end_session"}
    assert await waits == GONE
    assert board.put_on == [("", NOTICE), ("", NOTICE)]
    assert between.kinds == ["accept"]


async def test_one_that_goes_while_its_session_is_asked_for_is_heard_to_the_end(board: Kept) -> None:
    """Of a session that is not admitted that is the refusal."""
    dialect = Scripted(Reply("hello"))
    between = await Between(dialect).opened()
    dialect.answers.append([NOTICE, START])
    heard = [await between.client_says(text("start"), GONE), await between.client_says()]
    waits = asyncio.create_task(between.talk.receive())
    await asyncio.sleep(0)
    assert not waits.done()
    await between.session_says(FULL)

    assert [json.loads(message["text"])["type"] for message in heard] == ["start_session", "end_session"]
    assert await waits == GONE


async def test_meanwhile_the_server_may_stop(board: Kept) -> None:
    """The session hears of it."""
    between = await Between(Scripted(NOTICE, START)).opened()
    await between.session_says(STARTED)
    await between.client_says()
    await between.client_says(GONE)

    assert await between.client_says({"type": "server.stop"}) == {"type": "server.stop"}


@pytest.mark.parametrize("opening", [[NOTICE], [Reply("hello"), START]])
async def test_one_that_has_no_session_or_no_listeners_is_just_gone(board: Kept, opening: list[Step]) -> None:
    between = await Between(Scripted(*opening)).opened()
    if START in opening:
        await between.session_says(STARTED)
        await between.client_says()

    assert await between.client_says(GONE) == GONE
