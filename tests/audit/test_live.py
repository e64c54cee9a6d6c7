"""Who may watch, and what a page is sent: the live page's consumer, with its channel layer in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
import redis
from channels.layers import InMemoryChannelLayer
from channels.testing import WebsocketCommunicator
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AnonymousUser, Group, User
from pytest_django.fixtures import Settings

from tests.cluster.workers import BEAT, announce
from transcription.audit import live
from transcription.audit.live import LiveConsumer, same_origin
from transcription.audit.roles import AUDITORS, OPERATORS
from transcription.core.contract import keyspace
from transcription.core.contract.heartbeat import Tally
from transcription.core.contract.messages import REPORT_TYPE


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"origin": "https://stt.example.com", "host": "stt.example.com"}, True),
        ({"origin": "http://stt.example.com:8000", "host": "stt.example.com:8000"}, True),
        ({"origin": "https://trusted.example", "host": "stt.example.com"}, True),
        ({"origin": "https://stt.example.com:8443", "host": "stt.example.com"}, False),
        ({"origin": "https://evil.example", "host": "stt.example.com"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null", "host": "stt.example.com"}, False),
        ({"origin": "http://[", "host": "stt.example.com"}, False),
    ],
)
def test_pages_of_this_host_watch_and_programs(headers: dict[str, str], allowed: bool, settings: Settings) -> None:
    """Or of an origin that may fill in the admin's forms."""
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example"]
    given = [(name.encode(), value.encode()) for name, value in headers.items()]

    assert same_origin({"headers": given}) is allowed


class Page:
    """One open live page of a user's."""

    def __init__(self, user: User | AnonymousUser, layer: InMemoryChannelLayer) -> None:
        self._layer = layer
        self.socket = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws/admin/live")
        self.socket.scope["user"] = user

    async def opened(self) -> "Page":
        assert await self.socket.connect() == (True, None)
        return self

    async def picture(self) -> dict[str, Any]:
        return msgspec.json.decode(await self.socket.receive_from())

    async def closed(self) -> int:
        """With which code, whatever is shown before."""
        while (message := await self.socket.receive_output())["type"] != "websocket.close":
            pass
        return message.get("code", 1000)


class Watched:
    """A session that reports when it is asked."""

    def __init__(self, layer: InMemoryChannelLayer, uid: str, audio_ms: float) -> None:
        self._layer, self._uid, self._audio_ms = layer, uid, audio_ms
        self.asked: list[bool] = []
        """With text or without, each time."""

    async def run(self) -> None:
        channel = await self._layer.new_channel()
        await self._layer.group_add(keyspace.SESSIONS_GROUP, channel)
        while True:
            asking = await self._layer.receive(channel)
            self.asked.append(asking["text"])
            report = {"uid": self._uid, "audio_ms": self._audio_ms, "text": "segredo" if asking["text"] else None}
            await self._layer.send(asking["to"], {"type": REPORT_TYPE, "report": report})


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> InMemoryChannelLayer:
    layer = InMemoryChannelLayer()
    monkeypatch.setattr("channels.consumer.get_channel_layer", lambda alias: layer)
    return layer


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, valkey: redis.Redis) -> redis.Redis:
    """One worker; a picture every few milliseconds."""
    announce(valkey)
    monkeypatch.setattr(live, "probe_client", lambda: valkey)
    monkeypatch.setattr(live, "INTERVAL_S", 0.01)
    return valkey


@pytest.fixture
async def open_page(
    layer: InMemoryChannelLayer, cluster: redis.Redis, transactional_db: None
) -> AsyncIterator[Callable[..., Any]]:
    """Opens a page for a user of a group."""
    pages = list[Page]()

    async def open_page(group: str | None, *, staff: bool = True) -> Page:
        def make() -> User:
            user = User.objects.create_user(f"of {group}", is_staff=staff)
            user.groups.set(Group.objects.filter(name=group))
            return user

        pages.append(await Page(await asyncio.to_thread(make), layer).opened())
        return pages[-1]

    yield open_page
    for page in pages:
        await page.socket.disconnect()


async def test_a_page_shows_sessions_the_longest_first_with_the_workers(
    open_page: Callable[..., Any], layer: InMemoryChannelLayer
) -> None:
    """What is said goes to who may see it."""
    sessions = [Watched(layer, "short", 1_000.0), Watched(layer, "long", 9_000.0)]
    running = [asyncio.create_task(session.run()) for session in sessions]
    await asyncio.sleep(0)
    page = await open_page(OPERATORS)
    while len((shown := await page.picture())["sessions"]) < 2:
        pass
    for task in running:
        task.cancel()

    assert [(report["uid"], report["text"]) for report in shown["sessions"]] == [
        ("long", "segredo"),
        ("short", "segredo"),
    ]
    assert [(worker["worker_id"], worker["model"], worker["load"]) for worker in shown["workers"]] == [
        ("w1", BEAT.model, 0.0)
    ]
    assert shown["cluster"]["workers"] == 1


async def test_an_auditor_is_not_even_sent_what_is_said(
    open_page: Callable[..., Any], layer: InMemoryChannelLayer
) -> None:
    """The session is asked without it; that somebody watched is in the admin's log."""
    session = Watched(layer, "s", 1_000.0)
    running = asyncio.create_task(session.run())
    await asyncio.sleep(0)
    page = await open_page(AUDITORS)
    while not (shown := await page.picture())["sessions"]:
        pass
    running.cancel()
    (entry,) = await asyncio.to_thread(lambda: [*LogEntry.objects.values_list("user__username", "change_message")])

    assert shown["sessions"][0]["text"] is None
    assert not any(session.asked)
    assert entry == (f"of {AUDITORS}", "Opened, without transcripts.")


async def test_a_session_that_reports_no_more_is_gone(
    open_page: Callable[..., Any], layer: InMemoryChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SILENT_S", 0.03)
    running = asyncio.create_task(Watched(layer, "s", 1_000.0).run())
    await asyncio.sleep(0)
    page = await open_page(OPERATORS)
    while not (await page.picture())["sessions"]:
        pass
    running.cancel()
    while (await page.picture())["sessions"]:
        pass


@pytest.mark.parametrize(
    ("group", "staff", "code"),
    [(None, True, live.NOT_PERMITTED), (OPERATORS, False, live.NOT_PERMITTED)],
    ids=["staff without the permission", "permission without being staff"],
)
async def test_who_may_not_watch_is_told_by_the_close_code(
    open_page: Callable[..., Any], group: str | None, staff: bool, code: int
) -> None:
    page = await open_page(group, staff=staff)

    assert await page.closed() == code
    assert not await asyncio.to_thread(LogEntry.objects.exists)


async def test_nobody_watches_without_a_login(layer: InMemoryChannelLayer) -> None:
    page = await Page(AnonymousUser(), layer).opened()

    assert await page.closed() == live.NOT_LOGGED_IN


async def test_another_site_s_page_is_refused_at_the_handshake(layer: InMemoryChannelLayer) -> None:
    """It has the user's cookie."""
    page = Page(AnonymousUser(), layer)
    page.socket.scope["headers"] = [(b"origin", b"https://evil.example"), (b"host", b"stt.example.com")]
    connected, _ = await page.socket.connect()

    assert not connected


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}], ids=str)
async def test_an_account_that_is_closed_watches_no_more(
    open_page: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, change: dict[str, bool]
) -> None:
    """Within `RECHECK_S`."""
    monkeypatch.setattr(live, "RECHECK_S", 0.0)
    page = await open_page(OPERATORS)
    await page.picture()
    await asyncio.to_thread(lambda: User.objects.update(**change))

    assert await page.closed() == live.NOT_PERMITTED


async def test_a_redis_that_is_away_is_shown_and_comes_back(
    open_page: Callable[..., Any], cluster: redis.Redis
) -> None:
    """The page stays open."""
    page = await open_page(OPERATORS)
    await page.picture()
    cluster.set(keyspace.SESSIONS_KEY, "no set: whatever asks for it fails")
    while "error" not in (broken := await page.picture()):
        pass
    cluster.delete(keyspace.SESSIONS_KEY)
    while "error" in (whole := await page.picture()):
        pass

    assert broken["error"].startswith("Redis cannot be reached: ")
    assert (broken["sessions"], broken["workers"]) == ([], [])
    assert whole["cluster"]["workers"] == 1


async def test_a_page_that_fails_is_closed_and_says_nothing_of_why(
    open_page: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log does."""
    monkeypatch.setattr(live, "read_cluster", lambda client: 1 / 0)
    page = await open_page(OPERATORS)

    assert await page.closed() == 1000
    assert "A live page failed" in caplog.text


async def test_a_worker_s_load_is_what_it_did_lately(
    open_page: Callable[..., Any], cluster: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what its heartbeats say it has done; what lies further back counts no more."""
    monkeypatch.setattr(live, "LOAD_OVER_S", 0.1)
    page = await open_page(AUDITORS)
    idle = (await page.picture())["workers"][0]
    announce(cluster, tally=Tally(running=2, decoded=8, shared=16, decode_s=4.0))
    while not (busy := (await page.picture())["workers"][0])["load"]:
        pass
    while (later := (await page.picture())["workers"][0])["load"]:
        pass

    assert (idle["load"], idle["running"]) == (0.0, 0)
    assert (busy["batch_size"], busy["running"], later["batch_size"]) == (2.0, 2, 0.0)
