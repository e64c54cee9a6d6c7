"""Connections that are lost in the middle of an utterance, over running web processes: sessions go on."""

import asyncio
import contextlib
import itertools
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import whisper_stt
from whisper_stt import FinalTranscript

from harness.audio import noise, silence, speech
from harness.cutter import Cutter
from harness.echo import heard
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.telephone import alaw
from harness.waiting import until
from transcription.core.encodings import Encoding
from transcription.core.g711 import to_pcm

STREAM = {"vad_enabled": False, "partial_results": False}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two web processes with a short window, a worker that echoes, and keys for those who want to be told apart."""
    settings = {"STT_AUTH": "required", "STT_RESUME_WINDOW_S": "3", "STT_SPECULATE_MS": "0"}
    with Stack(tmp_path_factory.mktemp("resume"), ECHO | settings) as stack:
        yield stack.start(webs=2)


@pytest.fixture(scope="module")
def keys(stack: Stack) -> list[str]:
    """Two."""
    return [stack.manage("createapikey", name) for name in ("one", "two")]


async def utter(talker: Talker, pcm: bytes) -> dict[str, Any]:
    """An utterance and its final."""
    await talker.stream(pcm, pace=0)
    await talker.say("flush")
    return await talker.until("final_transcript")


async def resume(talker: Talker, session_id: str, last: str | None = None) -> dict[str, Any]:
    """The answer to a start that asks for a session."""
    return await talker.start(session_id=session_id, resume=True, last_segment_id=last, config=STREAM)


def at_rest(stack: Stack) -> None:
    """Until nobody has a place, and no process thinks it has a session."""
    until(lambda: not stack.redis.keys("stt:session*"), "the places to be given back")


def records(stack: Stack, session_id: str) -> list[tuple[str, list[str]]]:
    """Each record of a session by its reason, with its texts."""
    with contextlib.closing(sqlite3.connect(stack.database, timeout=10)) as database:
        rows = database.execute(
            "SELECT id, reason FROM transcription_session WHERE session_id = ? ORDER BY started_at", [session_id]
        ).fetchall()
        query = "SELECT text FROM transcription_segment WHERE session_id = ? ORDER BY segment_id"
        return [(reason, [text for (text,) in database.execute(query, [key])]) for key, reason in rows]


@pytest.mark.parametrize(("how", "other"), [("dropped", 0), ("dropped", 1), ("open", 0), ("open", 1)])
async def test_a_session_goes_on_over_another_connection(stack: Stack, keys: list[str], how: str, other: int) -> None:
    """In mid-utterance, to the same web process and another, from a connection dropped or not known to be dead yet."""
    session_id, (one, two, rest) = f"on-{how}-{other}", (noise(1.0, seed) for seed in range(3))
    first = Talker(stack.ws_urls[0], keys[0])
    await first.__aenter__()
    started = await resume(first, session_id)
    before = await utter(first, one)
    noted = lambda: b"seg-0001" in (stack.redis.hget(f"stt:resume:{session_id}", "settled") or b"")  # noqa: E731
    await asyncio.to_thread(until, noted, "the checkpoint, which is written behind the final")
    await first.stream(two, pace=0)
    if how == "dropped":
        first.vanish()
    async with Talker(stack.ws_urls[other], keys[0]) as second:
        again = await resume(second, session_id, before["segment_id"])
        assert stack.redis.zcard("stt:sessions") == 1
        after = await utter(second, two + rest)
        ended = await second.end()
    if how == "open":
        async with asyncio.timeout(10):
            async for message in first.ws:
                assert json.loads(message)["type"] != "final_transcript"
        assert first.ws.close_code == 1000

    assert started == {"type": "session_started", "session_id": session_id, "resumed": False}
    assert again == started | {"resumed": True, "audio_received_ms": 1000.0}
    assert [before["segment_id"], after["segment_id"]] == ["seg-0001", "seg-0002"]
    assert (after["text"], after["audio_start_ms"]) == (heard(two + rest), 1000.0)
    assert (ended["total_audio_ms"], ended["total_segments"]) == (3000.0, 2)
    await asyncio.to_thread(at_rest, stack)
    expected = [("resumed", [heard(one)]), ("completed", [heard(two + rest)])]
    await asyncio.to_thread(until, lambda: records(stack, session_id) == expected, "the records")
    assert not stack.redis.exists(f"stt:resume:{session_id}")


async def test_finals_that_were_missed_are_sent_again(stack: Stack, keys: list[str]) -> None:
    """With those before left out; and still those, when they are missed once more."""
    texts = [noise(0.5, seed) for seed in range(10, 14)]
    async with Talker(stack.ws_urls[0], keys[0]) as talker:
        await resume(talker, "missed")
        finals = [await utter(talker, pcm) for pcm in texts]
        talker.vanish()
    for url in stack.ws_urls:
        async with Talker(url, keys[0]) as talker:
            again = await resume(talker, "missed", finals[1]["segment_id"])
            assert (again["resumed"], again["audio_received_ms"]) == (True, 2000.0)
            assert [await talker.next(), await talker.next()] == finals[2:]
            talker.vanish()
    async with Talker(stack.ws_urls[0], keys[0]) as talker:
        await resume(talker, "missed", finals[3]["segment_id"])
        await talker.say("end_session")
        assert (await talker.next())["type"] == "session_ended"
    await asyncio.to_thread(at_rest, stack)


async def test_a_foreign_key_gets_nothing(stack: Stack, keys: list[str]) -> None:
    """Neither the session nor its name; its owner goes on."""
    pcm = noise(0.5, 20)
    async with Talker(stack.ws_urls[0], keys[0]) as owner:
        await resume(owner, "mine")
        await utter(owner, pcm)
        owner.vanish()
    async with Talker(stack.ws_urls[1], keys[1]) as thief:
        refused = await resume(thief, "mine")
        assert (refused["type"], refused["code"]) == ("error", "SESSION_EXISTS")
        unknown = await resume(thief, "nobody's")
        assert unknown == {"type": "session_started", "session_id": "nobody's", "resumed": False}
        await thief.say("cancel")
        await thief.until("session_ended")
        assert thief.of("final_transcript") == []
    async with Talker(stack.ws_urls[1], keys[0]) as owner:
        assert (await resume(owner, "mine"))["resumed"]
        assert (await owner.next())["text"] == heard(pcm)
        await owner.say("cancel")
        await owner.until("session_ended")
    await asyncio.to_thread(at_rest, stack)


async def test_a_session_that_was_not_to_be_resumed_is_not(stack: Stack, keys: list[str]) -> None:
    """It is live: its name is taken."""
    async with Talker(stack.ws_urls[0], keys[0]) as talker, Talker(stack.ws_urls[0], keys[0]) as other:
        assert await talker.start(session_id="plain") == {"type": "session_started", "session_id": "plain"}
        assert (await resume(other, "plain"))["code"] == "SESSION_EXISTS"
        await talker.say("cancel")
        await talker.until("session_ended")


async def test_after_the_window_what_was_said_is_recorded(stack: Stack, keys: list[str]) -> None:
    """As of a client that is gone; the name begins a session of its own."""
    pcm = noise(0.5, 30)
    async with Talker(stack.ws_urls[0], keys[0]) as talker:
        await resume(talker, "late")
        await talker.stream(pcm, pace=0)
        await asyncio.sleep(0.2)
        talker.vanish()
    await asyncio.to_thread(at_rest, stack)
    await asyncio.to_thread(until, lambda: records(stack, "late") == [("disconnected", [heard(pcm)])], "the record")
    async with Talker(stack.ws_urls[0], keys[0]) as talker:
        assert (await resume(talker, "late"))["resumed"] is False
        await talker.say("cancel")
        await talker.until("session_ended")


async def test_the_window_is_off(stack: Stack, keys: list[str]) -> None:
    """A client that asks is told, and what it leaves is over at once."""
    pcm = noise(0.5, 31)
    with stack.another_web(STT_RESUME_WINDOW_S="0") as (_, url):
        async with Talker(url, keys[0]) as talker:
            assert (await resume(talker, "off"))["resumed"] is False
            await talker.stream(pcm, pace=0)
            await (await talker.ws.ping())
            talker.vanish()
        await asyncio.to_thread(until, lambda: records(stack, "off") == [("disconnected", [heard(pcm)])], "the end")
        assert not stack.redis.exists("stt:resume:off")


@pytest.mark.parametrize("encoding", [None, "alaw"])
async def test_a_client_whose_connection_is_cut_again_and_again(
    stack: Stack, keys: list[str], encoding: str | None
) -> None:
    """The Python client, cut in mid-utterance: every sample is told in one final; one session, many records."""
    wires = pieces = [noise(1.5, seed) for seed in range(40, 46)]
    if encoding:
        wires = [alaw(np.frombuffer(piece, "<i2")) for piece in pieces]
        pieces = [to_pcm(wire, Encoding(encoding)) for wire in wires]
    cutter, sessions = Cutter(stack), set()
    options = {"api_key": keys[0], "encoding": encoding, "vad": False, "partials": False}
    async with cutter.open() as url, whisper_stt.connect(url, **options) as stream:
        for wire in wires:
            size = len(wire) // 37
            for n, at in enumerate(range(0, len(wire), size)):
                await stream.send(wire[at : at + size])
                await asyncio.sleep(0.01)
                if n == 20:
                    cutter.cut()
            answer = await stream.flush()
            sessions.add(answer.session_id)
        await stream.end()
        finals = [event async for event in stream if isinstance(event, FinalTranscript)]

    assert cutter.connections == 1 + len(pieces)
    assert [final.text for final in finals if final.text] == [heard(piece) for piece in pieces]
    (session_id,) = sessions
    await asyncio.to_thread(at_rest, stack)
    expected: list[tuple[str, list[str]]] = [("resumed", [])] + [("resumed", [heard(piece)]) for piece in pieces[:-1]]
    expected += [("completed", [heard(pieces[-1])])]
    await asyncio.to_thread(until, lambda: records(stack, session_id) == expected, "the records")


async def test_a_client_with_vad_hears_the_same_with_and_without_cuts(stack: Stack, keys: list[str]) -> None:
    """Real speech: each utterance has one final, and they lie where they would have lain."""
    names = ["s01_pm_alex", "s07_pm_alex", "s13_pm_alex"]
    pcm = b"".join(silence(0.5) + speech(name) + silence(1.0) for name in names)
    spans = []
    for cuts in (False, True):
        cutter = Cutter(stack)
        async with cutter.open() as url, whisper_stt.connect(url, api_key=keys[0]) as stream:
            for n, at in enumerate(range(0, len(pcm), 1280)):
                await stream.send(pcm[at : at + 1280])
                await asyncio.sleep(0.02)
                if cuts and n % 70 == 69:
                    cutter.cut()
            await stream.end()
            finals = [event async for event in stream if isinstance(event, FinalTranscript)]
        assert cuts == (cutter.connections > 3)
        assert len({final.segment_id for final in finals}) == len(finals)
        assert all(before.end <= after.start for before, after in itertools.pairwise(finals))
        spans.append([(final.start, final.end) for final in finals])

    assert len(spans[1]) == len(spans[0])
    assert np.allclose(spans[0], spans[1], atol=0.3)  # the VAD begins anew where a session is taken up
    await asyncio.to_thread(at_rest, stack)


async def test_a_killed_web_process_s_session_goes_on_at_another_at_once(stack: Stack, keys: list[str]) -> None:
    """Kill -9 in mid-utterance: nobody waits for the lease to lapse, and the place is one."""
    one, two = noise(1.0, 50), noise(1.0, 51)
    with stack.another_web() as (web, url):
        async with Talker(url, keys[0]) as talker:
            await resume(talker, "killed")
            before = await utter(talker, one)
            await talker.stream(two, pace=0)
            await asyncio.to_thread(
                until, lambda: b"seg-0001" in (stack.redis.hget("stt:resume:killed", "settled") or b""), "the state"
            )
            stack.kill(web)
            assert stack.redis.exists("stt:session:killed"), "its lease lasts"
    async with Talker(stack.ws_urls[1], keys[0]) as talker:
        assert (await resume(talker, "killed", before["segment_id"]))["audio_received_ms"] == 1000.0
        assert stack.redis.zcard("stt:sessions") == 1
        final = await utter(talker, two)
        assert (final["segment_id"], final["text"]) == ("seg-0002", heard(two))
        await talker.end()
    await asyncio.to_thread(at_rest, stack)
