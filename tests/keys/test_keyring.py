"""A process's keys when the database hangs and Redis is away."""

import threading
from collections.abc import Iterator

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from transcription.keys import access, keyring
from transcription.keys.access import Key
from transcription.keys.keyring import Keyring, KeysUnavailableError

KEY = Key("7", "ana", None, 1)


@pytest.fixture
def ring() -> Keyring:
    """With a Redis that nobody answers for."""
    return Keyring(redis.asyncio.Redis(port=1, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)))


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database that never answers."""
    released = threading.Event()
    monkeypatch.setattr(keyring, "LOOKUP_TIMEOUT_S", 0.05)
    monkeypatch.setattr(access, "find", lambda token: released.wait(30))
    monkeypatch.setattr(access, "good", lambda key_ids: released.wait(30))
    yield
    released.set()


@pytest.mark.usefixtures("hanging")
async def test_a_database_that_hangs_is_given_up(ring: Keyring) -> None:
    """However many ask: what waits for a thread is given up too."""
    for _ in range(5):
        with pytest.raises(KeysUnavailableError, match="no answer within"):
            await ring.find("x")


@pytest.mark.usefixtures("hanging")
async def test_live_keys_go_on_while_they_cannot_be_looked_at(ring: Keyring) -> None:
    """Nobody is thrown out because the database is away."""
    with ring.holding(KEY):
        await ring._review()

    assert ring.verdict(KEY) is None


async def test_a_key_that_is_not_good_any_more_is_barred(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while Redis is away."""
    monkeypatch.setattr(access, "good", lambda key_ids: {})
    with ring.holding(KEY):
        await ring._review()

    assert ring.verdict(KEY).code == "UNAUTHORIZED"


async def test_a_verdict_does_not_outlive_the_connections_it_was_for(
    ring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tomorrow there are minutes again; but while one connection is left, another does not clear it."""
    monkeypatch.setattr(access, "good", lambda key_ids: {})
    with ring.holding(KEY):
        await ring._review()
        with ring.holding(KEY):
            assert ring.verdict(KEY)
    with ring.holding(KEY):
        assert ring.verdict(KEY) is None


async def test_minutes_wait_for_a_redis_that_is_away_and_do_not_keep_anybody_out(ring: Keyring) -> None:
    """What was used is counted later; admission, which needs Redis too, has its own word."""
    ring.count(KEY, 40_000.4)
    ring.count(KEY, 30_000.0)

    assert await ring._settle({"7"}) == {}
    assert ring._uncounted["7"] == 70_000
    assert await ring.refusal(KEY) is None
