"""Stacks to break. A module's tests share one and leave it as they found it: two workers, two web processes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from harness.stack import ECHO, Stack

SETTINGS = ECHO | {
    "STT_ECHO_DECODE_MS": "250",
    "STT_MAX_QUEUE_DEPTH": "1000",
    "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "15000",
    # an answer that is late by this rule alone is late
    "STT_RESULT_TIMEOUT_S": "120",
}


@pytest.fixture(scope="module")
def open_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Opens stacks, with further settings and options, that close with the module; nobody serves in them yet."""
    with ExitStack() as opened:

        def open_one(settings: dict[str, str] | None = None, **options: bool) -> Stack:
            directory = tmp_path_factory.mktemp("chaos")
            return opened.enter_context(Stack(directory, SETTINGS | (settings or {}), **options))

        yield open_one
