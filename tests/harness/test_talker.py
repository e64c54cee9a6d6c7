"""The talker, over a real socket to a service that says what it is told to."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from harness.audio import BYTES_PER_S, FRAME, noise
from harness.talker import Received, Talker
from tests.clients.scripted_service import Peer, ScriptedService, one_utterance, refusal

PCM = noise(0.11)
"""Five frames and a half."""
SECONDS = len(PCM) / BYTES_PER_S


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    """It hears one utterance."""
    async with ScriptedService() as service:
        service.scripts = [one_utterance()]
        yield service


async def session(talker: Talker, pcm: bytes) -> None:
    """Everything that is to be said."""
    await talker.send_frames([pcm[:FRAME], pcm[FRAME:]], pace=0)
    await talker.say("end_session")


async def unfinished(peer: Peer) -> None:
    """A script: the session begins, and nothing more is heard of it."""
    await peer.accept()
    await peer.ws.wait_closed()


async def test_every_sample_is_sent_in_frames(service: ScriptedService) -> None:
    """Of 20 ms, the last of what is left."""
    async with Talker(service.url) as talker:
        await talker.start()
        await talker.stream(noise(1.0) + PCM, pace=0)
        await talker.end()
    (peer,) = service.peers

    assert peer.audio == noise(1.0) + PCM
    assert {len(chunk) for chunk in peer.chunks} == {FRAME, FRAME // 2}
    assert talker.lags_ms == [], "without deadlines nothing is late"


async def test_frames_are_never_early_and_do_not_drift(service: ScriptedService) -> None:
    """Each has its own deadline, counted from the start, at any pace; one who is late makes up for it."""
    async with Talker(service.url) as talker:
        await talker.start()
        began = time.perf_counter()
        await talker.send_frames((PCM[at : at + FRAME] for at in range(0, len(PCM), FRAME)), began, pace=2.0)
        took = time.perf_counter() - began
        await talker.send_frames([PCM], began_at=time.perf_counter() - 10.0)

    assert took >= 2.0 * SECONDS
    assert len(talker.lags_ms) == 7
    assert min(talker.lags_ms) >= 0.0
    assert talker.lags_ms[-1] >= 9_000.0


async def test_a_message_has_the_time_it_came_in_though_speech_goes_on(service: ScriptedService) -> None:
    """Each is heeded once, in order, as it comes, the start's answer excepted; silence after it is no reading."""
    heeded: list[Received] = []
    over = 0.0

    async def speak() -> None:
        nonlocal over
        await talker.stream(noise(1.0), pace=0)
        await asyncio.sleep(0.3)
        over = time.perf_counter()
        await talker.say("end_session")

    async with Talker(service.url) as talker:
        await talker.start()
        await talker.converse(speak(), 5.0, heeded.append)

    assert [message["type"] for message in talker.messages] == [
        "session_started", "vad_event", "partial_transcript", "vad_event", "final_transcript", "session_ended",
    ]  # fmt: skip
    assert heeded == talker.received[1:]
    assert all(received.at < over - 0.1 for received in heeded[:-1])
    assert talker.of("final_transcript")[0]["text"] == "olá mundo"


async def test_a_connection_that_breaks_is_the_end_of_a_conversation(service: ScriptedService) -> None:
    """However it ends: what came before is kept."""

    async def breaking(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        await peer.error("INTERNAL_ERROR")
        await peer.drop()

    service.scripts = [breaking]
    async with Talker(service.url) as talker:
        await talker.start()
        await talker.converse(session(talker, PCM), 5.0)

    assert talker.messages[-1]["code"] == "INTERNAL_ERROR"


async def test_a_service_that_says_nothing_is_given_up(service: ScriptedService) -> None:
    """After the patience, whichever way it is waited for."""
    service.scripts = [unfinished]
    async with Talker(service.url) as talker:
        await talker.start()
        with pytest.raises(TimeoutError):
            await talker.next(0.01)
        with pytest.raises(TimeoutError):
            await talker.until("final_transcript", 0.01)
        with pytest.raises(TimeoutError):
            await talker.converse(session(talker, PCM), 0.01)


async def test_what_is_sent_with_the_handshake(service: ScriptedService) -> None:
    """A key, and headers."""
    service.scripts = [refusal("QUEUE_FULL")]
    async with Talker(service.url, "k3y", headers=[("X-Trace", "7")]) as talker:
        answer = await talker.start(session_id="s")
    (headers,) = service.headers

    assert answer["code"] == "QUEUE_FULL"
    assert (headers["Authorization"], headers["X-Trace"]) == ("Bearer k3y", "7")
