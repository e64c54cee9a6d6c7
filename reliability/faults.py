"""What befalls a cluster. Each fault is a coroutine that ends when the fault itself is over."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass

from reliability.cluster import Cluster
from sttproject.supervisor import Child


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault that was done."""

    name: str
    began: float
    """`time.monotonic()`."""
    over: float
    """From when on the service can recover: the fault itself while others can take over, else its end."""
    ended: float


Fault = Callable[[Cluster, random.Random], Awaitable[float | None]]


async def worker_killed(cluster: Cluster, rng: random.Random) -> None:
    """SIGKILL."""
    await asyncio.to_thread(cluster.kill, await _one(cluster, "worker", rng))


async def worker_frozen(cluster: Cluster, rng: random.Random) -> None:
    """SIGSTOP, later SIGCONT: it wakes up with jobs that others have done."""
    with cluster.frozen(await _one(cluster, "worker", rng)):
        await asyncio.sleep(rng.uniform(3.0, 12.0))


async def worker_stopped(cluster: Cluster, rng: random.Random) -> None:
    """SIGTERM."""
    cluster.terminate(await _one(cluster, "worker", rng))


async def web_killed(cluster: Cluster, rng: random.Random) -> None:
    """SIGKILL."""
    await asyncio.to_thread(cluster.kill, await _one(cluster, "web", rng))


async def web_stopped(cluster: Cluster, rng: random.Random) -> None:
    """SIGTERM."""
    web = await _one(cluster, "web", rng)
    cluster.terminate(web)
    while web.returncode is None:
        await asyncio.sleep(0.1)


async def redis_killed(cluster: Cluster, rng: random.Random) -> float:
    """SIGKILL, and started again after a while."""
    async with _off_the_loop(cluster.redis_down()):
        await asyncio.sleep(rng.choice([0.0, 2.0, 5.0, 30.0]))
    return time.monotonic()


async def redis_frozen(cluster: Cluster, rng: random.Random) -> float:
    """SIGSTOP, later SIGCONT: connections stay, nothing answers."""
    (redis,) = cluster.running("redis")
    with cluster.frozen(redis):
        await asyncio.sleep(rng.choice([1.0, 5.0, 10.0, 30.0]))
    return time.monotonic()


async def database_locked(cluster: Cluster, rng: random.Random) -> None:
    """Another connection holds the lock for longer than a writer waits."""
    async with _off_the_loop(cluster.database_locked()):
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


async def befall(name: str, cluster: Cluster, rng: random.Random) -> Happened:
    """Do a fault."""
    began = time.monotonic()
    over = await FAULTS[name](cluster, rng)
    return Happened(name, began, began if over is None else over, time.monotonic())


async def _one(cluster: Cluster, name: str, rng: random.Random) -> Child:
    """One process of two or more that work, so that somebody is there to take over."""
    while len(ready := await asyncio.to_thread(cluster.ready, name)) < 2:
        await asyncio.sleep(0.2)
    return rng.choice(ready)


@asynccontextmanager
async def _off_the_loop(context: AbstractContextManager[None]) -> AsyncIterator[None]:
    """Enter and leave in threads: both may wait."""
    await asyncio.to_thread(context.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
