"""One who listens to a call: what is heard, and how it ends. The board is a real Valkey's, keys are in memory."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis.asyncio
from pytest_django.fixtures import Settings

from transcription import metrics
from transcription.cluster import calls as boards
from transcription.cluster.calls import Board
from transcription.core.capacity.admission import Refusal, key_withdrawn
from transcription.core.contract import keyspace
from transcription.core.dialects.dialect import Notice
from transcription.ingress import calls, draining, runtime
from transcription.keys.access import Key

KEY = Key("7", "ana", None, None)


class Ear:
    """A listener's socket, its far end in the test's hands."""

    def __init__(self, principal: Key | None = KEY) -> None:
        self.sent: list[dict[str, Any]] = []
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.inbox.put_nowait({"type": "websocket.connect"})
        scope = {"principal": principal, "url_route": {"kwargs": {"call": "CA1"}}}
        self.task = asyncio.create_task(calls.listen(scope, self.inbox.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.01)

    async def closed(self) -> tuple[int, str]:
        """Code and reason, once the application is done."""
        async with asyncio.timeout(10):
            await self.task
        last = self.sent[-1]
        assert last["type"] == "websocket.close"
        return last["code"], last["reason"]

    @property
    def heard(self) -> list[str]:
        return [json.loads(message["text"])["type"] for message in self.sent if message["type"] == "websocket.send"]


@pytest.fixture
def board(
    async_valkey: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> Callable[..., Awaitable[None]]:
    """Puts notices of these kinds on the board, and waits until they are there."""
    board = Board(async_valkey)
    monkeypatch.setattr(boards, "BLOCK_MS", 20)
    monkeypatch.setattr(calls, "RETRY_S", 0.02)
    keyring = SimpleNamespace(verdict=lambda key: Verdicts.now)
    monkeypatch.setattr(runtime, "current", lambda: SimpleNamespace(board=board, keyring=keyring))
    monkeypatch.setattr(Verdicts, "now", None)

    async def put(*kinds: str, stream: str = "MZ1", key_id: str = "7") -> None:
        for kind in kinds:
            board.put(key_id, Notice("CA1", f"CA1/{stream}", json.dumps({"type": kind})))
        while board._waiting or (board._writer and not board._writer.done()):
            await asyncio.sleep(0.005)

    return put


class Verdicts:
    """What the keyring says of the key."""

    now: Refusal | None = None


async def test_who_comes_early_and_who_comes_late_hear_the_same(board: Callable[..., Awaitable[None]]) -> None:
    """Until the stream ends; then both are closed."""
    early = Ear()
    before = metrics.call_listeners._value.get()
    await board("stream_started", "session_started")
    await early.until(lambda: early.heard == ["stream_started", "session_started"])
    assert metrics.call_listeners._value.get() == before + 1
    late = Ear()
    await board("session_ended", "stream_ended")

    assert await early.closed() == await late.closed() == (1000, "")
    assert early.heard == late.heard == ["stream_started", "session_started", "session_ended", "stream_ended"]
    assert metrics.call_listeners._value.get() == before


async def test_both_tracks_of_a_call_are_heard_on_one_socket(board: Callable[..., Awaitable[None]]) -> None:
    """It ends with the last of them."""
    ear = Ear()
    await board("stream_started")
    await board("stream_started", "stream_ended", stream="MZ2")
    await ear.until(lambda: len(ear.heard) == 3)
    assert not ear.task.done()
    await board("stream_ended")

    assert await ear.closed() == (1000, "")


@pytest.mark.parametrize("principal", [None, Key("8", "eva", None, None)])
async def test_another_key_hears_nothing(
    board: Callable[..., Awaitable[None]], principal: Key | None, settings: Settings
) -> None:
    """As if there were no such call, which is told once it has been waited for."""
    settings.STT = settings.STT.model_copy(update={"idle_timeout_s": 0.2})
    await board("stream_started", "stream_ended")
    ear = Ear(principal)

    assert await ear.closed() == (1013, "Nobody has started this call")
    assert ear.heard == []


async def test_a_stream_whose_process_died_is_told(
    board: Callable[..., Awaitable[None]], async_valkey: redis.asyncio.Redis
) -> None:
    """Its session's place is nobody's any more. While it is somebody's, silence is only silence."""
    ear = Ear()
    await async_valkey.set(keyspace.lease_key("CA1/MZ1"), "uid")
    await board("stream_started", "session_started")
    await asyncio.sleep(0.2)
    assert not ear.task.done()
    await async_valkey.delete(keyspace.lease_key("CA1/MZ1"))

    assert await ear.closed() == (1011, "The stream was lost")
    assert ear.heard == ["stream_started", "session_started", "error"]


async def test_a_key_that_is_withdrawn_hears_no_more(
    board: Callable[..., Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear()
    await board("stream_started")
    await ear.until(lambda: ear.heard)
    monkeypatch.setattr(Verdicts, "now", key_withdrawn())

    assert (await ear.closed())[0] == 1008
    assert json.loads(ear.sent[-2]["text"])["code"] == "UNAUTHORIZED"


async def test_one_that_goes_is_served_no_longer(board: Callable[..., Awaitable[None]]) -> None:
    """What it says is not heard."""
    ear = Ear()
    ear.inbox.put_nowait({"type": "websocket.receive", "text": "hello"})
    ear.inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})
    async with asyncio.timeout(5):
        await ear.task

    assert [message["type"] for message in ear.sent] == ["websocket.accept"]


async def test_a_server_that_stops_says_so(board: Callable[..., Awaitable[None]]) -> None:
    ear = Ear()
    ear.inbox.put_nowait({"type": draining.STOP})

    assert (await ear.closed())[0] == 1012


async def test_redis_may_be_away(
    board: Callable[..., Awaitable[None]], monkeypatch: pytest.MonkeyPatch, async_valkey: redis.asyncio.Redis
) -> None:
    """It is asked again."""
    asked: list[object] = []
    real = runtime.current().board.read

    async def read(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) < 3:
            raise redis.ConnectionError("away")
        return await real(*arguments)

    monkeypatch.setattr(runtime.current().board, "read", read)
    ear = Ear()
    await board("stream_started", "stream_ended")

    assert await ear.closed() == (1000, "")
    assert len(asked) >= 3


async def test_a_fault_is_a_close(board: Callable[..., Awaitable[None]], caplog: pytest.LogCaptureFixture) -> None:
    ear = Ear()
    runtime.current().board.put("7", Notice("CA1", "CA1/MZ1", "no JSON"))

    assert (await ear.closed())[0] == 1011
    assert "A listener failed" in caplog.text
