"""The Python client library against a scripted service."""

import asyncio
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import whisper_stt
from scripted_service import Peer, ScriptedService, one_utterance, refusal, settle
from streaming import noise, transcribe
from whisper_stt import FinalTranscript, PartialTranscript, ServerError, Stream, VadEvent, connect

pytestmark = pytest.mark.usefixtures("no_task_is_left")
ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "clients/python/src"


async def test_events_are_typed_and_in_order(service: ScriptedService) -> None:
    service.scripts = [one_utterance()]
    pcm = noise(1.215)
    start, partial, end, final = await transcribe(service, pcm)

    assert isinstance(start, VadEvent)
    assert (start.state, start.t_ms, start.segment_id) == ("speech_start", 200, "seg-1")
    assert isinstance(partial, PartialTranscript)
    assert isinstance(end, VadEvent)
    assert isinstance(final, FinalTranscript)
    assert (final.text, final.start, final.end) == ("olá mundo", 0.1, 1.0)
    assert [(word.word, word.start, word.end) for word in final.timeline] == [("olá", 0.1, 0.2), ("mundo", 0.2, 0.3)]
    assert service.peers[0].audio == pcm
    assert {len(chunk) for chunk in service.peers[0].chunks[:-1]} == {1280}


async def test_session_is_asked_for_what_was_wanted(service: ScriptedService) -> None:
    service.scripts = [one_utterance()]
    await transcribe(service, noise(1))
    await transcribe(service, noise(3), language="pt-BR", sample_rate=48_000, vad_threshold=0.3, partials=False)
    await transcribe(service, noise(1), text_format="pt-BR")
    config = {"sample_rate": 16_000, "vad_enabled": True, "partial_results": True, "word_timestamps": True}
    other = {"lang_code": "pt-BR", "sample_rate": 48_000, "vad_threshold": 0.3, "partial_results": False}
    await transcribe(service, noise(1), encoding="mulaw", sample_rate=32_000)
    await transcribe(service, noise(1), external_id="CRM-4711", tags=["sales"])

    assert service.peers[0].start == {"type": "start_session", "config": config, "resume": True}
    assert service.peers[1].start["config"] == config | other
    assert service.peers[2].start["config"] == config | {"format": "pt-BR"}
    assert service.peers[3].start["config"] == config | {"encoding": "mulaw", "sample_rate": 32_000}
    assert service.peers[4].start["metadata"] == {"external_id": "CRM-4711", "tags": ["sales"]}


async def test_unread_partials_give_way_to_newer_ones(service: ScriptedService) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        for n in range(100):
            await peer.partial(f"{n}", 100)
        await peer.final("fim", 0, 100)
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    async with connect(service.url) as stream:
        await stream.end()
        await settle(lambda: service.peers[0].ws.state.name == "CLOSED")
        events = [event async for event in stream]
    assert [event.text for event in events] == ["99", "fim"]


async def test_flush_returns_its_final(service: ScriptedService) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="flush")
        await peer.final("antes", 0, 50)
        await peer.final("pronto", 50, 60, "seg-2", flush_id=peer.flush_ids[0])
        while len(peer.flush_ids) < 2:
            await peer.hear(ms=len(peer.audio) / 32 + 1)
        await peer.error("INFERENCE_ERROR", segment_id="seg-3", flush_id=peer.flush_ids[1])
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    async with asyncio.timeout(5), connect(service.url) as stream:
        await stream.send(noise(0.11))
        final = await stream.flush()
        assert isinstance(final, FinalTranscript)
        assert final.text == "pronto"
        assert len(service.peers[0].audio) == 32 * 110
        asking = asyncio.create_task(stream.flush())
        await asyncio.sleep(0.05)
        await stream.send(noise(0.2))
        assert isinstance(await asking, ServerError)
        await stream.end()
        assert [type(event) for event in [event async for event in stream]] == [
            FinalTranscript,
            FinalTranscript,
            ServerError,
        ]


@pytest.mark.parametrize(("encoding", "sample_rate"), [(None, 16_000), ("mulaw", 32_000)])
async def test_finals_have_their_time_by_the_clock(
    service: ScriptedService, monkeypatch: pytest.MonkeyPatch, encoding: str | None, sample_rate: int
) -> None:
    """Positions count what was sent, the clock what passed; 32,000 bytes are a second."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=3000)
        await peer.speech("start", 2000, "seg-1")
        await peer.final("olá mundo", 2000, 900, "seg-1")
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    now = 1_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    stream = connect(service.url, speed=1000.0, encoding=encoding, sample_rate=sample_rate)
    async with asyncio.timeout(5), stream:
        for second in range(4):
            now += 21.0 if second == 2 else 1.0
            await stream.send(noise(1))
        await stream.end()
        (final,) = [event async for event in stream if isinstance(event, FinalTranscript)]
        spoken = stream.spoken(final)

    assert final.start == 2.0
    assert spoken.start == pytest.approx((22.0, 1_022.0))
    assert spoken.end == pytest.approx((22.2, 1_022.2))
    assert [start.at for start, _ in spoken.words] == pytest.approx([1_022.0, 1_022.1])


async def test_stream_that_was_not_entered_waits_for_nothing() -> None:
    """Whoever forgets `async with` is told."""
    stream = connect()
    for use in (stream.send(noise(3)), stream.flush(), stream.configure(turn_mode="auto"), anext(aiter(stream))):
        with pytest.raises(whisper_stt.WhisperSttError, match="async with"):
            await use


async def test_audio_that_is_no_bytes_is_refused(service: ScriptedService) -> None:
    """And the stream goes on: an array would be sent as whatever its items are."""
    service.scripts = [one_utterance()]
    async with asyncio.timeout(5), connect(service.url) as stream:
        for audio in ("text", None, np.zeros(160, np.float32)):
            with pytest.raises(TypeError, match="expected audio as bytes"):
                await stream.send(audio)
        await stream.send(memoryview(noise(1)))
        await stream.end()
        assert [event.text async for event in stream if isinstance(event, FinalTranscript)] == ["olá mundo"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        *[({name: "pt"}, f"{name}: expected a list") for name in ("keyterms", "redact", "tags", "languages")],
        ({"channels": 2, "channel_names": "ab"}, "channel_names: expected a list"),
        ({"speed": 0}, "speed: expected a number above 0"),
        ({"speed": float("nan")}, "speed: expected a number above 0"),
    ],
)
def test_options_that_are_none_are_told(options: dict[str, Any], told: str) -> None:
    """A text is a list of its letters to Python; nobody means that."""
    with pytest.raises(whisper_stt.OptionError, match=told):
        connect(**options)


async def test_configure_returns_what_holds_from_now_on(service: ScriptedService) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="configure")
        options = {"lang_code": "pt", "turn_mode": "dictation", "min_silence_ms": 500, "max_hold_ms": 2500}
        await peer.say("configured", keyterms=["Unimed"], **options)
        peer.received.clear()
        await peer.hear(until="configure")
        await peer.error("INVALID_MESSAGE", refused="configure")
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    async with asyncio.timeout(5), connect(service.url, keyterms=["Sicoob"]) as stream:
        configured = await stream.configure(turn_mode="dictation", keyterms=["Unimed", "Thayná"])
        assert (configured.turn_mode, configured.keyterms) == ("dictation", ["Unimed"])
        with pytest.raises(whisper_stt.RefusedError, match="INVALID_MESSAGE"):
            await stream.configure(max_hold_ms=20_000)
        await stream.end()
        assert [event async for event in stream] == []
    (peer,) = service.peers
    assert (peer.start["config"]["keyterms"], peer.changes[0]["keyterms"]) == (["Sicoob"], ["Unimed", "Thayná"])
    assert "keyterms" not in peer.changes[1]


async def test_refused_for_now_is_tried_again(service: ScriptedService) -> None:
    service.scripts = [refusal("QUEUE_FULL", retry_after_ms=300), refusal("MAX_SESSIONS_REACHED"), one_utterance()]
    began = asyncio.get_running_loop().time()
    assert len(await transcribe(service, noise(1))) == 4
    assert asyncio.get_running_loop().time() - began > 0.3


async def test_refused_for_good(service: ScriptedService) -> None:
    service.scripts = [refusal("INVALID_MESSAGE")]
    with pytest.raises(whisper_stt.RefusedError, match="INVALID_MESSAGE it is"):
        await transcribe(service, noise(0.1))
    service.scripts = [refusal("QUEUE_FULL")]
    with pytest.raises(whisper_stt.RefusedError, match="QUEUE_FULL"):
        await transcribe(service, noise(0.1), retry_s=0.3)


async def test_refused_without_a_word() -> None:
    """By a proxy, or at a path that is none of the service's: its status is told in words."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(whisper_stt.RefusedError, match=r"^HTTP 404: Not Found$"):
            async with whisper_stt.connect(f"ws://127.0.0.1:{port}/ws/stt"):
                pass


async def test_key_revoked_amid_a_session(service: ScriptedService) -> None:
    """What was said before is told before the refusal is."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=500)
        await peer.error("UNAUTHORIZED")
        await peer.final("um", 0, 400)
        await peer.end("error")

    service.scripts = [script]
    told: list[whisper_stt.Event] = []

    async def listen(stream: Stream) -> None:
        async for event in stream:
            told.append(event)

    async with asyncio.timeout(5), connect(service.url) as stream:
        await stream.send(noise(0.6))
        with pytest.raises(whisper_stt.RefusedError, match="UNAUTHORIZED"):
            await listen(stream)
    assert [type(event) for event in told] == [FinalTranscript]
    assert len(service.peers) == 1


async def test_key_is_sent_and_told_to_nobody(
    service: ScriptedService, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("STT_API_KEY", "from-environment")
    service.scripts = [one_utterance()]
    await transcribe(service, noise(1))
    service.statuses = [401]
    with pytest.raises(whisper_stt.RefusedError, match="HTTP 401") as caught:
        await transcribe(service, noise(1), api_key="sekret")
    client_logs = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]

    assert [headers["Authorization"] for headers in service.headers] == ["Bearer from-environment", "Bearer sekret"]
    assert "sekret" not in "".join(client_logs)
    assert "sekret" not in f"{caught.value!r}{caught.value.__cause__!r}{connect(service.url, api_key='sekret')!r}"


async def test_nobody_listens() -> None:
    with pytest.raises(whisper_stt.ConnectError, match="Cannot connect"):
        async with connect("ws://127.0.0.1:9/ws/stt"):
            pass


async def test_leaving_early_cancels(service: ScriptedService) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 0)
        await peer.hear(until="cancel")
        await peer.end("cancelled")

    service.scripts = [script]
    async with asyncio.timeout(5), connect(service.url) as stream:
        await stream.send(noise(0.1))
        async for _ in stream:
            break
    await settle(lambda: "cancel" in service.peers[0].received)
    with pytest.raises(whisper_stt.WhisperSttError):
        await stream.send(b"")


async def test_unknown_messages_are_ignored_and_nonsense_is_not(service: ScriptedService) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.say("weather", sunny=True)
        await peer.ws.send('{"type": "final_transcript"}')
        await peer.ws.wait_closed()

    service.scripts = [script]
    with pytest.raises(whisper_stt.ProtocolError, match="session_id"):
        await transcribe(service, noise(0.1))


def test_library_knows_only_the_wire() -> None:
    program = "import sys, whisper_stt, whisper_stt.cli; print(*sys.modules)"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SOURCES)!r}); {program}"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"django", "transcription", "workers", "sttproject", "av", "rich", "sounddevice", "numpy"} & set(loaded)
