"""A master that sentinels watch: killed, hung or asked to go, its replica takes over and nobody is told an address."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import requests
from websockets.exceptions import InvalidStatus

from harness.audio import noise
from harness.sentinels import WatchedStack
from harness.talker import Talker
from tests.system.chaos.conftest import SETTINGS
from tests.system.chaos.dictation import dictated_through

RECOVERS_S = 40.0


def killed(stack: WatchedStack) -> None:
    """The master's machine is lost, and the sentinel on it: the one that is asked first."""
    stack.kill(stack.running("sentinel")[0])
    stack.kill(stack.primary())


def planned(stack: WatchedStack) -> None:
    """An operator has the replica take over; the old master lives on as its replica."""
    stack.fail_over()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[WatchedStack]:
    """A worker and a web process."""
    with WatchedStack(tmp_path, SETTINGS) as stack:
        yield stack


@pytest.mark.parametrize("fault", [killed, planned])
async def test_a_failover_costs_no_final_and_no_process(
    stack: WatchedStack, fault: Callable[[WatchedStack], None]
) -> None:
    """Of the promoted one too: the second time it is the first that takes over again."""
    before = stack.start().running("worker") + stack.running("web")
    first = stack.primary()
    talker = await dictated_through(stack.ws_url, partial(fault, stack), RECOVERS_S)
    second = stack.primary()
    for child in [child for child in stack.children if child.returncode is not None]:
        stack.again(child)
    await asyncio.to_thread(stack.await_replica)
    back = await dictated_through(stack.ws_url, partial(fault, stack), RECOVERS_S)

    assert second is not first
    assert talker.finals == talker.owed
    assert back.finals == back.owed
    assert stack.primary() is not second
    assert [child for child in before if child.returncode is not None] == []


async def test_until_a_master_is_chosen_the_service_says_so(stack: WatchedStack) -> None:
    """Probes name what is missing, who comes is told to come again, and is let in once there is a master."""
    stack.start()
    async with Talker(stack.ws_url) as early:
        await asyncio.to_thread(killed, stack)
        refused = await early.start(config={"vad_enabled": False})
    health = await asyncio.to_thread(requests.get, f"{stack.http_url}/health/ready", timeout=10)
    answers = [answer async for answer in asking(stack)]

    assert refused["code"] == "QUEUE_CONGESTION"
    assert refused["retry_after_ms"] > 0
    assert health.status_code == 503
    assert health.json()["checks"]["redis"] != "ok"
    assert len(answers) > 1
    assert set(answers[:-1]) <= {"503, Retry-After 2", "QUEUE_CONGESTION"}
    assert answers[-1] == "session_started"


async def asking(stack: WatchedStack) -> AsyncIterator[str]:
    """What one who comes again and again is answered, until he is let in."""
    answer = ""
    while answer != "session_started":
        try:
            async with Talker(stack.ws_url) as talker:
                told = await talker.start(config={"vad_enabled": False})
                answer = told.get("code") or told["type"]
        except InvalidStatus as turned_away:
            response = turned_away.response
            answer = f"{response.status_code}, Retry-After {response.headers.get('Retry-After')}"
        yield answer
        await asyncio.sleep(0.1)


async def test_a_hung_master_is_passed_over(stack: WatchedStack) -> None:
    """Its connections stay open and say nothing: whoever listens there must go to the new one by himself."""
    with ExitStack() as until_then:
        stack.start()
        talker = await dictated_through(
            stack.ws_url, lambda: until_then.enter_context(stack.frozen(stack.primary())), RECOVERS_S
        )
        async with Talker(stack.ws_url) as newcomer:
            answer = await newcomer.start(config={"vad_enabled": False})
            await newcomer.stream(noise(12.0, 4))  # who listens at the old one misses it within that time
            await newcomer.end()

    assert talker.finals == talker.owed
    assert answer["type"] == "session_started"
    assert newcomer.of("partial_transcript")
