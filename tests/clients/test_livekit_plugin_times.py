"""The LiveKit plugin's times, where frames do not come all the time."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from listening import END, FINAL, OFTEN, ONCE, START, frames, noise
from livekit.agents.stt import SpeechEvent, SpeechEventType
from scripted_service import Peer, ScriptedService, settle

from clients.livekit_plugin import WhisperStream, WhisperSTT, stt

GAP_S = 20.0


class Clock:
    """The wall clock, which a test moves."""

    now = 1_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stt, "time", clock)
    return clock


def speak(stream: WhisperStream, clock: Clock, samples: np.ndarray, sample_rate: int = 16_000) -> None:
    """Each frame comes when it has been recorded."""
    for frame in frames(samples, sample_rate, ms=20):
        clock.now += frame.duration
        stream.push_frame(frame)


async def says(peer: Peer, start_ms: float, end_ms: float, segment_id: str) -> None:
    """One utterance, with 200 ms of audio before its speech and 500 after it."""
    await peer.speech("start", start_ms, segment_id)
    await peer.partial("olá", end_ms, segment_id)
    await peer.speech("end", end_ms, segment_id)
    words = [{"word": "olá", "start": 0.2, "end": (end_ms - start_ms) / 1000 + 0.2, "probability": 0.9}]
    await peer.final("olá", start_ms - 200, end_ms - start_ms + 700, segment_id, words=words)


def of(events: list[SpeechEvent], kind: SpeechEventType) -> list[SpeechEvent]:
    return [event for event in events if event.type is kind]


def times(events: list[SpeechEvent]) -> list[SimpleNamespace]:
    """Of each turn."""
    turns = zip(of(events, START), of(events, FINAL), of(events, END), strict=True)
    return [
        SimpleNamespace(
            started=start.speech_start_time,
            final_ended=final.speech_end_time,
            ended=end.speech_end_time,
            start=final.alternatives[0].start_time,
            end=final.alternatives[0].end_time,
            words=[(word.start_time, word.end_time) for word in final.alternatives[0].words],
        )
        for start, final, end in turns
    ]


async def two_turns(peer: Peer) -> None:
    """The second begins with the audio after the gap."""
    await peer.accept()
    await peer.hear(ms=1960)
    await says(peer, 200, 1200, "seg-1")
    await peer.hear(ms=3900)
    await says(peer, 1990, 3200, "seg-2")
    await peer.hear(until="end_session")
    await peer.end()


@pytest.mark.parametrize("sample_rate", [16_000, 48_000])
async def test_a_gap_counts(service: ScriptedService, whisper: WhisperSTT, clock: Clock, sample_rate: int) -> None:
    """In LiveKit's seconds and by the wall clock, at any rate; the second turn's pre-roll lies before the gap."""
    service.scripts = [two_turns]
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        stream.start_time_offset = 10.0
        speak(stream, clock, noise(2, sample_rate), sample_rate)
        clock.now += GAP_S
        speak(stream, clock, noise(2, sample_rate), sample_rate)
        stream.end_input()
        events = [event async for event in stream]
    first, second = times(events)

    assert (first.started, first.ended, first.final_ended) == pytest.approx((1_000.2, 1_001.2, 1_001.2), abs=0.05)
    assert (second.started, second.ended, second.final_ended) == pytest.approx((1_022.0, 1_023.2, 1_023.2), abs=0.05)
    assert (first.start, first.end) == pytest.approx((10.0, 11.2), abs=0.05)
    assert (second.start, second.end) == pytest.approx((31.8, 33.2), abs=0.05)
    assert second.words == [pytest.approx((32.0, 33.2), abs=0.05)]
    assert of(events, SpeechEventType.INTERIM_TRANSCRIPT)[1].alternatives[0].end_time == pytest.approx(33.2, abs=0.05)


async def test_a_gap_while_the_connection_is_lost(service: ScriptedService, whisper: WhisperSTT, clock: Clock) -> None:
    """The turn before it is told by the resumed session, the one after it too."""

    async def lost(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=1960)
        await peer.drop()

    async def resumed(peer: Peer) -> None:
        await peer.accept(resumed=True, audio_received_ms=0.0)
        await peer.hear(ms=3900)
        await says(peer, 200, 1200, "seg-1")
        await says(peer, 2000, 3200, "seg-2")
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [lost, resumed]
    async with asyncio.timeout(5), whisper.stream(conn_options=OFTEN) as stream:
        speak(stream, clock, noise(2))
        await settle(lambda: len(service.peers) == 1 and service.peers[0].ws.state.name == "CLOSED")
        clock.now += GAP_S
        speak(stream, clock, noise(2))
        stream.end_input()
        first, second = times([event async for event in stream])

    assert (first.started, first.ended) == pytest.approx((1_000.2, 1_001.2), abs=0.05)
    assert (second.started, second.ended) == pytest.approx((1_022.0, 1_023.2), abs=0.05)
    assert (first.start, second.start) == pytest.approx((0.0, 21.8), abs=0.05)


@pytest.mark.parametrize("set_offset", [True, False])
async def test_a_stream_whose_first_frame_comes_late(
    service: ScriptedService, whisper: WhisperSTT, clock: Clock, set_offset: bool
) -> None:
    """LiveKit's seconds go on from what it set; where it set nothing they begin with the frame."""
    service.scripts = [two_turns]
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        if set_offset:
            stream.start_time_offset = 10.0
        clock.now += GAP_S
        speak(stream, clock, noise(4))
        stream.end_input()
        first, _ = times([event async for event in stream])

    assert first.started == pytest.approx(1_020.2, abs=0.05)
    assert first.start == pytest.approx(30.0 if set_offset else 0.0, abs=0.05)


async def test_a_flush_in_a_gap(service: ScriptedService, whisper: WhisperSTT, clock: Clock) -> None:
    """Says when speech ended, not when it was asked."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.speech("start", 200)
        await peer.hear(until="flush")
        await peer.speech("end", 2000)
        await peer.final("olá", 0, 2000, flush_id=peer.flush_ids[0])
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        speak(stream, clock, noise(2))
        clock.now += GAP_S
        stream.flush()
        speak(stream, clock, noise(1))
        stream.end_input()
        (turn,) = times([event async for event in stream])

    assert (turn.started, turn.ended) == pytest.approx((1_000.2, 1_002.0), abs=0.05)


async def test_frames_that_were_held_back(service: ScriptedService, whisper: WhisperSTT, clock: Clock) -> None:
    """Spoken in time, pushed late and all at once: times are those of speaking."""
    service.scripts = [two_turns]
    held: list[Callable[[], None]] = []
    async with asyncio.timeout(5), whisper.stream(conn_options=ONCE) as stream:
        speak(stream, clock, noise(1))
        for frame in frames(noise(1), ms=20):
            clock.now += frame.duration
            held.append(lambda frame=frame: stream.push_frame(frame))
        for push in held:
            push()
        speak(stream, clock, noise(2))
        stream.end_input()
        first, second = times([event async for event in stream])

    assert (first.started, first.ended) == pytest.approx((1_000.2, 1_001.2), abs=0.05)
    assert (second.started, second.ended) == pytest.approx((1_002.0, 1_003.2), abs=0.05)
