"""Waiting for what other processes do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager

import redis

from launcher.supervisor import Child

PATIENCE_S = 60.0


def until(ready: Callable[[], object], what: str, patience_s: float = PATIENCE_S, child: Child | None = None) -> None:
    """Poll until something holds; that a server does not answer means not yet.

    Raises `AssertionError` in the end, or with its last words as soon as the `child` that should bring it has ended.
    """
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if child and child.returncode is not None:
            raise AssertionError(f"{what}: ended with {child.returncode}\n{child.last_lines()}")
        try:
            if ready():
                return
        except (OSError, redis.RedisError):  # what `requests` raises is an OSError
            pass
        time.sleep(0.05)
    raise AssertionError(f"timed out waiting for {what}")


@asynccontextmanager
async def off_the_loop(context: AbstractContextManager[None]) -> AsyncIterator[None]:
    """Enter and leave a context in threads, where both may wait."""
    await asyncio.to_thread(context.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
