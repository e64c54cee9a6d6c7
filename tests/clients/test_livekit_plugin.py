"""The LiveKit plugin against a scripted service, and against the real one."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from listening import END, FINAL, INTERIM, ONCE, START, USAGE, frames, kinds, noise, transcribe
from livekit.agents import APIStatusError, utils
from livekit.agents.metrics import STTMetrics
from scripted_service import Peer, ScriptedService, one_utterance

from clients.livekit_plugin import WhisperSTT
from clients.livekit_plugin._session import limits

ROOT = Path(__file__).parents[2]


async def test_events_come_in_order_with_their_times(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts = [one_utterance()]
    before = time.time()
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        stream.start_time_offset = 10.0
        for frame in frames(noise(1.2)):
            stream.push_frame(frame)
        stream.end_input()
        start, interim, final, usage, end = [event async for event in stream]

    assert kinds([start, interim, final, usage, end]) == [START, INTERIM, FINAL, USAGE, END]
    assert {event.request_id for event in (start, interim, final, usage, end)} == {"session-1"}
    assert before <= start.speech_start_time <= time.time()
    assert (interim.alternatives[0].text, interim.alternatives[0].language) == ("olá", "pt")
    assert interim.alternatives[0].end_time == pytest.approx(10.8)
    said = final.alternatives[0]
    assert (said.text, said.confidence) == ("olá mundo", 0.9)
    assert (said.start_time, said.end_time) == pytest.approx((10.1, 10.8))
    assert [str(word) for word in said.words] == ["olá", "mundo"]
    assert [(word.start_time, word.end_time) for word in said.words] == [
        pytest.approx((10.1, 10.2)),
        pytest.approx((10.2, 10.3)),
    ]
    assert all((word.confidence, word.start_time_offset) == pytest.approx((0.9, 10.0)) for word in said.words)
    assert final.speech_end_time <= final.created_at
    assert usage.recognition_usage.audio_duration == pytest.approx(0.9)
    assert end.speech_end_time <= end.created_at


async def test_session_is_asked_for_what_was_configured(service: ScriptedService, http: aiohttp.ClientSession) -> None:
    service.scripts = [one_utterance()]
    audio = frames(noise(1))
    await transcribe(WhisperSTT(service.url, http_session=http), audio)
    choosy = WhisperSTT(
        service.url,
        language="pt-BR",
        vad_threshold=0.3,
        interim_results=False,
        word_timestamps=False,
        http_session=http,
    )
    await transcribe(choosy, audio)
    await transcribe(choosy, audio, language="english")

    config: dict[str, object] = {
        "sample_rate": 16_000,
        "vad_enabled": True,
        "word_timestamps": True,
        "partial_results": True,
    }
    assert service.peers[0].start == {
        "type": "start_session",
        "config": {**config, "lang_code": "pt"},
        "resume": True,
    }
    config |= {"word_timestamps": False, "partial_results": False, "vad_threshold": 0.3}
    assert service.peers[1].start["config"] == {**config, "lang_code": "pt"}
    assert service.peers[2].start["config"]["lang_code"] == "en"
    assert (choosy.capabilities.interim_results, choosy.capabilities.aligned_transcript) == (False, "chunk")


@pytest.mark.parametrize("option", ["keyterms", "redact", "tags"])
async def test_text_in_place_of_a_list_is_refused(http: aiohttp.ClientSession, option: str) -> None:
    """It would be taken letter by letter."""
    with pytest.raises(ValueError, match=f"{option}: expected a list"):
        WhisperSTT(http_session=http, **{option: "Sicoob"})


async def test_audio_arrives_whole_in_chunks(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts = [one_utterance()]
    samples = noise(1.015)
    await transcribe(whisper, frames(samples))
    (peer,) = service.peers
    assert peer.audio == samples.tobytes()
    assert {len(chunk) for chunk in peer.chunks[:-1]} == {32 * limits.CHUNK_MS}


async def test_input_of_48_khz_stereo(service: ScriptedService, whisper: WhisperSTT) -> None:
    service.scripts = [one_utterance()]
    t = np.arange(48_000 * 3 // 2) / 48_000
    left = 8_000 * np.sin(2 * np.pi * 440 * t)
    stereo = np.stack([left, left / 2], axis=1).astype(np.int16)
    events = await transcribe(whisper, frames(stereo, 48_000))

    assert kinds(events) == [START, INTERIM, FINAL, USAGE, END]
    heard = np.frombuffer(service.peers[0].audio, np.int16)
    assert len(heard) == pytest.approx(24_000, abs=200)
    spectrum = np.abs(np.fft.rfft(heard[4_000:20_000]))
    assert np.argmax(spectrum) == 440
    assert np.abs(heard[4_000:20_000]).max() == pytest.approx(6_000, rel=0.05)


async def test_channels_do_not_cancel_each_other_out(service: ScriptedService, whisper: WhisperSTT) -> None:
    """A cable wired the wrong way round, in a stream and in a buffer."""
    left = noise(1)
    opposed = frames(np.concatenate([left, -left], axis=1))
    service.scripts = [one_utterance(), one_utterance()]
    await transcribe(whisper, opposed)
    await whisper.recognize(opposed, conn_options=ONCE)
    for peer in service.peers:
        assert np.corrcoef(np.frombuffer(peer.audio, np.int16), left[:, 0])[0, 1] > 0.99


async def test_end_of_input_waits_for_the_last_final(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def slow(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 100)
        await peer.hear(until="end_session")
        await peer.speech("end", 900)
        await asyncio.sleep(0.3)
        await peer.final("até logo", 0, 1000)
        await peer.end()

    service.scripts = [slow]
    events = await transcribe(whisper, frames(noise(1)))
    assert kinds(events) == [START, FINAL, USAGE, END]


async def test_flush_is_passed_on_after_the_audio_before_it(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="flush")
        await peer.final("pronto", 0, 110)
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        for frame in frames(noise(0.11)):
            stream.push_frame(frame)
        stream.flush()
        assert (await anext(stream)).type is FINAL
        assert len(service.peers[0].audio) == 32 * 110
        stream.end_input()


async def test_segment_without_transcript_still_ends(
    service: ScriptedService, whisper: WhisperSTT, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 100)
        await peer.speech("end", 300)
        await peer.error("INFERENCE_ERROR", segment_id="seg-1")
        await peer.speech("start", 500, "seg-2")
        await peer.speech("end", 800, "seg-2")
        await peer.final("de novo", 400, 500, "seg-2")
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    events = await transcribe(whisper, frames(noise(1)))
    assert kinds(events) == [START, END, START, FINAL, USAGE, END]
    assert "seg-1 has no transcript" in caplog.text


async def test_speech_that_resumes_before_its_final_is_one_speech(
    service: ScriptedService, whisper: WhisperSTT
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 100)
        await peer.speech("end", 300)
        await peer.speech("start", 500, "seg-2")
        await peer.final("vire à", 0, 400)
        await peer.speech("end", 800, "seg-2")
        await peer.final("direita", 400, 500, "seg-2")
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    events = await transcribe(whisper, frames(noise(1)))
    assert kinds(events) == [START, FINAL, USAGE, FINAL, USAGE, END]


async def test_usage_and_connection_are_measured(service: ScriptedService, whisper: WhisperSTT) -> None:
    measured: list[STTMetrics] = []
    whisper.on("metrics_collected", measured.append)
    service.scripts = [one_utterance()]
    await transcribe(whisper, frames(noise(1)))
    assert [metrics.audio_duration for metrics in measured] == [0.0, pytest.approx(0.9)]
    assert measured[0].acquire_time > 0
    assert (measured[1].metadata.model_name, measured[1].metadata.model_provider) == ("whisper", "Whisper STT")


async def test_session_of_the_job_is_used_by_default(service: ScriptedService) -> None:
    service.scripts = [one_utterance()]
    async with utils.http_context.open():
        events = await transcribe(WhisperSTT(service.url), frames(noise(1)))
    assert FINAL in kinds(events)


async def test_recognize_joins_the_finals(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        await peer.final("vire à direita", 100, 900)
        await peer.final("e siga", 2000, 800, "seg-2")
        await peer.end()

    service.scripts = [script]
    event = await whisper.recognize(frames(noise(3, 48_000), 48_000), conn_options=ONCE)
    (said,) = event.alternatives
    assert (event.type, event.request_id, said.text) == (FINAL, "session-1", "vire à direita e siga")
    assert (said.start_time, said.end_time, said.confidence) == pytest.approx((0.1, 2.8, 0.9))
    assert [word.start_time for word in said.words] == pytest.approx([0.1, 0.2, 0.3, 2.0, 2.1])
    assert len(service.peers[0].audio) == pytest.approx(3 * 32_000, abs=400)
    assert service.peers[0].start["config"]["partial_results"] is False


async def test_recognize_hears_nothing(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    event = await whisper.recognize(frames(noise(0.5))[0], conn_options=ONCE)
    assert (event.alternatives[0].text, event.alternatives[0].words) == ("", None)


async def test_recognize_leaves_no_hole(service: ScriptedService, whisper: WhisperSTT) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.error("INFERENCE_ERROR", segment_id="seg-1")
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    with pytest.raises(APIStatusError, match="INFERENCE_ERROR"):
        await whisper.recognize(frames(noise(0.5)), conn_options=ONCE)


def test_plugin_knows_only_the_wire() -> None:
    program = "import sys, clients.livekit_plugin; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"django", "transcription", "workers", "sttproject"} & set(loaded.stdout.split())


async def test_formatted_text_is_metadata_of_a_final(service: ScriptedService, http: aiohttp.ClientSession) -> None:
    """What is asked for goes to the service; what it says besides the text comes with it, where LiveKit has a place."""
    money: dict[str, object] = {"type": "money", "text": "R$ 20", "value": "20", "currency": "BRL"}
    money |= {"start": 4, "end": 9, "spoken_start": 4, "spoken_end": 15}

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=500)
        await peer.final("são vinte reais", 0, 500, text_formatted="são R$ 20", entities=[money])
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    found = {"external_id": "room-1", "tags": ["sales"]}
    asked = {"text_format": "pt-BR", "redact": ["cpf"], "keyterms": ["Sicoob"]}
    whisper = WhisperSTT(service.url, **asked, **found, http_session=http)
    events = await transcribe(whisper, frames(noise(0.5)))
    (final,) = [event for event in events if event.type is FINAL]
    config = service.peers[0].start["config"]

    assert (config["format"], config["redact"], config["keyterms"]) == ("pt-BR", ["cpf"], ["Sicoob"])
    assert service.peers[0].start["metadata"] == found
    (said,) = final.alternatives
    assert said.text == "são vinte reais"
    expected = {"text_formatted": "são R$ 20", "entities": [money]}
    assert vars(said).get("metadata", expected) == expected
