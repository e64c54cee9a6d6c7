"""A dialect between a client and the consumer: what each hears of the other, and when the handshake is answered."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Sequence
from itertools import groupby
from types import SimpleNamespace
from typing import Any, Literal

import av
import numpy as np
import pytest

from harness.audio import SAMPLE_RATE, speech
from tests.ingress.test_decoding import wav
from transcription import metrics
from transcription.core import protocol
from transcription.core.dialects.dialect import Hangup, Notice, Refused, Reply, Step, Unpack
from transcription.core.protocol import EndSession, Error, ErrorCode, Flush, ServerMessage, SessionStarted, StartSession
from transcription.ingress import runtime
from transcription.ingress.translating import Conversation, Translated
from transcription.keys.access import Key

REJECTING: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}
CONNECT, GONE = {"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}
PCM = speech("s13_pm_alex")
START = StartSession(session_id="s")
STARTED = SessionStarted(session_id="s")
FULL = Error(code=ErrorCode.QUEUE_FULL, message="Queue full", session_id="s", retry_after_ms=1_000)


class Scripted:
    """A dialect that takes each step from the test, and keeps what it heard."""

    def __init__(self, *opening: Step, refuses: Refused | None = None) -> None:
        self._opening, self._refuses = opening, refuses
        self.heard: list[str | bytes] = []
        self.told: list[ServerMessage] = []
        self.answers: deque[Sequence[Step]] = deque()

    def open(self) -> Sequence[Step]:
        if self._refuses:
            raise self._refuses
        return self._opening

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        self.heard.append(frame)
        return self.answers.popleft() if self.answers else ()

    def tell(self, message: ServerMessage) -> Sequence[Step]:
        self.told.append(message)
        return self.answers.popleft() if self.answers else ()

    def refuse(self, error: Error) -> Refused:
        return Refused(429, {"message": error.message}, (("retry-after", "1"), ("dg-error", "cheia – já")))


class Between:
    """A conversation with the client's and the session's ends in the test's hands."""

    def __init__(self, dialect: Scripted, scope: dict[str, Any] = REJECTING) -> None:
        self.from_client: deque[dict[str, Any]] = deque()
        self.to_client: list[dict[str, Any]] = []
        self.talk = Conversation(dialect, scope, self._receive, self._keep)

    async def _receive(self) -> dict[str, Any]:
        if not self.from_client:
            await asyncio.Event().wait()
        return self.from_client.popleft()

    async def _keep(self, message: dict[str, Any]) -> None:
        self.to_client.append(message)

    async def opened(self) -> "Between":
        """As the consumer does: it hears of the handshake and accepts."""
        self.from_client.append(CONNECT)
        assert await self.talk.receive() == CONNECT
        await self.talk.send({"type": "websocket.accept"})
        return self

    async def client_says(self, *messages: dict[str, Any]) -> dict[str, Any]:
        """What the session hears next of it."""
        self.from_client.extend(messages)
        return await self.talk.receive()

    async def session_says(self, message: ServerMessage) -> None:
        await self.talk.send({"type": "websocket.send", "text": protocol.encode(message)})

    async def session_closes(self, **code: int) -> None:
        await self.talk.send({"type": "websocket.close"} | code)

    @property
    def kinds(self) -> list[str]:
        return [message["type"].removeprefix("websocket.") for message in self.to_client]


def text(frame: str) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": frame}


def binary(frame: bytes) -> dict[str, Any]:
    return {"type": "websocket.receive", "bytes": frame}


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


def garbled(message: str) -> list[Step]:
    return [Reply(message), Hangup(1008)]


async def unpacks(otherwise: Literal["samples", "packets", "nothing"] = "nothing") -> tuple[Between, Scripted]:
    """A conversation with a client whose audio is to be unpacked, and a dialect that passes it on."""
    dialect = Passing(Unpack(SAMPLE_RATE, otherwise, garbled))
    return await Between(dialect).opened(), dialect


class Passing(Scripted):
    """Audio is audio; any text is a message that names it."""

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        super().hear(frame)
        if isinstance(frame, bytes):
            return [frame]
        return [EndSession() if frame == "end" else Flush(flush_id=frame)]


async def test_audio_in_a_container_is_heard_before_what_is_said_after_it() -> None:
    """Though it is decoded elsewhere; at the end nothing of it is missing."""
    between, _ = await unpacks()
    recording = wav(PCM)
    between.from_client.extend(
        [binary(recording[:9]), binary(recording[9:20_000]), text("now"), binary(recording[20_000:]), text("end"), GONE]
    )
    heard = []
    async with asyncio.timeout(20):
        while GONE not in heard:
            heard.append(await between.client_says())
    kinds = ["audio" if "bytes" in one else json.loads(one["text"])["type"] for one in heard[:-1]]
    at = kinds.index("flush")

    assert [kind for kind, _ in groupby(kinds)] == ["audio", "flush", "audio", "end_session"]
    early = b"".join(one["bytes"] for one in heard[:at])
    assert 20_000 - 44 - SAMPLE_RATE // 5 < len(early) <= 20_000 - 44, (
        "all but 100 ms, which FFmpeg waits for the rest of"
    )
    assert PCM.startswith(early)
    assert b"".join(one.get("bytes", b"") for one in heard) == PCM


@pytest.mark.parametrize(
    "frames", [[b"\1\0" * 50], [b"\1\0", b"\2\0" * 50], [b"\1\0"]], ids=["long", "short first", "short"]
)
async def test_samples_are_left_as_they_are(frames: list[bytes]) -> None:
    """Also where it takes more than one frame to see that they are samples, or the stream ends before."""
    between, _ = await unpacks("samples")
    between.from_client.extend([*map(binary, frames), text("end"), GONE])
    heard = [await between.client_says() for _ in range(len(frames) + 2)]

    assert [one.get("bytes") for one in heard] == [*frames, None, None]


async def test_packets_of_opus_are_decoded_one_a_frame() -> None:
    between, _ = await unpacks("packets")
    between.from_client.extend([*(binary(packet) for packet in opus(PCM)), text("end"), GONE])
    heard: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while GONE not in heard:
            heard.append(await between.client_says())

    assert sum(len(one.get("bytes", b"")) for one in heard) == pytest.approx(len(PCM), abs=2_000)


@pytest.mark.parametrize(
    ("otherwise", "frames", "told"),
    [
        ("nothing", [b"hello, this is no audio"], "in a container"),
        ("samples", [b"fLaC" + bytes(400_000)], "Expected a recording"),
        ("packets", [b"\xff" * 4] * 30, "a packet of Opus in each frame"),
    ],
)
async def test_what_cannot_be_unpacked_is_told_and_the_client_hung_up_on(
    otherwise: Any, frames: list[bytes], told: str
) -> None:
    """Nothing more is heard of it."""
    between, dialect = await unpacks(otherwise)
    heard = await asyncio.wait_for(between.client_says(*map(binary, frames), text("more"), GONE), 20)

    assert heard == GONE
    assert told in between.to_client[-2]["text"]
    assert between.to_client[-1] == {"type": "websocket.close", "code": 1008}
    assert "more" not in dialect.heard


async def test_a_container_without_audio_is_told_at_its_end() -> None:
    between, _ = await unpacks()
    heard = await asyncio.wait_for(between.client_says(binary(b"OggS" + bytes(20)), text("end")), 20)

    assert json.loads(heard["text"]) == {"type": "end_session"}
    assert [one["type"] for one in between.to_client[-2:]] == ["websocket.send", "websocket.close"]


async def test_a_connection_that_is_over_leaves_no_thread() -> None:
    """However its client left it."""
    before, made = {*threading.enumerate()}, set[threading.Thread]()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        made.update({*threading.enumerate()} - before)

    async def keep(message: dict[str, Any]) -> None:
        """Nobody reads it."""

    messages = deque([binary(wav(PCM)[:20_000])])

    async def receive() -> dict[str, Any]:
        return messages.popleft()

    translated = Translated(application, "scripted", lambda *_: Passing(Unpack(SAMPLE_RATE, "samples", garbled)))
    await translated({"query_string": b""}, receive, keep)
    assert made
    for thread in made:
        await asyncio.to_thread(thread.join, 20)
        assert not thread.is_alive()


def opus(pcm: bytes) -> list[bytes]:
    """Packets of 20 ms."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "mono", "s16"
    packets: list[bytes] = []
    for at in range(0, len(pcm) - 640, 640):
        samples = np.frombuffer(pcm[at : at + 640], "<i2")[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, at // 2
        packets += map(bytes, encoder.encode(frame))
    return packets


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


async def test_a_hangup_says_why() -> None:
    dialect = Scripted(Reply("hello"))
    between = await Between(dialect).opened()
    dialect.answers.append([Hangup(1008, "No start")])
    await between.session_says(FULL)

    assert between.to_client[-1] == {"type": "websocket.close", "code": 1008, "reason": "No start"}
