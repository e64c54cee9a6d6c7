"""Redis restarted, or gone for a while: sockets stay open, audio is held, work resumes by itself."""

import asyncio
from collections.abc import Callable

import pytest

from reliability.cluster import Cluster
from reliability.conversation import heard
from tests.system.chaos.dictation import Dictation
from tests.system.talker import Talker, noise

RECOVERS_S = 20.0


@pytest.fixture(scope="module")
def cluster(start_cluster: Callable[..., Cluster]) -> Cluster:
    """Its Valkey forgets when it is restarted."""
    return start_cluster(webs=1)


@pytest.fixture(scope="module")
def persistent(start_cluster: Callable[..., Cluster]) -> Cluster:
    """Its Valkey does not."""
    return start_cluster(webs=1, persistent=True)


async def speak_through(cluster: Cluster, fault: Callable[[], object], patience_s: float) -> Dictation:
    """A session with finals asked for before and during a fault, and a segment open over it all."""
    async with Dictation(cluster.ws_url) as talker:
        await talker.begin()
        await talker.dictate(8)
        await talker.speak(noise(0.5, 1))
        await asyncio.sleep(0.3)  # half of an open segment is in Redis
        context = fault()
        await asyncio.to_thread(context.__enter__)
        try:
            await talker.speak(noise(0.5, 2))
            await asyncio.sleep(4.0)
            await talker.close_segment()
            await talker.dictate(4)
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)
        await talker.dictate(4)
        await talker.finish(patience_s)
    return talker


@pytest.mark.parametrize("name", ["cluster", "persistent"])
async def test_a_restart_is_survived(name: str, request: pytest.FixtureRequest) -> None:
    """Kill -9, back after four seconds: every final comes once, and every process is the one it was."""
    cluster = request.getfixturevalue(name)
    before = [child for child in cluster.children if child.name != "redis"]
    talker = await speak_through(cluster, cluster.redis_down, RECOVERS_S)

    assert talker.received == talker.owed
    assert [child for child in before if child.name != "migrate" and child.returncode is not None] == []


async def test_a_restart_keeps_the_places(cluster: Cluster) -> None:
    """A live session_id is refused after a restart as before it."""
    async with Dictation(cluster.ws_url) as talker, Talker(cluster.ws_url) as other:
        await talker.begin(session_id="kept")
        context = cluster.redis_down()
        await asyncio.to_thread(context.__enter__)
        await asyncio.to_thread(context.__exit__, None, None, None)
        await asyncio.sleep(6.0)  # two renewals
        refused = await other.start(session_id="kept")
        await talker.finish(RECOVERS_S)

    assert refused["code"] == "SESSION_EXISTS"


async def test_a_frozen_redis_is_survived(cluster: Cluster) -> None:
    """SIGSTOP: connections stay and nothing answers, for longer than a socket's time-out."""
    (redis,) = cluster.running("redis")
    talker = await speak_through(cluster, lambda: cluster.frozen(redis), RECOVERS_S)

    assert talker.received == talker.owed


async def test_audio_that_cannot_be_held_is_told(cluster: Cluster) -> None:
    """Over the bound frames are refused whole, by one `error`; the rest is one final, word for word."""
    pcm = noise(9.0, 3)
    (redis,) = cluster.running("redis")
    async with Talker(cluster.ws_url) as talker:
        await talker.start(config={"vad_enabled": False, "partial_results": False})
        with cluster.frozen(redis):
            await talker.stream(pcm, pace=0)
            told = await talker.until("error", 10)
            await talker.say("nonsense")  # its answer comes after all audio was read
            await talker.until("error", 10)
        await talker.say("flush")
        final = await talker.until("final_transcript", RECOVERS_S)
    kept = round(final["audio_duration_ms"] * 16)

    assert told["code"] == "QUEUE_CONGESTION"
    assert len(talker.of("error")) == 2
    assert 4.5 * 16_000 < kept <= 5.1 * 16_000
    assert final["text"] == heard(pcm[: 2 * kept])
