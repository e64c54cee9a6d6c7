"""What the real clients connect to, and with."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from harness.stack import ECHO, MODEL, Stack


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """A service that asks for keys, and one of them."""
    with Stack(tmp_path_factory.mktemp("keyed"), MODEL | {"STT_AUTH": "required"}) as stack:
        stack.start()
        yield stack, stack.manage("createapikey", "sdk")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """A service with room for one session, and a key for it."""
    with Stack(tmp_path_factory.mktemp("full"), ECHO | {"STT_AUTH": "required", "STT_MAX_SESSIONS": "1"}) as stack:
        stack.start()
        yield stack, stack.manage("createapikey", "clients")


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
