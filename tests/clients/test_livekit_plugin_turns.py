"""The LiveKit plugin: flushes, preflight, resumed sessions, options changed, connections made ahead."""

import asyncio
import dataclasses
import logging
import random

import aiohttp
import pytest
from listening import END, FINAL, INTERIM, OFTEN, ONCE, START, USAGE, frames, kinds, noise, transcribe
from livekit.agents import APIConnectOptions, APIStatusError, stt
from livekit.agents.stt import SpeechEventType
from scripted_service import Peer, ScriptedService, one_utterance, settle

from clients.livekit_plugin import WhisperSTT

DROPS = 200


async def test_flush_in_silence_is_answered_by_an_empty_final(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="flush")
        await peer.final("", 110, 0, flush_id=peer.flush_ids[0])
        await peer.hear(until="end_session")
        await peer.end()

    if "manual_flush" in {field.name for field in dataclasses.fields(stt.STTCapabilities)}:
        assert whisper.capabilities.manual_flush
    service.scripts = [script]
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        stream.push_frame(frames(noise(0.11), ms=110)[0])
        stream.flush()
        final = await anext(stream)
        assert (final.type, final.alternatives[0].text) == (FINAL, "")
        stream.end_input()
        assert [event async for event in stream] == []


async def test_flush_of_an_idle_stream_is_answered(service: ScriptedService, whisper: WhisperSTT) -> None:
    """By a new session: a committed turn never waits for a time-out."""

    async def idle(peer: Peer) -> None:
        await peer.accept()
        await peer.end("timeout")

    async def again(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="flush")
        await peer.final("", 0, 0, flush_id=peer.flush_ids[0])
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [idle, again]
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        await settle(lambda: len(service.peers) == 1 and service.peers[0].ws.state.name == "CLOSED")
        await asyncio.sleep(0.05)
        stream.flush()
        assert (await anext(stream)).alternatives[0].text == ""
        stream.end_input()
        assert [event async for event in stream] == []


async def test_flush_that_was_heard_before_the_drop_is_answered_once(
    service: ScriptedService, whisper: WhisperSTT
) -> None:
    """The resumed session tells its answer; the flush that was sent again gets another, which is nobody's."""

    async def lost(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="flush")
        await peer.drop()

    async def resumed(peer: Peer) -> None:
        await peer.accept(resumed=True, audio_received_ms=110.0)
        await peer.final("pronto", 0, 110, flush_id=service.peers[0].flush_ids[0])
        await peer.hear(until="flush")
        await peer.final("", 110, 0, "seg-2", flush_id=peer.flush_ids[0])
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [lost, resumed]
    async with asyncio.timeout(5), whisper.stream(conn_options=OFTEN) as stream:
        stream.push_frame(frames(noise(0.11), ms=110)[0])
        stream.flush()
        assert (await anext(stream)).alternatives[0].text == "pronto"
        stream.end_input()
        assert kinds([event async for event in stream]) == [USAGE]
    assert service.peers[1].audio == b""


async def test_speculative_partial_is_preflight(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 0)
        await peer.partial("vire", 300, speculative=False)
        await peer.partial("vire à direita", 600, speculative=True)
        await peer.speech("end", 600)
        await peer.final("vire à direita", 0, 1000)
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    events = await transcribe(whisper, frames(noise(1)))
    assert kinds(events) == [START, INTERIM, SpeechEventType.PREFLIGHT_TRANSCRIPT, FINAL, USAGE, END]
    assert events[2].alternatives[0].text == events[3].alternatives[0].text


async def test_resumed_session_goes_on(service: ScriptedService, whisper: WhisperSTT) -> None:
    """What was told is not told again; what was missed is, and the turn that ended meanwhile ends."""

    async def lost(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 0)
        await peer.speech("end", 300)
        await peer.final("um", 0, 400)
        await peer.speech("start", 500, "seg-2")
        await peer.hear(ms=900)
        await (await peer.ws.ping())
        await peer.drop()

    async def resumed(peer: Peer) -> None:
        await peer.accept(resumed=True, audio_received_ms=850.0)
        await peer.final("um", 0, 400)
        await peer.final("dois", 400, 400, "seg-2")
        await peer.hear(until="end_session")
        await peer.partial("três", 1200, "seg-3")
        await peer.speech("end", 1300, "seg-3")
        await peer.final("três", 900, 500, "seg-3")
        await peer.end()

    service.scripts = [lost, resumed]
    samples = noise(1.5)
    events = await transcribe(whisper, frames(samples), OFTEN)
    first, second = service.peers
    start = {**first.start, "resume": True, "session_id": first.session_id, "last_segment_id": "seg-1"}

    assert kinds(events) == [START, FINAL, USAGE, END, START, FINAL, USAGE, END, START, INTERIM, FINAL, USAGE, END]
    assert [event.alternatives[0].text for event in events if event.type is FINAL] == ["um", "dois", "três"]
    assert second.start == start
    assert second.audio == samples[850 * 16 :].tobytes()


@pytest.mark.parametrize("refusal", ["INVALID_MESSAGE", "SESSION_EXISTS"])
async def test_service_that_does_not_resume(service: ScriptedService, whisper: WhisperSTT, refusal: str) -> None:
    async def lost(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=500)
        await peer.drop()

    async def again(peer: Peer) -> None:
        await peer.ws.recv()
        await peer.error(refusal)
        await one_utterance()(peer)

    service.scripts = [lost, again]
    samples = noise(1.2)
    events = await transcribe(whisper, frames(samples), OFTEN)
    assert kinds(events) == [START, INTERIM, FINAL, USAGE, END]
    assert "resume" not in service.peers[1].start
    assert service.peers[1].audio == samples.tobytes()


async def test_200_drops_lose_and_double_nothing(service: ScriptedService, whisper: WhisperSTT) -> None:
    """At random points, half of them resumed, with finals that the client never got: each sample is told once."""
    chance = random.Random(1)
    session: dict[str, list[tuple[str, int, int]] | bytes] = {}
    segments = 0

    async def script(peer: Peer) -> None:
        nonlocal segments
        resumable = bool(session) and chance.random() < 0.5
        if not resumable:
            session.update(audio=b"", finals=[])
        await peer.accept(**({"resumed": True, "audio_received_ms": len(session["audio"]) / 32} if resumable else {}))
        before, finals = session["audio"], session["finals"]
        seen = [segment for segment, _, _ in finals]
        missed = seen.index(peer.start["last_segment_id"]) + 1 if resumable and peer.start.get("last_segment_id") else 0
        for segment, start, length in finals[missed if resumable else len(finals) :]:
            await peer.final(segment, start, length, segment)
        for n in range(chance.randrange(3)):
            await peer.hear(ms=(n + 1) * chance.randrange(20, 120))
            audio = before + peer.audio
            told = sum(length for _, _, length in finals)
            if len(audio) // 32 > told:
                segments += 1
                finals.append((f"seg-{segments}", told, chance.randrange(1, len(audio) // 32 - told + 1)))
                if chance.random() < 0.7:
                    segment, start, length = finals[-1]
                    await peer.final(segment, start, length, segment)
                    await (await peer.ws.ping())
                else:
                    break  # made, and never sent: the connection is lost
        session["audio"] = before + peer.audio
        await peer.drop()

    async def last(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        await peer.final("fim", 0, len(peer.audio) / 32, "seg-last")
        await peer.end()

    service.scripts = [*[script] * DROPS, last]
    samples = noise(90)
    options = APIConnectOptions(max_retry=DROPS * 2, retry_interval=0.0, timeout=5.0)
    async with asyncio.timeout(120), whisper.stream(conn_options=options) as stream:
        for frame in frames(samples):
            stream.push_frame(frame)
        stream.end_input()
        finals = [event.alternatives[0] async for event in stream if event.type is FINAL]

    assert len(service.peers) == DROPS + 1
    position = 0.0
    for final in finals:
        assert final.start_time == pytest.approx(position, abs=1e-4), "no gap, no overlap"
        position = final.end_time
    assert position == pytest.approx(90, abs=1e-3)
    texts = [final.text for final in finals]
    assert len(texts) == len(set(texts)) > DROPS / 4


async def test_key_goes_into_the_handshake_and_nowhere_else(
    service: ScriptedService,
    http: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("STT_API_KEY", "from-environment")
    service.scripts, service.statuses = [one_utterance()], [401]
    whisper = WhisperSTT(service.url, api_key="sekret", http_session=http)
    with pytest.raises(APIStatusError) as caught:
        await transcribe(whisper, frames(noise(0.1)))
    await transcribe(WhisperSTT(service.url, http_session=http), frames(noise(1)))
    logs = "".join(record.getMessage() for record in caplog.records if record.name != "websockets.server")

    assert [headers["Authorization"] for headers in service.headers] == ["Bearer sekret", "Bearer from-environment"]
    assert (caught.value.status_code, caught.value.__cause__, caught.value.retryable) == (401, None, False)
    assert "sekret" not in f"{logs}{caught.value!r}{whisper!r}{whisper.__dict__!r}"


async def test_options_change_amid_a_stream(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def first(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        await peer.final("turn right", 0, len(peer.audio) / 32)
        await peer.end()

    service.scripts = [first]
    samples = noise(1)
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        for frame in frames(samples[:8_000]):
            stream.push_frame(frame)
        await settle(lambda: len(service.peers) == 1 and len(service.peers[0].audio) > 15_000)
        whisper.update_options(language="en", vad_threshold=0.3, keyterms=["Sicoob"])
        for frame in frames(samples[8_000:]):
            stream.push_frame(frame)
        stream.end_input()
        events = [event async for event in stream]
    before, after = service.peers

    assert (before.start["config"]["lang_code"], after.start["config"]["lang_code"]) == ("pt", "en")
    assert after.start["config"]["vad_threshold"] == 0.3
    assert ("keyterms" in before.start["config"], after.start["config"]["keyterms"]) == (False, ["Sicoob"])
    assert before.audio + after.audio == samples.tobytes()
    assert [event.alternatives[0].language for event in events if event.type is FINAL] == ["pt", "en"]


async def test_connection_made_ahead_is_used(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts = [one_utterance()]
    whisper.prewarm()
    await settle(lambda: service.handshakes == 1)
    assert FINAL in kinds(await transcribe(whisper, frames(noise(1))))
    assert service.handshakes == 1
    whisper.prewarm()
    await settle(lambda: service.handshakes == 2)  # closed with the plugin: see the fixture


async def test_connection_made_ahead_that_is_gone_is_not(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts, service.statuses = [one_utterance()], [503]
    whisper.prewarm()
    await settle(lambda: service.handshakes == 1)
    assert FINAL in kinds(await transcribe(whisper, frames(noise(1))))


async def test_many_streams_one_after_the_other_leave_nothing(service: ScriptedService, whisper: WhisperSTT) -> None:
    """As `clear_user_turn` does."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 0)
        await peer.hear(until="cancel")
        await peer.end("cancelled")

    service.scripts = [script]
    for _ in range(50):
        stream = whisper.stream(conn_options=ONCE)
        stream.push_frame(frames(noise(0.1), ms=100)[0])
        assert (await anext(stream)).type is START
        await stream.aclose()
    await settle(lambda: all("cancel" in peer.received for peer in service.peers))
