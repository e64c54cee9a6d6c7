"""The Python client library over connections that are lost, and with a service that answers late or not at all."""

import asyncio
import random

import pytest
import whisper_stt
from scripted_service import Peer, ScriptedService, one_utterance, settle
from streaming import noise, speak, transcribe
from whisper_stt import FinalTranscript, connect

pytestmark = pytest.mark.usefixtures("no_task_is_left")


async def test_resumes_the_session_where_the_service_has_its_audio(service: ScriptedService) -> None:
    async def lost(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=400)
        await peer.final("um", 0, 300)
        await peer.hear(ms=1000)
        await (await peer.ws.ping())
        await peer.drop()

    async def resumed(peer: Peer) -> None:
        await peer.accept(resumed=True, audio_received_ms=800.0)
        await peer.final("um", 0, 300)
        await peer.final("dois", 300, 400, "seg-2")
        await peer.hear(until="end_session")
        await peer.final("três", 700, 800, "seg-3")
        await peer.end()

    service.scripts = [lost, resumed]
    pcm = noise(1.5)
    events = await transcribe(service, pcm)
    first, second = service.peers

    assert second.start["resume"] is True
    assert (second.start["session_id"], second.start["last_segment_id"]) == (first.session_id, "seg-1")
    assert second.start["config"] == first.start["config"]
    assert [(event.text, event.start) for event in events] == [("um", 0), ("dois", 0.3), ("três", 0.7)]
    assert second.audio == pcm[32 * 800 :]


@pytest.mark.parametrize("answer", ["fresh", "INVALID_MESSAGE", "SESSION_EXISTS"])
async def test_without_resume_a_new_session_hears_what_has_no_final(service: ScriptedService, answer: str) -> None:
    async def lost(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=600)
        await peer.speech("start", 300)
        await peer.final("um", 100, 300)
        await (await peer.ws.ping())
        await peer.drop()

    async def again(peer: Peer) -> None:
        if answer != "fresh":
            await peer.ws.recv()
            await peer.error(answer)
        await peer.accept()
        await peer.hear(until="end_session")
        await peer.final("dois", 0, 500)
        await peer.end()

    service.scripts = [lost, again]
    pcm = noise(1.5)
    events = await transcribe(service, pcm)

    assert ("resume" in service.peers[1].start) == (answer == "fresh")
    assert [(event.text, event.start) for event in events[1:]] == [("um", 0.1), ("dois", 0.4)]
    assert service.peers[1].audio == pcm[32 * 400 :]


async def test_unanswered_flush_is_sent_again(service: ScriptedService) -> None:
    async def lost(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="flush")
        await peer.drop()

    async def again(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="flush")
        await peer.final("pronto", 0, 110, flush_id=peer.flush_ids[0])
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [lost, again]
    async with asyncio.timeout(5), connect(service.url) as stream:
        await stream.send(noise(0.11))
        assert (await stream.flush()).text == "pronto"
    assert service.peers[0].flush_ids == service.peers[1].flush_ids
    assert len(service.peers[1].audio) == 32 * 110


@pytest.mark.parametrize("seed", range(20))
async def test_connections_that_drop_at_random(
    service: ScriptedService, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten drops a run, some resumed: no sample is told in two finals or in none."""
    monkeypatch.setattr("whisper_stt.session.retries.LAST_PAUSE_S", 0.01)
    monkeypatch.setattr("whisper_stt.session.retries.FIRST_PAUSE_S", 0.01)
    chance = random.Random(seed)
    heard: list[bytes] = []
    state = {"told": 0, "received": b"", "n": 0}

    async def script(peer: Peer) -> None:
        resumable = bool(state["received"]) and chance.random() < 0.5
        fields = {"resumed": True, "audio_received_ms": len(state["received"]) / 32} if resumable else {}
        if not resumable:
            state.update(told=0, received=b"")
        await peer.accept(**fields)
        before = state["received"]
        told = state["told"]
        for _ in range(chance.randrange(3)):
            await peer.hear(ms=max(told - len(before) // 32, 0) + chance.randrange(20, 200))
            audio = before + peer.audio
            step = chance.randrange(1, len(audio) // 32 - told + 1)
            state["n"] += 1
            await peer.final("texto", told, step, f"seg-{state['n']}")
            await (await peer.ws.ping())
            heard.append(audio[told * 32 : (told + step) * 32])
            told += step
        await peer.hear(ms=max(told - len(before) // 32, 0) + 1)
        state.update(told=told, received=before + peer.audio)
        await peer.drop()

    async def last(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        heard.append(peer.audio)
        await peer.end()

    service.scripts = [*[script] * 10, last]
    pcm = noise(8)
    await transcribe(service, pcm)
    assert len(service.peers) == 11
    assert b"".join(heard) == pcm


async def test_dropped_frames_are_sent_again_and_slower(service: ScriptedService) -> None:
    async def congested(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=500)
        await peer.error("QUEUE_CONGESTION")
        await peer.hear(until="cancel")
        await peer.end("cancelled")

    service.scripts = [congested, one_utterance()]
    pcm = noise(1.1)
    events = await transcribe(service, pcm)
    assert isinstance(events[-1], FinalTranscript)
    assert service.peers[1].audio == pcm


async def test_service_that_does_not_answer_the_end(service: ScriptedService, monkeypatch: pytest.MonkeyPatch) -> None:
    async def mute(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="cancel")

    monkeypatch.setattr("whisper_stt.session.limits.LAST_WORD_S", 0.1)
    service.scripts = [mute, one_utterance()]
    pcm = noise(1.1)
    events = await transcribe(service, pcm)
    assert isinstance(events[-1], FinalTranscript)
    assert service.peers[1].audio == pcm


async def test_service_gone_for_good(service: ScriptedService) -> None:
    async def lost(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=100)
        service.statuses = [503] * 1000
        await peer.drop()

    service.scripts = [lost]
    with pytest.raises(whisper_stt.WhisperSttError, match="503"):
        await transcribe(service, noise(5), retry_s=0.5)


async def test_idle_session_is_opened_again_when_there_is_audio(service: ScriptedService) -> None:
    async def idle(peer: Peer) -> None:
        await peer.accept()
        await peer.end("timeout")

    service.scripts = [idle, one_utterance()]
    async with asyncio.timeout(5), connect(service.url) as stream:
        await settle(lambda: len(service.peers) == 1 and service.peers[0].ws.state.name == "CLOSED")
        await asyncio.sleep(0.1)
        assert len(service.peers) == 1
        await speak(stream, noise(1.2))
        assert isinstance([event async for event in stream][-1], FinalTranscript)
