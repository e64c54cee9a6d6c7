"""What a call's listeners are told, in a real Valkey."""

import asyncio

import pytest
import redis.asyncio

from transcription.cluster import calls
from transcription.cluster.calls import FROM_THE_START, MAX_BATCH, MOST_KEPT, Board
from transcription.core.contract import keyspace
from transcription.core.dialects.dialect import Notice

KEY = keyspace.call_key("7", "CA1")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "RETRY_S", 0.02)
    monkeypatch.setattr(calls, "BLOCK_MS", 50)


def notice(text: str, *, session: str = "CA1/MZ1", passing: bool = False, last: bool = False) -> Notice:
    return Notice("CA1", session, text, passing, last)


async def written(board: Board) -> None:
    async with asyncio.timeout(5):
        while board._waiting or not board._writer.done():
            await asyncio.sleep(0.005)


async def texts(board: Board, key_id: str = "7") -> list[str]:
    return [entry.text for entry in await board.read(key_id, "CA1", FROM_THE_START)]


async def test_what_is_put_is_read_in_order_by_who_has_the_key(async_valkey: redis.asyncio.Redis) -> None:
    board, elsewhere = Board(async_valkey), Board(async_valkey)
    for number in range(2 * MAX_BATCH):
        board.put("7", notice(str(number)))
    await written(board)

    assert await texts(elsewhere) == [str(number) for number in range(2 * MAX_BATCH)]
    assert await texts(elsewhere, "8") == await texts(elsewhere, "") == []


async def test_who_listens_waits_for_more(async_valkey: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "BLOCK_MS", 1_000)
    board = Board(async_valkey)
    board.put("7", notice("first"))
    await written(board)
    (first,) = await board.read("7", "CA1", FROM_THE_START)
    reading = asyncio.create_task(board.read("7", "CA1", first.entry_id))
    await asyncio.sleep(0.02)
    board.put("7", notice("second"))
    (second,) = await reading

    assert (second.text, second.session_id) == ("second", "CA1/MZ1")
    assert second.number > first.number


async def test_a_partial_is_kept_until_the_next_notice_of_its_session(async_valkey: redis.asyncio.Redis) -> None:
    board = Board(async_valkey)
    for put in (
        notice("began"), notice("Bom", passing=True), notice("Oi", session="CA1/MZ2", passing=True),
        notice("Bom dia", passing=True), notice("Bom dia.", last=True),
    ):  # fmt: skip
        board.put("7", put)
    await written(board)

    assert await texts(board) == ["began", "Oi", "Bom dia."]


async def test_a_call_has_a_bound_and_a_life(async_valkey: redis.asyncio.Redis) -> None:
    """A shorter one once a stream of it is over."""
    board = Board(async_valkey)
    for number in range(MOST_KEPT + 500):
        board.put("7", notice(str(number)))
    await written(board)
    assert await async_valkey.xlen(KEY) <= MOST_KEPT + 100
    assert keyspace.CALL_OVER_TTL_S < await async_valkey.ttl(KEY) <= keyspace.CALL_TTL_S

    board.put("7", notice("over", last=True))
    await written(board)
    assert 0 < await async_valkey.ttl(KEY) <= keyspace.CALL_OVER_TTL_S


async def test_a_full_redis_is_waited_for(async_valkey: redis.asyncio.Redis, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost, nor logged that was said; while much waits, what is passing is not even put."""
    board = Board(async_valkey)
    await async_valkey.config_set("maxmemory", 1)
    board.put("7", notice("segredo"))
    for number in range(1, calls.MOST_PASSING):
        board.put("7", notice(str(number)))
    board.put("7", notice("passing", passing=True))
    async with asyncio.timeout(5):
        while "Redis does not take them" not in caplog.text:
            await asyncio.sleep(0.005)
    assert "segredo" not in caplog.text
    assert len(board._waiting) == calls.MOST_PASSING
    await async_valkey.config_set("maxmemory", 0)
    await written(board)

    assert (await texts(board))[-1] == str(calls.MOST_PASSING - 1)


async def test_more_than_can_wait_is_dropped_and_told(
    async_valkey: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(calls, "MOST_WAITING", 2)
    board = Board(async_valkey)
    for number in range(3):
        board.put("7", notice(str(number)))
    await written(board)

    assert await texts(board) == ["0", "1"]
    assert "dropped" in caplog.text


async def test_whether_a_session_has_its_place(async_valkey: redis.asyncio.Redis) -> None:
    board = Board(async_valkey)
    await async_valkey.set(keyspace.lease_key("CA1/MZ1"), "uid")

    assert await board.are_live(["CA1/MZ0", "CA1/MZ1"])
    assert not await board.are_live(["CA1/MZ0"])
