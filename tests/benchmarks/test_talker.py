"""Talkers that play scripts, over a real socket to a service that says what it is told to."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from benchmarks.clips import FRAME
from benchmarks.record import Record
from benchmarks.schedule import FRAME_S, Script, assemble
from benchmarks.talker import play
from tests.benchmarks.material import spoken
from tests.clients.scripted_service import Peer, ScriptedService, refusal


async def obliging(peer: Peer) -> None:
    """Hears everything, and ends when told to."""
    await peer.accept()
    await peer.hear(until="end_session")
    await peer.end()


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    """An obliging one."""
    async with ScriptedService() as service:
        service.scripts = [obliging]
        yield service


@pytest.fixture
def script() -> Script:
    """A tenth of a second of speech."""
    return assemble([spoken(0.1)], [0.04, 0.04])


def kinds(record: Record) -> list[str]:
    """What came."""
    return [received.message["type"] for received in record.received]


async def test_a_session_is_played_in_full(service: ScriptedService, script: Script) -> None:
    """Start, every frame, end; and every answer is kept."""
    record = await play(service.url, script, [("X-Key", "a")], drain_s=1.0)
    (peer,) = service.peers

    assert peer.start["config"]["lang_code"] == "pt"
    assert peer.audio == script.pcm.tobytes()
    assert peer.received == ["end_session"]
    assert kinds(record) == ["session_started", "session_ended"]
    assert record.completed
    assert record.sent == len(script.pcm)
    assert service.headers[0]["X-Key"] == "a"


async def test_another_rate_is_told_and_sent_in_as_much_time(service: ScriptedService, script: Script) -> None:
    """Half the samples, in real time; what else is asked for is asked for."""
    record = await play(service.url, replace(script, rate=8_000), [], drain_s=1.0, vad_enabled=False)
    (peer,) = service.peers

    assert (peer.start["config"]["sample_rate"], peer.start["config"]["vad_enabled"]) == (8_000, False)
    assert len(peer.audio) == len(script.pcm)
    assert len(record.lags_ms) == len(list(script.frames()))
    assert record.sent == len(script.pcm)


async def test_frames_are_never_early_and_do_not_drift(service: ScriptedService, script: Script) -> None:
    """Each has its own deadline, counted from the start."""
    record = await play(service.url, script, [], drain_s=1.0)

    assert len(record.lags_ms) == 9
    assert min(record.lags_ms) >= -1.0
    assert record.received[-1].at >= record.began_at + 9 * FRAME_S - 0.001


async def test_a_refused_session_sends_no_audio(service: ScriptedService, script: Script) -> None:
    """The refusal is kept."""
    service.scripts = [refusal("MAX_SESSIONS_REACHED")]

    record = await play(service.url, script, [], drain_s=1.0)

    assert not record.started
    assert record.sent == 0
    assert [received.message["code"] for received in record.received] == ["MAX_SESSIONS_REACHED"]
    assert record.failure is None


async def test_a_session_that_does_not_end_is_given_up(service: ScriptedService, script: Script) -> None:
    """After the time to drain; the record says so."""

    async def endless(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        await peer.ws.wait_closed()

    service.scripts = [endless]

    record = await play(service.url, script, [], drain_s=0.01)

    assert not record.completed
    assert record.failure == "TimeoutError: "


async def test_a_session_that_breaks_counts_what_was_sent(service: ScriptedService) -> None:
    """The frame that could not be sent was late or not, but is not counted."""

    async def breaking(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=60)
        await peer.drop()

    service.scripts = [breaking]

    record = await play(service.url, assemble([spoken(1.0)], [0.0, 0.0]), [], drain_s=1.0)

    assert record.started and not record.completed
    assert 960 <= record.sent < 16_000
    assert record.sent == FRAME * (len(record.lags_ms) - 1)
    assert (record.failure or "").startswith("ConnectionClosedError")
