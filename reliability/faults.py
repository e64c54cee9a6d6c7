"""What befalls a stack. Each fault is a coroutine that ends when the fault itself is over."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from harness.stack import Stack
from harness.waiting import off_the_loop
from launcher.supervisor import Child


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault that was done."""

    name: str
    began: float
    """`time.perf_counter()`."""
    over: float
    """From when on the service can recover: the fault itself while others can take over, else its end."""
    ended: float


Fault = Callable[[Stack, random.Random], Awaitable[float | None]]


async def worker_killed(stack: Stack, rng: random.Random) -> None:
    """SIGKILL."""
    await asyncio.to_thread(stack.kill, await _one(stack, "worker", rng))


async def worker_frozen(stack: Stack, rng: random.Random) -> None:
    """SIGSTOP, later SIGCONT: it wakes up with jobs that others have done."""
    with stack.frozen(await _one(stack, "worker", rng)):
        await asyncio.sleep(rng.uniform(3.0, 12.0))


async def worker_stopped(stack: Stack, rng: random.Random) -> None:
    """SIGTERM."""
    stack.terminate(await _one(stack, "worker", rng))


async def web_killed(stack: Stack, rng: random.Random) -> None:
    """SIGKILL."""
    await asyncio.to_thread(stack.kill, await _one(stack, "web", rng))


async def web_stopped(stack: Stack, rng: random.Random) -> None:
    """SIGTERM."""
    web = await _one(stack, "web", rng)
    stack.terminate(web)
    while web.returncode is None:
        await asyncio.sleep(0.1)


async def redis_killed(stack: Stack, rng: random.Random) -> float:
    """SIGKILL, and started again after a while; where sentinels watch, a replica takes over meanwhile."""
    async with off_the_loop(stack.redis_down()):
        await asyncio.sleep(rng.choice([0.0, 2.0, 5.0, 30.0]))
    return time.perf_counter()


async def redis_frozen(stack: Stack, rng: random.Random) -> float:
    """SIGSTOP, later SIGCONT: connections stay, nothing answers."""
    with stack.frozen(await asyncio.to_thread(stack.primary)):
        await asyncio.sleep(rng.choice([1.0, 5.0, 10.0, 30.0]))
    return time.perf_counter()


async def database_locked(stack: Stack, rng: random.Random) -> None:
    """Another connection holds the lock for longer than a writer waits."""
    async with off_the_loop(stack.database_locked()):
        await asyncio.sleep(rng.uniform(2.0, 10.0))


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        worker_killed,
        worker_frozen,
        worker_stopped,
        web_killed,
        web_stopped,
        redis_killed,
        redis_frozen,
        database_locked,
    )
}


async def befall(name: str, stack: Stack, rng: random.Random) -> Happened:
    """Do the fault of this name; when it began, was over and ended."""
    began = time.perf_counter()
    over = await FAULTS[name](stack, rng)
    return Happened(name, began, began if over is None else over, time.perf_counter())


async def _one(stack: Stack, name: str, rng: random.Random) -> Child:
    """One process of two or more that work, so that somebody is there to take over."""
    while len(ready := await asyncio.to_thread(stack.ready, name)) < 2:
        await asyncio.sleep(0.2)
    return rng.choice(ready)
