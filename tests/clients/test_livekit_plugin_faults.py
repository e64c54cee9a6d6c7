"""The LiveKit plugin when things go wrong: refusals, silence, lost connections."""

import asyncio
import random
import time
import traceback

import aiohttp
import pytest
from listening import END, FINAL, INTERIM, OFTEN, ONCE, START, USAGE, frames, kinds, noise, transcribe
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, APIStatusError, APITimeoutError
from scripted_service import Peer, ScriptedService, one_utterance, refusal, settle

from clients.livekit_plugin import WhisperSTT
from clients.livekit_plugin._session import limits


@pytest.mark.parametrize(
    ("code", "status", "retryable"),
    [
        ("INVALID_MESSAGE", 400, False),
        ("SESSION_EXISTS", 409, False),
        ("MAX_SESSIONS_REACHED", 429, True),
        ("QUEUE_FULL", 429, True),
        ("QUEUE_CONGESTION", 503, True),
        ("UNAUTHORIZED", 401, False),
        ("QUOTA_EXCEEDED", 403, False),
        ("INTERNAL_ERROR", 500, True),
    ],
)
async def test_refusals(service: ScriptedService, whisper: WhisperSTT, code: str, status: int, retryable: bool) -> None:
    service.scripts = [refusal(code, retry_after_ms=1000)]
    with pytest.raises(APIStatusError, match=f"{code} it is") as caught:
        await transcribe(whisper, frames(noise(0.1)))
    assert (caught.value.status_code, caught.value.retryable) == (status, retryable)
    assert caught.value.body["retry_after_ms"] == 1000


async def test_refused_twice_then_fine(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts = [refusal("QUEUE_FULL"), refusal("MAX_SESSIONS_REACHED"), one_utterance()]
    events = await transcribe(whisper, frames(noise(1)), OFTEN)
    assert kinds(events) == [START, INTERIM, FINAL, USAGE, END]


async def test_next_attempt_waits_as_long_as_the_service_asks(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts = [refusal("QUEUE_FULL", retry_after_ms=500), one_utterance()]
    began = time.monotonic()
    assert FINAL in kinds(await transcribe(whisper, frames(noise(1)), OFTEN))
    assert time.monotonic() - began > 0.5


async def test_refused_for_ever(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts = [refusal("QUEUE_FULL")]
    with pytest.raises(APIConnectionError):
        await transcribe(whisper, frames(noise(0.1)), OFTEN)
    assert len(service.peers) == OFTEN.max_retry + 1


async def test_fatal_errors_are_not_tried_again(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts = [refusal("INVALID_MESSAGE")]
    with pytest.raises(APIStatusError):
        await transcribe(whisper, frames(noise(0.1)), OFTEN)
    assert len(service.peers) == 1


async def test_handshake_status(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts, service.statuses = [one_utterance()], [503]
    assert FINAL in kinds(await transcribe(whisper, frames(noise(1)), OFTEN))
    service.statuses, service.handshakes = [403], 0
    with pytest.raises(APIStatusError) as caught:
        await transcribe(whisper, frames(noise(1)), OFTEN)
    assert (caught.value.status_code, service.handshakes) == (403, 1)


async def test_the_api_key_is_sent_and_never_told(
    service: ScriptedService, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the argument or the environment; a refusal has it in none of its exceptions, causes and contexts."""
    monkeypatch.setenv("STT_API_KEY", "stt_from_the_environment")
    for options, key in (({"api_key": "stt_given"}, "stt_given"), ({}, "stt_from_the_environment")):
        service.scripts, service.statuses = [one_utterance()], []
        whisper = WhisperSTT(service.url, http_session=http, **options)
        await transcribe(whisper, frames(noise(1)))
        assert service.peers[-1].ws.request.headers["Authorization"] == f"Bearer {key}"
        service.statuses = [401]
        with pytest.raises(APIStatusError) as caught:
            await transcribe(whisper, frames(noise(0.1)))
        told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=False).format())
        error: BaseException | None = caught.value
        while error:
            told += repr(error) + str(error)
            error = error.__cause__ or error.__context__
        assert caught.value.status_code == 401
        assert key not in told + repr(whisper) + repr(whisper._line)


async def test_nobody_listens(http: aiohttp.ClientSession) -> None:
    with pytest.raises(APIConnectionError) as caught:
        await transcribe(WhisperSTT("ws://127.0.0.1:9/ws/stt", http_session=http), frames(noise(0.1)))
    assert not isinstance(caught.value, APITimeoutError)


async def test_service_does_not_answer_the_start(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts = [lambda peer: peer.ws.wait_closed()]
    began = time.monotonic()
    with pytest.raises(APITimeoutError):
        await transcribe(whisper, frames(noise(0.1)), APIConnectOptions(max_retry=0, timeout=0.2))
    assert time.monotonic() - began < 1


async def test_service_does_not_answer_the_end(
    service: ScriptedService, whisper: WhisperSTT, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.ws.wait_closed()

    monkeypatch.setattr(limits, "LAST_WORD_S", 0.1)
    service.scripts = [script]
    with pytest.raises(APITimeoutError):
        await transcribe(whisper, frames(noise(0.1)))


async def test_not_the_service(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts = [lambda peer: peer.ws.send("hello")]
    with pytest.raises(APIError, match="protocol"):
        await transcribe(whisper, frames(noise(0.1)), OFTEN)
    assert len(service.peers) == 1


async def test_lost_connection_loses_no_audio(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def lost(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=600)
        await peer.speech("start", 200)
        await peer.hear(ms=700)
        await peer.drop()

    service.scripts = [lost, one_utterance()]
    samples = noise(1.23)
    events = await transcribe(whisper, frames(samples), OFTEN)
    assert kinds(events) == [START, INTERIM, FINAL, USAGE, END]
    assert service.peers[1].audio == samples.tobytes()


async def test_new_session_begins_after_the_last_final(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def lost(peer: Peer) -> None:
        await one_half(peer)
        await peer.ws.close()

    async def one_half(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=1000)
        await peer.speech("start", 200)
        await peer.speech("end", 700)
        await peer.final("vire à", 100, 730)

    async def rest(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 100)
        await peer.speech("end", 600)
        await peer.final("direita", 50, 650)
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [lost, rest]
    samples = noise(2)
    async with asyncio.timeout(5), whisper.stream(conn_options=OFTEN) as stream:
        stream.start_time_offset = 5.0
        for frame in frames(samples):
            stream.push_frame(frame)
        stream.end_input()
        events = [event async for event in stream]

    assert kinds(events) == [START, FINAL, USAGE, END] * 2
    assert service.peers[1].audio == samples[830 * 16 :].tobytes()
    first, second = [event.alternatives[0] for event in events if event.type is FINAL]
    assert (first.start_time, first.end_time) == pytest.approx((5.1, 5.7))
    assert (second.start_time, second.end_time) == pytest.approx((5.88, 6.43))
    assert second.words[0].start_time == pytest.approx(5.88)


async def test_flush_without_answer_is_sent_again(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def lost(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="flush")
        await peer.drop()

    async def again(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="flush")
        await peer.final("pronto", 0, 110)
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [lost, again]
    async with asyncio.timeout(5), whisper.stream(conn_options=OFTEN) as stream:
        for frame in frames(noise(0.11)):
            stream.push_frame(frame)
        stream.flush()
        assert (await anext(stream)).type is FINAL
        stream.end_input()


@pytest.mark.parametrize("seed", range(5))
async def test_connections_that_drop_at_random(service: ScriptedService, whisper: WhisperSTT, seed: int) -> None:
    """Whatever a session was told in finals before it was lost, no sample is transcribed twice or never."""
    chance = random.Random(seed)
    heard: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.accept()
        told = 0
        for _ in range(chance.randrange(4)):
            await peer.hear(ms=told + chance.randrange(20, 200))
            told += chance.randrange(1, len(peer.audio) // 32 - told + 1)
            await peer.final("texto", 0, told, f"seg-{told}")
        await peer.hear(ms=told + 1)
        # Until the client has read the finals, they are not told.
        await (await peer.ws.ping())
        heard.append(peer.audio[: told * 32])
        await peer.drop()

    async def last(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        heard.append(peer.audio)
        await peer.end()

    service.scripts = [*[script] * 8, last]
    samples = noise(6)
    await transcribe(whisper, frames(samples), APIConnectOptions(max_retry=20, retry_interval=0.0, timeout=2.0))
    assert len(service.peers) == 9
    assert b"".join(heard) == samples.tobytes()


async def test_input_that_cannot_be_taken_ends_the_stream(
    service: ScriptedService, whisper: WhisperSTT, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(session: object, pcm: bytes) -> None:
        raise ValueError("no")

    async def patient(peer: Peer) -> None:
        await peer.accept()
        await peer.ws.wait_closed()

    monkeypatch.setattr("clients.livekit_plugin._session.Session.push", refuse)
    service.scripts = [patient]
    with pytest.raises(ValueError, match="no"):
        await transcribe(whisper, frames(noise(1)))


async def test_close_without_an_end(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.ws.close(1011)

    service.scripts = [script]
    with pytest.raises(APIStatusError) as caught:
        await transcribe(whisper, frames(noise(0.1)))
    assert (caught.value.status_code, caught.value.retryable) == (1011, True)


async def test_closed_for_good(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.ws.close(1008)

    service.scripts = [script]
    with pytest.raises(APIError, match="1008") as caught:
        await transcribe(whisper, frames(noise(0.1)), OFTEN)
    assert not caught.value.retryable
    assert len(service.peers) == 1


async def test_congestion_amid_a_session_starts_another(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def congested(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=500)
        await peer.error("QUEUE_CONGESTION")
        await peer.hear(until="cancel")
        await peer.end("cancelled")

    service.scripts = [congested, one_utterance()]
    samples = noise(1.1)
    events = await transcribe(whisper, frames(samples), OFTEN)
    assert kinds(events) == [START, INTERIM, FINAL, USAGE, END]
    assert service.peers[1].audio == samples.tobytes()
    await settle(lambda: "cancel" in service.peers[0].received)


async def test_ended_for_another_reason(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.end("error")

    service.scripts = [script]
    with pytest.raises(APIStatusError, match="ended the session: error") as caught:
        async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
            await anext(stream)
    assert caught.value.retryable


async def test_idle_session_is_opened_again_when_there_is_audio(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def idle(peer: Peer) -> None:
        await peer.accept()
        await peer.end("timeout")

    service.scripts = [idle, one_utterance()]
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        await settle(lambda: len(service.peers) == 1 and service.peers[0].ws.state.name == "CLOSED")
        await asyncio.sleep(0.1)
        assert len(service.peers) == 1
        samples = noise(1.2)
        for frame in frames(samples):
            stream.push_frame(frame)
        stream.end_input()
        events = [event async for event in stream]
    assert kinds(events) == [START, INTERIM, FINAL, USAGE, END]
    assert service.peers[1].audio == samples.tobytes()


async def test_speech_ends_with_the_input_of_an_idle_stream(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def idle(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 0)
        await peer.end("timeout")

    service.scripts = [idle]
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        assert (await anext(stream)).type is START
        await settle(lambda: service.peers[0].ws.state.name == "CLOSED")
        await asyncio.sleep(0.1)
        stream.end_input()
        assert kinds([event async for event in stream]) == [END]
    assert len(service.peers) == 1


async def test_closing_amid_speech_cancels_it(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 0)
        await peer.hear(until="cancel")
        await peer.end("cancelled")

    service.scripts = [script]
    stream = whisper.stream(conn_options=ONCE)
    stream.push_frame(frames(noise(0.1))[0])
    assert (await anext(stream)).type is START
    await whisper.aclose()
    await settle(lambda: "cancel" in service.peers[0].received)
