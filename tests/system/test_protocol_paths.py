"""Every path of the protocol over a real socket: Daphne, Valkey and a worker process with the echo engine."""

import asyncio
import json

import numpy as np
import pytest
import websockets

from harness.audio import noise, silence, speech
from harness.echo import heard
from harness.stack import Stack
from harness.talker import Talker
from harness.waiting import until


async def test_an_utterance_from_start_to_end(echo_stack: Stack) -> None:
    """The messages in order, each with every field of the contract."""
    async with Talker(echo_stack.ws_url) as talker:
        assert await talker.start(session_id="whole") == {"type": "session_started", "session_id": "whole"}
        await talker.stream(silence(0.3) + speech("s13_pm_alex") + silence(0.6))
        final = await talker.until("final_transcript")
        ended = await talker.end()
        with pytest.raises(websockets.ConnectionClosedOK):
            await talker.next()

    kinds = [message.get("state") or message["type"] for message in talker.messages]
    partials = [kind for kind in kinds if kind == "partial_transcript"]
    assert kinds == [
        "session_started", "speech_start", *partials, "speech_end", "final_transcript", "session_ended",
    ]  # fmt: skip
    assert len(partials) >= 5
    assert set(talker.of("partial_transcript")[0]) >= {
        "type", "session_id", "segment_id", "text", "confidence", "is_final", "timing",
    }  # fmt: skip
    assert final["is_final"] is True
    assert final["session_id"] == "whole"
    assert [sorted(word) for word in final["words"]] == [["end", "probability", "start", "word"]] * 2
    timing = final["timing"]
    assert timing["server_total_ms"] == pytest.approx(
        timing["preprocess_ms"] + timing["queue_wait_ms"] + timing["inference_ms"] + timing["postprocess_ms"], abs=0.05
    )
    assert ended == {
        "type": "session_ended",
        "session_id": "whole",
        "reason": "completed",
        "total_audio_ms": ended["total_audio_ms"],
        "total_segments": 1,
    }
    assert ended["total_audio_ms"] == pytest.approx(900 + len(speech("s13_pm_alex")) / 32, abs=0.1)


@pytest.mark.parametrize("frame", [2, 640, 12_345 * 2, 131_072])
async def test_every_sample_reaches_the_worker_once(echo_stack: Stack, frame: int) -> None:
    """Without VAD, the worker hears exactly what was sent, whatever the frames."""
    pcm = noise(4.0 if frame > 2 else 0.3)
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start(config={"vad_enabled": False, "partial_results": False})
        for i in range(0, len(pcm), frame):
            await talker.ws.send(pcm[i : i + frame])
        await talker.say("end_session")
        final = await talker.until("final_transcript")

    assert final["text"] == heard(pcm)
    assert final["audio_duration_ms"] == pytest.approx(len(pcm) / 32, abs=0.01)


async def test_long_speech_is_cut_without_losing_a_sample(echo_stack: Stack) -> None:
    """35 s of 'speech' come back as segments that join without gap or overlap."""
    pcm = noise(35.0)
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start(config={"vad_enabled": False, "partial_results": False})
        await talker.stream(pcm, pace=0.05)
        await talker.end()
    finals = talker.of("final_transcript")

    assert len(finals) >= 2
    for final in finals:
        start = round(final["audio_start_ms"] * 16)
        samples = round(final["audio_duration_ms"] * 16)
        assert final["text"] == heard(pcm[2 * start : 2 * (start + samples)])
    assert sum(final["audio_duration_ms"] for final in finals) == pytest.approx(35_000, abs=0.1)


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100, 48_000])
async def test_other_sample_rates_are_resampled(echo_stack: Stack, rate: int) -> None:
    """The segment lasts as long as the audio did."""
    pcm = (8000 * np.sin(np.arange(2 * rate) / rate * 2000)).astype("<i2").tobytes()
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start(config={"sample_rate": rate, "vad_enabled": False})
        for i in range(0, len(pcm), 4000):
            await talker.ws.send(pcm[i : i + 4000])
        ended = await talker.end()
    (final,) = talker.of("final_transcript")

    assert ended["total_audio_ms"] == pytest.approx(2000, abs=0.1)
    assert final["audio_duration_ms"] == pytest.approx(2000, abs=2)


async def test_named_flush_is_answered_with_speech_and_without(echo_stack: Stack) -> None:
    """In order, each by one final."""
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start()
        await talker.say("flush", flush_id="silent")
        await talker.stream(speech("s13_pm_alex")[: 32_000 * 2])
        await talker.say("flush", flush_id="spoken")
        await talker.say("flush", flush_id="again")
        ended = await talker.end()

    finals = talker.of("final_transcript")
    assert [final.get("flush_id") for final in finals] == ["silent", "spoken", "again"]
    assert [bool(final["text"]) for final in finals] == [False, True, False]
    assert [final["segment_id"] for final in finals] == ["seg-0001", "seg-0002", "seg-0003"]
    assert ended["total_segments"] == 3


async def test_flush_gives_the_final_at_once_and_the_session_goes_on(echo_stack: Stack) -> None:
    """A flush is an endpoint; speech after it is another segment."""
    clip = speech("s06_pf_dora")
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start()
        await talker.say("flush")
        for _ in range(2):
            await talker.stream(clip[: 32 * 2000], pace=0.2)
            await talker.say("flush")
            await talker.until("final_transcript")
        ended = await talker.end()

    assert ended["total_segments"] == 2
    assert talker.of("error") == []


async def test_cancel_answers_cancelled_and_nothing_more(echo_stack: Stack) -> None:
    """No final of the open utterance."""
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start()
        await talker.stream(speech("s06_pf_dora")[: 32 * 2000], pace=0.2)
        await talker.say("cancel")
        ended = await talker.until("session_ended")
        with pytest.raises(websockets.ConnectionClosedOK):
            await talker.next()

    assert ended["reason"] == "cancelled"
    assert talker.of("final_transcript") == []


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (bytes(640), "expected `start_session`"),
        ('{"type": "flush"}', "expected `start_session`"),
        ("olá", "JSON"),
        ('{"type": "start_session", "config": {"sample_rate": "16k"}}', "sample_rate"),
        ('{"type": "start_session", "config": {"beam": 9}}', "beam"),
    ],
)
async def test_bad_input_before_the_start_is_told_and_survived(
    echo_stack: Stack, frame: str | bytes, said: str
) -> None:
    """An INVALID_MESSAGE that names what was wrong; then a session starts on the same socket."""
    async with Talker(echo_stack.ws_url) as talker:
        await talker.ws.send(frame)
        error = await talker.next()
        started = await talker.start()

    assert error["code"] == "INVALID_MESSAGE"
    assert said.lower() in error["message"].lower()
    assert started["type"] == "session_started"
    assert started["session_id"]


async def test_bad_input_in_a_session_is_told_and_survived(echo_stack: Stack) -> None:
    """A second start, a long frame: errors; the audio around them is transcribed, a sample split over frames too."""
    pcm = noise(1.0)
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start(session_id="survivor", config={"vad_enabled": False})
        await talker.ws.send(pcm[:16_001])
        await talker.say("start_session", session_id="second")
        await talker.ws.send(pcm[16_001:])
        await talker.ws.send(bytes(131_074))
        await talker.end()
    (final,) = talker.of("final_transcript")

    assert [error["code"] for error in talker.of("error")] == ["SESSION_EXISTS", "INVALID_MESSAGE"]
    assert final["text"] == heard(pcm)


async def test_a_message_beyond_the_transport_s_limit_ends_the_connection(echo_stack: Stack) -> None:
    """No message over 1 MiB is read; what was said before is still transcribed and recorded (see test_pages)."""
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start()
        await talker.ws.send(bytes(2_000_000))
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await talker.next()
        assert closed.value.rcvd.code == 1009
    async with Talker(echo_stack.ws_url) as other:
        assert (await other.start())["type"] == "session_started"


async def test_a_live_session_id_is_refused_on_every_web_process(echo_stack: Stack) -> None:
    """SESSION_EXISTS across processes; free again once the session has ended."""
    first, second = echo_stack.ws_urls
    async with Talker(first) as one, Talker(second) as two:
        await one.start(session_id="taken")
        refused = await two.start(session_id="taken")
        other = await two.start(session_id="free")
        await one.end()
        async with Talker(second) as three:
            again = await three.start(session_id="taken")

    assert (refused["code"], refused["session_id"]) == ("SESSION_EXISTS", "taken")
    assert other["type"] == again["type"] == "session_started"


async def test_sessions_on_two_web_processes_share_a_worker(echo_stack: Stack) -> None:
    """Each gets its own audio's answer."""

    async def talk(url: str, seed: int) -> tuple[str, str]:
        pcm = noise(2.0, seed)
        async with Talker(url) as talker:
            await talker.start(config={"vad_enabled": False})
            await talker.stream(pcm)
            await talker.say("end_session")
            return heard(pcm), (await talker.until("final_transcript"))["text"]

    answers = await asyncio.gather(*(talk(url, seed) for seed, url in enumerate(echo_stack.ws_urls * 4)))

    assert [expected for expected, _ in answers] == [got for _, got in answers]


async def test_another_path_is_refused_at_the_handshake(echo_stack: Stack) -> None:
    """403, not a hanging socket, and what is expected."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(echo_stack.ws_url.replace("/ws/stt", "/ws/other"))

    assert refused.value.response.status_code == 403
    assert "expected /ws/stt" in json.loads(refused.value.response.body)["error"]


async def test_an_ended_session_leaves_nothing_subscribed(echo_stack: Stack) -> None:
    """However it ends: the client waits for the end, hangs up before its final, or never starts."""

    def channels() -> set[bytes]:
        return set(echo_stack.redis.pubsub_channels("stt*"))

    await asyncio.to_thread(until, lambda: not channels(), "earlier sessions' channels")
    async with Talker(echo_stack.ws_url) as waits, Talker(echo_stack.ws_url) as hangs_up, Talker(echo_stack.ws_url):
        for talker in (waits, hangs_up):
            await talker.start(config={"vad_enabled": False})
            await talker.stream(noise(1.0))
        assert channels()
        await waits.end()
    await asyncio.to_thread(until, lambda: not channels(), "all channels to be left")
