"""The audit over running processes: what is recorded of a session, cancel, the live page's WebSocket."""

import asyncio
import json
import sqlite3
from typing import Any

import pytest
import requests
import websockets

from harness.audio import noise, silence, speech
from harness.stack import Stack
from harness.talker import Talker
from harness.waiting import until

LOGIN = "/admin/login/"
SESSIONS = "/admin/transcription/session/"
PASSWORD = "a long password"
MAKE_USERS = f"""
from django.contrib.auth.models import Group, User
for name in ("auditor", "operator"):
    user = User.objects.create_user(name, password="{PASSWORD}", is_staff=True)
    user.groups.add(Group.objects.get(name=f"STT {{name}}s"))
User.objects.create_user("clerk", password="{PASSWORD}", is_staff=True)
"""


@pytest.fixture(scope="module")
def staff(echo_stack: Stack) -> Stack:
    """The stack, with an auditor, an operator, and a clerk who may do nothing."""
    echo_stack.manage("shell", "-v", "0", "-c", MAKE_USERS)
    return echo_stack


def rows(stack: Stack, query: str, *values: object) -> list[tuple]:
    with sqlite3.connect(stack.database) as database:
        found = database.execute(query, values).fetchall()
    database.close()
    return found


def log_in(stack: Stack, name: str) -> requests.Session:
    """A browser's session."""
    browser = requests.Session()
    page = browser.get(stack.http_url + LOGIN, timeout=10)
    post(browser, page.url, username=name, password=PASSWORD)
    return browser


def post(browser: requests.Session, url: str, /, **fields: str) -> requests.Response:
    form = fields | {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    return browser.post(url, data=form, headers={"Referer": url}, timeout=10)


def watch(stack: Stack, name: str | None, **options: Any) -> websockets.connect:
    """The live page's WebSocket, with a user's cookie."""
    headers = {}
    if name:
        browser = log_in(stack, name)
        headers = {"Cookie": f"sessionid={browser.cookies['sessionid']}"}
        browser.close()
    url = stack.ws_url.replace("/ws/stt", "/ws/admin/live")
    return websockets.connect(url, additional_headers=headers, compression=None, **options)


async def picture_of(watcher: websockets.ClientConnection, session_id: str) -> tuple[dict, dict]:
    """The first picture with a session that has said something, or may not say it: the whole and its report."""
    async with asyncio.timeout(30):
        while True:
            picture = json.loads(await watcher.recv())
            for report in picture["sessions"]:
                if report["session_id"] == session_id and report["text"] != "":
                    return picture, report


async def drain(watcher: websockets.ClientConnection) -> None:
    """Read until it closes."""
    while True:
        await watcher.recv()


async def test_a_segment_is_recorded_with_its_stages_and_partials(staff: Stack) -> None:
    """They add up to its latency; partials have figures and no text."""
    async with Talker(staff.ws_url) as talker:
        await talker.start(session_id="traced")
        await talker.stream(speech("s13_pm_alex") + silence(0.6))
        await talker.say("nonsense")
        await talker.end()
    query = """
        SELECT g.latency_ms, g.latency, g.partials, g.speech_end_ms, g.start_ms, g.duration_ms,
               s.worst_final_ms, s.events
        FROM transcription_session s JOIN transcription_segment g ON g.session_id = s.id
        WHERE s.session_id = 'traced' AND s.reason != ''"""
    until(lambda: rows(staff, query), "the record")
    ((total, latency, partials, speech_end, start, duration, worst, events),) = rows(staff, query)
    stages = json.loads(latency)

    assert stages.keys() == {"vad_wait", "queue", "batch_wait", "model", "delivery"}
    assert sum(stages.values()) == pytest.approx(total, abs=0.1)
    assert total >= 300  # the stack's minimum of silence
    assert worst == total
    assert start < speech_end < start + duration
    assert len(json.loads(partials)) == len(talker.of("partial_transcript"))
    assert [event["what"].partition(":")[0] for event in json.loads(events)] == ["INVALID_MESSAGE"]


async def test_an_operator_cancels_a_live_session(staff: Stack) -> None:
    """The client is told, the record says why, the log who."""
    async with Talker(staff.ws_urls[-1]) as talker:
        await talker.start(session_id="cancel-me", config={"vad_enabled": False})
        await talker.stream(noise(0.5))
        query = "SELECT id FROM transcription_session WHERE session_id = 'cancel-me'"
        until(lambda: rows(staff, query), "the record")
        ((key,),) = rows(staff, query)
        url = f"{staff.http_url}{SESSIONS}{key}/cancel/"
        with log_in(staff, "operator") as browser:
            asked = browser.get(url, timeout=10)
            page = await asyncio.to_thread(post, browser, url)
        ended = await talker.until("session_ended")
    ended_query = "SELECT reason, events FROM transcription_session WHERE id = ?"
    until(lambda: rows(staff, ended_query, key)[0][0], "the end")
    ((reason, events),) = rows(staff, ended_query, key)
    logged = rows(staff, "SELECT change_message FROM django_admin_log WHERE object_id = ?", str(key))

    assert "It ends at once" in asked.text
    assert "is told to end" in page.text
    assert ended["reason"] == reason == "cancelled"
    assert json.loads(events)[0]["what"] == "cancelled by an operator"
    assert logged == [("Cancelled.",)]


async def test_a_watcher_sees_sessions_of_all_processes_and_the_workers(staff: Stack) -> None:
    """An operator with what is being said; that the page was opened is in the log."""
    async with Talker(staff.ws_urls[-1]) as talker, watch(staff, "operator") as watcher:
        await talker.start(session_id="watched", config={"vad_enabled": False, "lang_code": "pt"})
        await talker.stream(noise(1.0))
        await talker.until("partial_transcript")
        picture, report = await picture_of(watcher, "watched")
        while report["audio_ms"] < 1000:  # a report may have been made before the last frame came
            picture, report = await picture_of(watcher, "watched")
        while report["text"] != talker.messages[-1].get("text"):
            await talker.next()
    (worker,) = picture["workers"]
    logged = rows(
        staff,
        """SELECT change_message FROM django_admin_log l JOIN auth_user u ON u.id = l.user_id
           WHERE u.username = 'operator' AND object_repr = 'Live page'""",
    )

    assert report["talking"] is True
    assert report["audio_ms"] == 1000.0
    assert worker["model"] == "echo"
    assert picture["cluster"]["workers"] == 1
    assert logged == [("Opened, with transcripts.",)]


async def test_an_auditor_watches_without_what_is_said(staff: Stack) -> None:
    """The same figures, no text: not in any field of any message."""
    async with Talker(staff.ws_url) as talker, watch(staff, "auditor") as watcher:
        await talker.start(session_id="unread", config={"vad_enabled": False})
        await talker.stream(noise(1.0, seed=4))
        partial = await talker.until("partial_transcript")
        picture, report = await picture_of(watcher, "unread")

    assert report["text"] is None
    assert partial["text"].split()[-1] not in json.dumps(picture)


@pytest.mark.parametrize(("name", "code"), [(None, 4401), ("clerk", 4403)])
async def test_others_are_told_why_they_may_not_watch(staff: Stack, name: str | None, code: int) -> None:
    """Nobody logged in; staff without the permission."""
    async with watch(staff, name) as watcher:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await watcher.recv()

    assert closed.value.rcvd
    assert closed.value.rcvd.code == code


async def test_another_site_s_page_cannot_watch_with_our_user_s_cookie(staff: Stack) -> None:
    """The handshake is refused; with our own origin it is not."""
    with pytest.raises(websockets.InvalidStatus, match="403"):
        async with watch(staff, "operator", origin="https://evil.example"):
            pass
    async with watch(staff, "operator", origin=staff.http_url) as watcher:
        assert json.loads(await watcher.recv())["cluster"]["workers"] == 1


async def test_taking_the_permission_away_ends_the_watching(staff: Stack) -> None:
    """Within seconds, not with the next login."""
    async with watch(staff, "auditor") as watcher:
        await watcher.recv()
        close = "from django.contrib.auth.models import User; User.objects.filter(username='auditor')"
        await asyncio.to_thread(staff.manage, "shell", "-v", "0", "-c", f"{close}.update(is_active=False)")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(drain(watcher), 30)

    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4403
