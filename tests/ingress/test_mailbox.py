"""What reaches a connection by the channel layer, and what becomes of it where Redis is away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis
from channels.layers import InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from harness.processes import free_port
from tests.ingress.place import Place
from transcription.core.contract import keyspace
from transcription.core.contract.messages import CANCEL_TYPE, OBSERVE_TYPE, REPORT_TYPE
from transcription.ingress import draining
from transcription.ingress.mailbox import Mailbox, QueueAwayError


class Layer(InMemoryChannelLayer):
    """One whose Redis may be away."""

    away = False

    async def group_add(self, group: str, channel: str) -> None:
        self._connect()
        await super().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self._connect()
        await super().group_discard(group, channel)

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        if message["type"] == REPORT_TYPE:
            self._connect()
        await super().send(channel, message)

    def _connect(self) -> None:
        if self.away:
            raise redis.ConnectionError("away")


@pytest.fixture
def layer(place: Place) -> Layer:
    place.layer = Layer()
    return place.layer


@pytest.fixture
async def pubsub(valkey_url: str) -> AsyncIterator[RedisPubSubChannelLayer]:
    """The real one, on a real server."""
    layer = RedisPubSubChannelLayer(hosts=[valkey_url])
    yield layer
    await layer.flush()


async def test_a_session_that_its_workers_could_not_reach_is_refused(place: Place, layer: Layer) -> None:
    """Its place is given back, and the client may try again at once."""
    async with place.line() as line:
        layer.away = True
        refused = await line.start()
        assert (refused["code"], refused["retry_after_ms"] > 0) == ("QUEUE_CONGESTION", True)
        assert (place.cluster.leases, draining.sessions) == ({}, set())
        layer.away = False

        assert (await line.start())["type"] == "session_started"


async def test_a_session_that_could_not_be_resumed_may_be_still(place: Place, layer: Layer) -> None:
    """What it had is not forgotten with the place that was taken for it."""
    async with place.line() as first:
        await first.start(resume=True)
        async with place.line() as second:
            layer.away = True
            assert (await second.start(resume=True))["code"] == "QUEUE_CONGESTION"
            layer.away = False

            assert (await second.start(resume=True))["resumed"] is True


async def test_a_session_ends_while_redis_is_away(place: Place, layer: Layer) -> None:
    async with place.line() as line:
        await line.start()
        layer.away = True
        await line.say("end_session")

        assert (await line.until("session_ended"))["reason"] == "completed"
        assert (await line.socket.receive_output())["code"] == 1000
    assert (place.cluster.leases, draining.sessions) == ({}, set())


async def test_a_watcher_that_cannot_be_answered_is_no_fault_of_the_session(place: Place, layer: Layer) -> None:
    watcher = await layer.new_channel()
    async with place.line() as line:
        await line.start()
        layer.away = True
        await layer.group_send(keyspace.SESSIONS_GROUP, {"type": OBSERVE_TYPE, "to": watcher, "text": True})
        await line.say("flush", flush_id="f")
        assert (await line.hear())["flush_id"] == "f"
        layer.away = False
        await layer.group_send(keyspace.SESSIONS_GROUP, {"type": OBSERVE_TYPE, "to": watcher, "text": True})

        assert (await layer.receive(watcher))["report"]["session_id"] == "s"


async def test_a_connection_s_name_is_forgotten_with_it(place: Place, pubsub: RedisPubSubChannelLayer) -> None:
    """Even if something comes for it while it gives its place back."""
    place.layer = pubsub
    release = place.cluster.release

    async def released(owner: str, *, resumable: bool = False) -> None:
        await pubsub.group_send(keyspace.group_name(owner), {"type": CANCEL_TYPE})
        (waiting,) = pubsub.channels.values()
        async with asyncio.timeout(5):
            while waiting.qsize() or not came.is_set():
                await asyncio.sleep(0.01)
        await release(owner, resumable=resumable)

    came = asyncio.Event()
    hear, place.cluster.release = pubsub._get_layer().receive, released

    async def receive(channel: str) -> dict[str, Any]:
        message = await hear(channel)
        came.set()
        return message

    pubsub._get_layer().receive = receive
    async with place.line() as line:
        await line.start()
        await line.socket.send_input({"type": "websocket.disconnect", "code": 1006})
        await line.socket.wait()

    assert not pubsub.channels


async def test_no_name_is_kept_of_who_could_not_be_served() -> None:
    layer = RedisPubSubChannelLayer(hosts=[f"redis://127.0.0.1:{free_port()}/0"])
    with pytest.raises(QueueAwayError):
        await Mailbox(layer).open()
    left = dict(layer.channels)
    await layer.flush()

    assert not left
