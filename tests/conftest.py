"""Stacks of real processes, shared by the tests of a run."""

from collections.abc import Iterator

import pytest

from tests.system.stack import ECHO, MODEL, Stack


@pytest.fixture(scope="session")
def echo_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two web processes and one worker that echoes."""
    yield from _stack(tmp_path_factory, ECHO, webs=2)


@pytest.fixture(scope="session")
def model_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One web process and one worker with the embedded model."""
    yield from _stack(tmp_path_factory, MODEL, webs=1)


def _stack(factory: pytest.TempPathFactory, settings: dict[str, str], webs: int) -> Iterator[Stack]:
    with Stack(factory.mktemp("stack"), settings) as stack:
        stack.start_worker()
        for _ in range(webs):
            stack.start_web()
        yield stack
