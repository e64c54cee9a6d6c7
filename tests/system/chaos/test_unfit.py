"""Workers whose model cannot decode, beside one that can: they go, they are told of, and no final goes with them."""

import asyncio
import sys
from collections.abc import Callable

import pytest
import requests

from harness.stack import Stack
from harness.waiting import until
from tests.system.chaos.dictation import Dictation
from workers.bootstrap import UNFIT_EXIT

FAILING = "tests.system.chaos.failing"
SAID = "CUDA failed with error an illegal memory access"
RECOVERS_S = 40.0


@pytest.fixture(scope="module")
def stack(open_stack: Callable[..., Stack]) -> Stack:
    """One worker that works."""
    return open_stack({"STT_ECHO_DECODE_MS": "50"}).start()


def gave_up(stack: Stack) -> list[str]:
    """What `/health/status` tells, the last first."""
    told = requests.get(f"{stack.http_url}/health/status", timeout=5).json()["workers"]["gave_up"]
    return [one["reason"] for one in told]


def test_a_model_that_loads_and_cannot_decode_takes_no_job(stack: Stack) -> None:
    """One sentence, in seconds; it never counts as a worker."""
    command = ["-m", FAILING, "-q", "-A", "sttproject", "worker", "-P", "threads", "-Q", "stt", "-l", "WARNING"]
    child = stack.run("broken", [sys.executable, *command], stack.env | {"CHAOS_FAILS": "always"})
    until(lambda: child.returncode is not None, "the worker's end")

    *_, sentence = child.last_lines().splitlines()
    assert child.returncode == 1
    assert sentence.startswith("The model cannot decode on cpu as none: RuntimeError: CUDA failed")
    assert gave_up(stack)[0] == sentence
    metrics = requests.get(f"{stack.http_url}/metrics", timeout=5).text
    assert "stt_workers_gave_up 1.0" in metrics
    assert "stt_workers_ready 1.0" in metrics


@pytest.mark.parametrize(("fails", "count"), [("later", 1), ("often", 2)])
async def test_a_device_that_breaks_costs_no_final(stack: Stack, fails: str, count: int) -> None:
    """For good or now and then: the worker ends with its status, what it had goes to the other."""
    before = len(gave_up(stack))
    breaking = [await asyncio.to_thread(stack.start_worker, FAILING, CHAOS_FAILS=fails) for _ in range(count)]
    while any(child.returncode is None for child in breaking):
        async with Dictation(stack.ws_url) as talker:
            await talker.begin()
            await talker.dictate(20)
            await talker.finish(RECOVERS_S)
        assert talker.finals == talker.owed
    for child in breaking:
        stack.killed.add(child)

    assert [child.returncode for child in breaking] == [UNFIT_EXIT] * count
    told = gave_up(stack)[: len(gave_up(stack)) - before]
    assert len(told) == count
    assert all(SAID in reason for reason in told)


def test_without_any_worker_the_probe_says_why(stack: Stack) -> None:
    """What the last one said."""
    (worker,) = stack.ready("worker")
    stack.kill(worker)
    until(lambda: requests.get(f"{stack.http_url}/health/ready", timeout=5).status_code == 503, "the probe")

    assert SAID in requests.get(f"{stack.http_url}/health/ready", timeout=5).json()["checks"]["worker"]
