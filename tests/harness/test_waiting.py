"""Waiting for others."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
import requests

from harness.waiting import off_the_loop, until


def test_a_server_that_does_not_answer_is_not_ready_yet() -> None:
    """Whatever the client's library makes of it."""
    troubles: list[Exception] = [ConnectionRefusedError(), redis.ConnectionError(), requests.ReadTimeout()]

    def ready() -> bool:
        if troubles:
            raise troubles.pop()
        return True

    until(ready, "the server", 5)

    assert troubles == []


def test_what_does_not_come_is_named() -> None:
    """In the end; other errors are not waited out."""
    with pytest.raises(AssertionError, match="waiting for Godot"):
        until(lambda: False, "Godot", 0.01)
    with pytest.raises(KeyError):
        until(lambda: {}["x"], "a bug", 5)


async def test_a_context_that_waits_holds_no_loop_up() -> None:
    """It is entered and left in other threads, also by an error."""
    threads = []

    @contextmanager
    def noted() -> Iterator[None]:
        threads.append(threading.current_thread())
        yield
        threads.append(threading.current_thread())

    with pytest.raises(ValueError, match="inside"):
        async with off_the_loop(noted()):
            raise ValueError("inside")

    assert len(threads) == 2
    assert threading.main_thread() not in threads
