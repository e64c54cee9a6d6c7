"""What is really written to Redis, against what the code says is written: each key that Valkey tells of.

A call and two sessions under an API key: one that ends, one whose web process and worker are killed in the middle of
it. And a worker whose model cannot decode.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from harness.audio import noise, silence, speech
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import until
from transcription.cluster import bars
from transcription.core.contract import keyspace

SLOW = ECHO | {
    "STT_AUTH": "required",
    "STT_ECHO_DECODE_MS": "1000",
    "STT_LANES": "1",
    "STT_MAX_QUEUE_DEPTH": "3",  # so that load is shed
    "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "15000",
}
NEVER_SEEN = {"stt:3", "stt:9", "*.reply.celery.pidbox"}
"""No job has these priorities; nobody asks the workers by Celery's own means."""


@dataclass
class Written:
    """What two sessions left."""

    stack: Stack
    keys: set[str] = field(default_factory=set)
    """Every key that was written."""

    def hear(self, message: dict[str, bytes]) -> None:
        """Valkey tells of a key."""
        self.keys.add(message["data"].decode())

    def uid(self, session_id: str) -> str:
        """A session's."""
        with sqlite3.connect(self.stack.database, timeout=10) as database:
            (found,) = database.execute("SELECT uid FROM transcription_session WHERE session_id = ?", (session_id,))
        database.close()
        return found[0]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    with Stack(tmp_path_factory.mktemp("keyspace"), SLOW) as stack, stack.redis.pubsub() as events:
        written = Written(stack)
        stack.redis.config_set("notify-keyspace-events", "KEA")
        events.psubscribe(**{"__keyevent@0__:*": written.hear})
        listening = events.run_in_thread(sleep_time=0.05, daemon=True)
        stack.start()
        asyncio.run(talk(stack, stack.manage("createapikey", "keyspace")))
        give_up(stack)
        bars.bar_key(stack.redis, "0", 1)
        bars.bar_session(stack.redis, "nobody", 1)
        until(lambda: not stack.redis.exists("stt:session:lost"), "the lost session's place to lapse")
        listening.stop()
        listening.join()
        yield written


def give_up(stack: Stack) -> None:
    """The worker that is of no use."""
    command = ["-m", "tests.system.chaos.failing", "-q", "-A", "sttproject", "worker", "-P", "threads", "-Q", "stt"]
    child = stack.run("broken", [sys.executable, *command], stack.env | {"CHAOS_FAILS": "always"})
    until(lambda: child.returncode is not None, "the worker's end")


async def talk(stack: Stack, api_key: str) -> None:
    """The call and the two sessions."""
    async with Talker(stack.ws_url.replace("/ws/stt", "/v1/asterisk"), api_key) as talker:
        await talker.ws.send("MEDIA_START channel:WebSocket/stt/0x1 format:slin16")
    await asyncio.to_thread(until, lambda: stack.redis.keys("stt:call:*"), "the call's notices")
    async with Talker(stack.ws_url, api_key) as talker:
        await talker.start(session_id="over", resume=True, config={"partial_results": False})  # no load
        for clip in ("s13_pm_alex", "s18_pf_dora", "s24_pf_dora"):  # one at least is in time for the same breath
            await talker.stream(speech(clip) + silence(0.7))
            await talker.until("final_transcript")
        await talker.say("end_session")
        await talker.until("session_ended")
    async with Talker(stack.ws_url, api_key) as talker:
        await talker.start(session_id="lost", resume=True, config={"vad_enabled": False})
        for seed in range(3):
            await talker.stream(noise(1.0, seed))
            await talker.say("flush")
        await talker.stream(noise(0.5, 3), pace=0)
        await asyncio.to_thread(until, lambda: stack.redis.keys("stt:claim:*"), "a final in the worker's hand")
        for child in stack.children[-2:]:
            stack.kill(child)


def test_every_key_is_known_and_every_known_key_is_written(written: Written) -> None:
    """The module has them all, and none that is gone."""
    families = {key: keyspace.family(key) for key in written.keys}

    assert [key for key, family in families.items() if family is None] == []
    assert {family.pattern for family in families.values() if family} == {
        family.pattern for family in keyspace.FAMILIES
    } - NEVER_SEEN


def test_every_key_lives_as_long_as_is_said(written: Written) -> None:
    """Or less; what has no end has none."""
    lives = {key: written.stack.redis.pttl(key) / 1000 for key in map(bytes.decode, written.stack.redis.keys())}
    said = {key: family.ttl_s for key in lives if (family := keyspace.family(key))}

    assert {key: life for key, life in lives.items() if not (0 < life <= said[key] if said[key] else life < 0)} == {}


def test_erasing_knows_every_key_of_a_session(written: Written) -> None:
    """Those of one that was lost in mid-sentence too; another's stay until they are asked for."""
    client, uids = written.stack.redis, {name: written.uid(name) for name in ("lost", "over")}
    known = {}
    for name, uid in uids.items():
        index = map(bytes.decode, client.smembers(keyspace.index_key(uid)))
        known[name] = set(keyspace.session_keys(uid, name, index))
        assert {key for key in written.keys if uid in key} <= known[name]
    left = {kind for kind in ("audio", "claim", "result", "resume") if client.keys(f"stt:{kind}:*")}
    written.stack.manage("erase", "lost")
    after_one = {name: bool(client.exists(*keys)) for name, keys in known.items()}
    written.stack.manage("erase", "over")

    assert left == {"audio", "claim", "result", "resume"}
    assert after_one == {"lost": False, "over": True}
    assert [key for uid in uids.values() for key in client.keys(f"*{uid}*")] == []
    assert client.keys("stt:resume:*") == []
