"""An operator cancels: every client of ours stops and says why, and a caller that is barred does not get in again."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import aiohttp
import pytest
import whisper_stt
from livekit import rtc
from livekit.agents import APIError
from whisper_stt.errors import EndedError

from clients.livekit_plugin import WhisperSTT
from harness.audio import noise
from harness.processes import ROOT
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import until
from tests.system.test_audit import MAKE_USERS, SESSIONS, log_in, post, rows

WHY = "An operator of the service cancelled the session"
SPEECH = ROOT / "tests/audio/s13_pm_alex.wav"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service that wants keys, with an operator."""
    with Stack(tmp_path_factory.mktemp("cancelled"), ECHO | {"STT_AUTH": "required"}) as stack:
        stack.start(webs=1)
        stack.manage("shell", "-v", "0", "-c", MAKE_USERS)
        yield stack


@pytest.fixture
def key(keyed: Stack, request: pytest.FixtureRequest) -> str:
    """An API key of the test's own."""
    return keyed.manage("createapikey", request.node.name)


def sessions(stack: Stack, key: str) -> list[tuple]:
    """Primary key and reason of what was recorded under a key."""
    query = """
        SELECT s.id, s.reason FROM transcription_session s JOIN transcription_apikey k ON s.api_key_id = k.id
        WHERE k.prefix = ?"""
    return rows(stack, query, key.split("_")[1])


def cancel(stack: Stack, key: str, **form: str) -> str:
    """As an operator does, once the session is recorded; the page that says what was done."""
    until(lambda: sessions(stack, key), "the session's record")
    (pk, _) = sessions(stack, key)[-1]
    with log_in(stack, "operator") as browser:
        return post(browser, f"{stack.http_url}{SESSIONS}{pk}/cancel/", **form).text


def lift(stack: Stack, key: str, bar: str) -> tuple[str, str, str]:
    """As an operator does; the session's page before, the one that says what was done, and that of doing it twice."""
    (pk, _), *_ = sessions(stack, key)
    page = f"{stack.http_url}{SESSIONS}{pk}/"
    with log_in(stack, "operator") as browser:
        shown = browser.get(f"{page}change/", timeout=10).text
        return shown, *(post(browser, f"{page}lift/", bar=bar).text for _ in range(2))  # type: ignore[return-value]


def ended(stack: Stack, key: str) -> list[str]:
    """The reasons of all sessions under the key, once they have some."""
    until(lambda: all(reason for _, reason in sessions(stack, key)), "the session's end")
    return [reason for _, reason in sessions(stack, key)]


async def test_the_command_stops_and_says_why(keyed: Stack, key: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "whisper_stt.cli", "transcribe", "--realtime", "--url", keyed.ws_url, str(SPEECH)),
        env=keyed.env | {"STT_API_KEY": key, "PYTHONPATH": str(ROOT / "clients/python/src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    await asyncio.to_thread(cancel, keyed, key)
    _, err = await process.communicate()

    assert (process.returncode, err.decode()) == (3, f"whisper-stt: {WHY}\n")
    assert ended(keyed, key) == ["cancelled"]


async def test_the_library_stops_and_says_why(keyed: Stack, key: str) -> None:
    async with asyncio.timeout(30), whisper_stt.connect(keyed.ws_url, api_key=key) as stream:
        await stream.send(noise(0.5))
        await asyncio.to_thread(cancel, keyed, key)
        with pytest.raises(EndedError, match=WHY):
            [_ async for _ in stream]

    assert ended(keyed, key) == ["cancelled"]


async def test_the_livekit_plugin_stops_and_says_why(keyed: Stack, key: str) -> None:
    """With an error that LiveKit does not try again after."""
    pcm = noise(0.5)
    async with (
        asyncio.timeout(30),
        aiohttp.ClientSession() as http,
        WhisperSTT(keyed.ws_url, api_key=key, http_session=http) as whisper,
        whisper.stream() as stream,
    ):
        stream.push_frame(rtc.AudioFrame(pcm, 16_000, 1, len(pcm) // 2))
        await asyncio.to_thread(cancel, keyed, key)
        with pytest.raises(APIError, match=WHY) as caught:
            [_ async for _ in stream]

    assert caught.value.retryable is False
    assert ended(keyed, key) == ["cancelled"]


@pytest.mark.parametrize(("bar", "what"), [("key", "this API key"), ("session", "this session_id")])
async def test_who_is_barred_does_not_start_again(keyed: Stack, key: str, bar: str, what: str) -> None:
    """Not with the same key, or name; another one's, or when an operator has lifted the bar, does. The log says it."""
    async with Talker(keyed.ws_url, key) as talker:
        await talker.start(session_id=f"caller-{bar}")
        page = await asyncio.to_thread(cancel, keyed, key, bar=bar, minutes="10")
        await talker.until("session_ended")
    async with Talker(keyed.ws_url, key) as again:
        refused = await again.start(session_id=f"caller-{bar}", resume=True)
        as_another = await again.start(session_id=f"other-{bar}")
        shown, lifted, after = await asyncio.to_thread(lift, keyed, key, bar)
        if bar == "session":
            await again.end()
    async with Talker(keyed.ws_url, key) as later:
        admitted = await later.start(session_id=f"caller-{bar}")
    (pk, _), *_ = sessions(keyed, key)
    logged = rows(keyed, "SELECT change_message FROM django_admin_log WHERE object_id = ? ORDER BY id", str(pk))

    assert "barred for 10 min" in page
    assert ["barred for another" in each for each in (shown, lifted, after)] == [True, False, False]
    assert "is lifted" in lifted
    assert (refused["code"], refused["message"]) == (
        "UNAUTHORIZED",
        f"An operator has barred {what} for another 10 min",
    )
    assert 0 < refused["retry_after_ms"] <= 600_000
    assert as_another["type"] == ("error" if bar == "key" else "session_started")
    assert admitted["type"] == "session_started"
    assert [message.split()[-1] for (message,) in logged] == ["min.", "Cancelled.", "lifted."]


@pytest.mark.parametrize("minutes", ["", "0", "61", "ten"])
def test_a_bar_without_an_end_bars_and_cancels_nobody(keyed: Stack, key: str, minutes: str) -> None:
    """The page asks again, and says what it expects."""

    async def talk() -> tuple[str, dict]:
        async with Talker(keyed.ws_url, key) as talker:
            await talker.start()
            page = await asyncio.to_thread(cancel, keyed, key, bar="key", minutes=minutes)
            return page, await talker.end()

    page, end = asyncio.run(talk())

    assert "errorlist" in page
    assert end["reason"] == "completed"
    assert keyed.redis.keys("stt:barred:*") == []
