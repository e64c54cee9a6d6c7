"""API keys at the door of two running web processes, over real handshakes."""

import asyncio
import json
import secrets
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
import websockets

from harness.audio import noise, silence
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import until

HANDSHAKES = 1_000
AT_ONCE = 16


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Keys required, also from URLs; an access log."""
    settings = {"STT_AUTH": "required", "STT_AUTH_QUERY_TOKEN": "true", "STT_STATUS_TOKEN": "status-token"}
    settings |= {"STT_ALLOWED_ORIGINS": "https://app.example.com", "ALLOWED_HOSTS": "127.0.0.1"}
    with Stack(tmp_path_factory.mktemp("guarded"), ECHO | settings) as stack:
        yield stack.start(webs=2)


@pytest.fixture(scope="module")
def key(guarded: Stack) -> str:
    """A good one."""
    return guarded.manage("createapikey", "module")


def prefix(token: str) -> str:
    return token.split("_")[1]


def expire(stack: Stack, token: str) -> None:
    """Its time has come."""
    with sqlite3.connect(stack.database, timeout=10) as database:
        past = "2020-01-01 00:00:00"
        database.execute("UPDATE transcription_apikey SET expires = ? WHERE prefix = ?", (past, prefix(token)))
    database.close()


async def status(url: str, **handshake: object) -> int:
    """What the server answers a handshake."""
    try:
        async with websockets.connect(url, compression=None, **handshake):
            return 101
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


def carried(token: str, way: int) -> tuple[str, dict[str, object]]:
    """A token in one of the three ways: what the URL ends with, and options of the handshake."""
    match way % 3:
        case 0:
            return "", {"additional_headers": {"Authorization": f"Bearer {token}"}}
        case 1:
            return "", {"subprotocols": ["whisper-stt", f"bearer.{token}"]}
    return f"?token={token}", {}


async def test_a_thousand_handshakes_without_a_good_key_let_nobody_in(guarded: Stack, key: str) -> None:
    """Wrong, cut, revoked, expired and foreign keys, in every way, on both processes: 401 each time."""
    revoked, expired = guarded.manage("createapikey", "revoked"), guarded.manage("createapikey", "expired")
    guarded.manage("revokeapikey", prefix(revoked))
    expire(guarded, expired)
    bad = [
        revoked,
        expired,
        f"stt_{prefix(key)}_{secrets.token_urlsafe(32)}",
        f"stt_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}",
        f"stt_{secrets.token_hex(6)}_{key.split('_', 2)[2]}",
        key[:-1],
        key + "A",
        key.swapcase(),
        prefix(key),
        "x",
    ]
    answers: Counter[int] = Counter()
    places = asyncio.Semaphore(AT_ONCE)

    async def knock(n: int) -> None:
        # every bad key in every way on every process
        ending, options = carried(bad[n % len(bad)], n // len(bad))
        async with places:
            answers[await status(guarded.ws_urls[n // 30 % 2] + ending, **options)] += 1

    async with asyncio.TaskGroup() as group:
        for n in range(HANDSHAKES):
            group.create_task(knock(n))
    good = [await status(url + carried(key, way)[0], **carried(key, way)[1])
            for url in guarded.ws_urls for way in range(3)]  # fmt: skip

    assert answers == {401: HANDSHAKES}
    assert good == [101] * 6, "and the good key is let in, in every way, on both"


@pytest.mark.parametrize("path", ["", "/", "?token="])
async def test_the_answer_says_what_is_missing(guarded: Stack, path: str) -> None:
    """Status, header and body."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(guarded.ws_url + path)
    response = refused.value.response

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="whisper-stt"'
    assert "API key" in json.loads(response.body)["error"]


@pytest.mark.parametrize("path", ["x", "/x", "/../ws/stt", "/%2e", "//"])
async def test_no_other_path_goes_past_the_door(guarded: Stack, key: str, path: str) -> None:
    """With a key or without."""
    assert await status(guarded.ws_url + path) == 403
    assert await status(guarded.ws_url + path, **carried(key, 0)[1]) == 403


async def test_a_browser_is_answered_our_subprotocol_and_never_its_key(guarded: Stack, key: str) -> None:
    """Chrome closes a connection that answers none of those it asked for."""
    async with websockets.connect(guarded.ws_url, subprotocols=["whisper-stt", f"bearer.{key}"]) as ws:
        assert ws.subprotocol == "whisper-stt"
        assert key not in str(ws.response.headers)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, 101),
        ("http://{host}", 101),
        ("https://app.example.com", 101),
        ("http://127.0.0.1:1", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ],
)
async def test_web_pages_of_other_origins_are_refused(
    guarded: Stack, key: str, origin: str | None, expected: int
) -> None:
    """With a good key or not: a page elsewhere must not use a visitor's network."""
    sent = origin and origin.format(host=f"127.0.0.1:{guarded.ports[0]}")

    assert await status(guarded.ws_url, origin=sent, **carried(key, 0)[1]) == expected


async def test_a_revoked_key_ends_its_session_on_another_process_and_keeps_what_was_said(guarded: Stack) -> None:
    """Told by UNAUTHORIZED; the final of the open speech still comes; no new handshake."""
    token, other = guarded.manage("createapikey", "doomed"), guarded.manage("createapikey", "spared")
    async with Talker(guarded.ws_urls[1], token) as talker, Talker(guarded.ws_urls[1], other) as spared:
        await talker.start(config={"vad_enabled": False})
        await spared.start()
        await talker.stream(noise(1.0), pace=0)
        await asyncio.to_thread(guarded.manage, "revokeapikey", prefix(token))
        refused = [await status(url, **carried(token, 0)[1]) for url in guarded.ws_urls]
        error = await talker.until("error", patience_s=10)
        final = await talker.until("final_transcript")
        ended = await talker.until("session_ended")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await talker.ws.recv()
        assert (await spared.end())["reason"] == "completed"

    assert refused == [401, 401]
    assert error["code"] == "UNAUTHORIZED"
    assert final["audio_duration_ms"] == 1000.0
    assert ended["reason"] == "error"
    assert closed.value.rcvd.code == 1008


async def test_an_expired_key_ends_a_connection_that_has_not_started(guarded: Stack) -> None:
    """It could start a session later."""
    token = guarded.manage("createapikey", "late", "--expires-days", "1")
    async with Talker(guarded.ws_url, token) as talker:
        expire(guarded, token)
        error = await talker.until("error", patience_s=10)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await talker.ws.recv()

    assert (error["code"], error["session_id"]) == ("UNAUTHORIZED", None)
    assert closed.value.rcvd.code == 1008


async def test_minutes_of_a_day_are_shared_by_a_key_s_sessions(guarded: Stack) -> None:
    """Two sessions on two processes use them up: both end, what they said is answered, a third is refused."""
    token = guarded.manage("createapikey", "frugal", "--minutes-a-day", "1")
    async with Talker(guarded.ws_url, token) as one, Talker(guarded.ws_urls[1], token) as two:
        await asyncio.gather(one.start(), two.start())
        await asyncio.gather(*(talker.stream(silence(40), pace=0.02) for talker in (one, two)))
        errors = await asyncio.gather(one.until("error", 15), two.until("error", 15))
        ended = await asyncio.gather(one.until("session_ended"), two.until("session_ended"))
    async with Talker(guarded.ws_url, token) as late:
        refused = await late.start(session_id="late")
    (counter,) = guarded.redis.keys(f"stt:minutes:*:{datetime.now(UTC):%Y-%m-%d}")[-1:]

    assert {error["code"] for error in errors} == {"QUOTA_EXCEEDED"}
    assert all(message["total_audio_ms"] <= 40_000 for message in ended)
    assert (refused["code"], refused["session_id"]) == ("QUOTA_EXCEEDED", "late")
    assert 0 < refused["retry_after_ms"] <= 24 * 3600 * 1000
    assert 0 < guarded.redis.ttl(counter) <= 2 * 24 * 3600


async def test_sessions_of_a_key_are_counted_on_all_processes(guarded: Stack) -> None:
    """One at a time: the second is refused elsewhere too, until the first is over."""
    token = guarded.manage("createapikey", "single", "--max-sessions", "1")
    async with Talker(guarded.ws_url, token) as one, Talker(guarded.ws_urls[1], token) as two:
        await one.start()
        refused = await two.start()
        await one.end()
        started = await two.start()

    assert refused["code"] == "MAX_SESSIONS_REACHED"
    assert started["type"] == "session_started"


async def test_a_session_is_recorded_with_its_key_and_the_name_outlives_it(guarded: Stack) -> None:
    """And the key says when it was used."""
    token = guarded.manage("createapikey", "remembered")
    async with Talker(guarded.ws_url, token) as talker:
        await talker.start(session_id="keyed")
        await talker.end()
    query = """SELECT s.api_key_name, k.prefix, k.last_used, k.digest FROM transcription_session s
               LEFT JOIN transcription_apikey k ON k.id = s.api_key_id
               WHERE s.session_id = 'keyed' AND s.reason != ''"""

    def row() -> tuple:
        with sqlite3.connect(guarded.database) as database:
            found = database.execute(query).fetchone()
        database.close()
        return found

    until(row, "the record")
    name, kept_prefix, last_used, digest = row()
    dump = guarded.database.read_bytes() + Path(f"{guarded.database}-wal").read_bytes()

    assert (name, kept_prefix) == ("remembered", prefix(token))
    assert last_used
    assert digest not in token
    assert token.split("_", 2)[2].encode() not in dump, "the key itself is nowhere in the database"


@pytest.mark.parametrize("path", ["/health/status", "/metrics"])
def test_figures_may_want_a_token_and_probes_never_do(guarded: Stack, path: str) -> None:
    """401 says how."""
    bare = requests.get(guarded.http_url + path, timeout=10)
    wrong = requests.get(guarded.http_url + path, headers={"Authorization": "Bearer status-tokem"}, timeout=10)
    right = requests.get(guarded.http_url + path, headers={"Authorization": "Bearer status-token"}, timeout=10)
    live = requests.get(f"{guarded.http_url}/health/live", timeout=10)

    assert [bare.status_code, wrong.status_code, right.status_code, live.status_code] == [401, 401, 200, 200]
    assert bare.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_cannot_be_made_with_limits_that_mean_nothing(guarded: Stack) -> None:
    """The command says which."""
    command = ["createapikey", "x", "--max-sessions", "0", "--minutes-a-day", "0", "--expires-days", "-1"]
    with pytest.raises(subprocess.CalledProcessError) as failure:
        guarded.manage(*command)

    for field in ("max_sessions", "minutes_a_day", "expires"):
        assert field in failure.value.stderr


async def test_no_key_reaches_the_output_of_a_process(guarded: Stack, key: str, capfd: pytest.CaptureFixture) -> None:
    """Access log on, DEBUG log on: keys in headers, subprotocols, URLs of sockets and, by mistake, of pages."""
    with guarded.another_web("--access-log", "-", "-v", "3", STT_LOG_LEVEL="DEBUG") as (_, url):
        nowhere = url.replace("ws://", "http://").replace("/ws/stt", "/nowhere")
        for token in (key, key[:-1] + "A"):
            for way in range(3):
                ending, options = carried(token, way)
                await status(url + ending, **options)
            requests.get(nowhere, params={"token": token}, timeout=5)
        until(lambda: "nowhere?token=***" in capture(capfd) and "WSREJECT" in capture(capfd), "the access log")
    printed = capture(capfd)

    assert "WSREJECT" in printed
    assert key.split("_", 2)[2][:-1] not in printed


_captured: list[str] = []


def capture(capfd: pytest.CaptureFixture) -> str:
    """All that was printed so far."""
    _captured.extend(capfd.readouterr())
    return "".join(_captured)


async def test_keys_that_cannot_be_read_are_told_by_503(tmp_path: Path) -> None:
    """The database goes away under a running service: an answer at once, not a hang; and it comes back."""
    with Stack(tmp_path, ECHO | {"STT_AUTH": "required"}) as stack:
        stack.start_web()
        token = stack.manage("createapikey", "ana")
        before = await status(stack.ws_url, **carried(token, 0)[1])
        with sqlite3.connect(stack.database, timeout=10) as database:
            database.execute("ALTER TABLE transcription_apikey RENAME TO elsewhere")
        began = time.monotonic()
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(stack.ws_url, **carried(token, 0)[1])
        took_s = time.monotonic() - began
        with sqlite3.connect(stack.database, timeout=10) as database:
            database.execute("ALTER TABLE elsewhere RENAME TO transcription_apikey")
        after = await status(stack.ws_url, **carried(token, 0)[1])

    assert (before, refused.value.response.status_code, after) == (101, 503, 101)
    assert refused.value.response.headers["Retry-After"] == "2"
    assert took_s < 5, "Daphne gives up at 5 s, with a 403"


def test_without_authentication_a_key_is_not_looked_at(echo_stack: Stack) -> None:
    """As the base contract's clients expect."""

    async def knock() -> list[int]:
        return [await status(echo_stack.ws_url, **carried("x", way)[1]) for way in range(2)]

    assert asyncio.run(knock()) == [101, 101]
