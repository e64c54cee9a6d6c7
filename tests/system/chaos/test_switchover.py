"""Another Redis behind the same address, whatever becomes of the connections to the first one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from harness.audio import noise
from harness.processes import free_port
from harness.stack import Stack
from harness.talker import Talker
from harness.waiting import until
from tests.system.chaos.address import Address, Old
from tests.system.chaos.conftest import SETTINGS
from tests.system.chaos.dictation import dictated_through

RECOVERS_S = 30.0


class Pair:
    """Two Valkeys behind an address, the second a replica until it is promoted."""

    def __init__(self, stack: Stack, address: Address, first: redis.Redis, second: redis.Redis, old: Old) -> None:
        self.stack, self._address, self._first, self._second, self._old = stack, address, first, second, old

    def switch_over(self) -> None:
        """As an operator plans it, or, where the first is dead, as a sentinel does; the address may be late."""
        self._second.replicaof("NO", "ONE")
        if self._old is not Old.DEAD:
            self._first.replicaof("127.0.0.1", port(self._second))
        self._address.lead_to(port(self._second), self._old)


def port(client: redis.Redis) -> int:
    """Where its server listens."""
    return client.get_connection_kwargs()["port"]


@pytest.fixture
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """A worker and a web process that know the address alone."""
    second = free_port()
    stack = Stack(tmp_path, SETTINGS)
    (folder := tmp_path / "replica").mkdir()
    with (
        Address(stack.port).listening() as address,
        stack,
        redis.Redis(port=second, password=stack.password) as other,
    ):
        stack.run_valkey(second, folder, f"replicaof 127.0.0.1 {stack.port}")
        until(lambda: other.info("replication")["master_link_status"] == "up", "the replica")
        stack.env["STT_REDIS_URL"] = f"redis://:{stack.password}@127.0.0.1:{address.port}/0"
        yield Pair(stack.start(), address, stack.redis, other, request.param)


@pytest.mark.parametrize("pair", list(Old), indirect=True)
async def test_a_switchover_costs_no_final_and_no_process(pair: Pair) -> None:
    """Owed before it, open over it, begun after it: all come, and no process ends; new ones are let in."""
    before = pair.stack.running("worker") + pair.stack.running("web")
    talker = await dictated_through(pair.stack.ws_url, pair.switch_over, RECOVERS_S)
    async with Talker(pair.stack.ws_url) as newcomer:
        answer = await newcomer.start(config={"vad_enabled": False})

    assert talker.finals == talker.owed
    assert answer["type"] == "session_started"
    assert [child for child in before if child.returncode is not None] == []


@pytest.mark.parametrize("pair", [Old.KEPT], indirect=True)
async def test_who_listens_at_the_new_server_hears_everything(pair: Pair) -> None:
    """A worker that went on telling the old one, where nobody listens any more, would be heard by its copies alone."""
    async with Talker(pair.stack.ws_url) as talker:  # the worker is connected for results
        await talker.start(config={"vad_enabled": False})
        await talker.stream(noise(0.5, 1), pace=0)
        await talker.end()
    await asyncio.to_thread(pair.switch_over)
    await asyncio.to_thread(pair.stack.start_web)
    async with Talker(pair.stack.ws_urls[-1]) as talker:
        answer = await talker.start(config={"vad_enabled": False})
        await talker.stream(noise(3.0, 2))
        await talker.end()

    assert answer["type"] == "session_started"
    assert talker.of("partial_transcript")
