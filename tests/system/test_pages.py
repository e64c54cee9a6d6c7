"""Probes, metrics, records and the admin, of running processes."""

import sqlite3
import subprocess
import sys

import pytest
import requests

from harness.audio import noise, silence, speech
from harness.processes import ROOT
from harness.stack import Stack
from harness.talker import Talker
from harness.waiting import until


def get(stack: Stack, path: str) -> requests.Response:
    return requests.get(stack.http_url + path, timeout=10)


def rows(stack: Stack, query: str, *values: object) -> list[tuple]:
    with sqlite3.connect(stack.database) as database:
        found = database.execute(query, values).fetchall()
    database.close()
    return found


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/startup", "/health/ready", "/health/status"])
def test_pages_answer_json(echo_stack: Stack, path: str) -> None:
    """All fine: 200."""
    response = get(echo_stack, path)

    assert response.status_code == 200
    assert response.json()


def test_status_has_exactly_the_contract_s_shape(echo_stack: Stack) -> None:
    """Names and types of docs/protocol.md, from live values."""
    status = get(echo_stack, "/health/status").json()
    shape = {
        "status": str,
        "accepting_requests": bool,
        "model": {"model_size": str, "device": str, "compute_type": str, "ready": bool},
        "queue": {
            "depth": int,
            "avg_partial_ms": float,
            "avg_final_ms": float,
            "estimated_server_total_ms": float,
            "accepting_requests": bool,
            "total_requests": int,
            "rejected_requests": int,
        },
        "sessions": {"active": int, "max": int},
        "capacity": {"estimated_max_concurrent": int, "current_load_percent": float, "step": int},
        "workers": {"ready": int, "gave_up": list},
    }

    assert {key: {k: type(v) for k, v in value.items()} if isinstance(value, dict) else type(value)
            for key, value in status.items()} == shape  # fmt: skip


async def test_metrics_tell_of_a_session_web_and_worker(echo_stack: Stack) -> None:
    """Counters move with a session; the worker's are there with its name."""
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start(config={"vad_enabled": False})
        await talker.stream(noise(1.0))
        during = get(echo_stack, "/metrics").text
        await talker.say("nonsense")
        await talker.end()
    until(lambda: 'stt_worker_jobs_total{kind="final",outcome="done"' in get(echo_stack, "/metrics").text, "the worker")
    after = get(echo_stack, "/metrics").text

    assert "stt_sessions_active 1.0" in during
    assert "stt_talkers_active 1.0" in during
    assert 'stt_errors_total{code="INVALID_MESSAGE"}' in after
    assert 'stt_stage_seconds_bucket{kind="final",le="+Inf",stage="server_total"}' in after
    assert "stt_workers_ready 1.0" in after
    assert "stt_sessions_active 0.0" in after
    assert "django_http_requests_before_middlewares_total" in after


async def test_a_session_is_recorded_with_its_segments(echo_stack: Stack) -> None:
    """Times, text, words and timing; written soon after."""
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start(session_id="recorded")
        await talker.stream(speech("s13_pm_alex") + silence(0.5), pace=0.3)
        await talker.end()
    (final,) = talker.of("final_transcript")
    query = "SELECT id, reason, total_segments, language FROM transcription_session WHERE session_id = ?"
    until(lambda: rows(echo_stack, query, "recorded")[0][1], "the record")
    ((key, *session),) = rows(echo_stack, query, "recorded")
    segments = rows(echo_stack, "SELECT text, duration_ms, failure FROM transcription_segment WHERE session_id=?", key)

    assert session == ["completed", 1, "pt"]
    assert segments == [(final["text"], final["audio_duration_ms"], "")]


async def test_what_a_vanished_client_said_is_recorded(echo_stack: Stack) -> None:
    """The socket dies in mid-speech: the utterance is transcribed and recorded all the same."""
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start(session_id="vanished", config={"vad_enabled": False})
        await talker.stream(noise(1.0))
        talker.vanish()
    query = """SELECT reason, duration_ms FROM transcription_session s
               JOIN transcription_segment g ON g.session_id = s.id WHERE s.session_id = ? AND reason != ''"""
    until(lambda: rows(echo_stack, query, "vanished"), "the record", 10)
    ((reason, duration_ms),) = rows(echo_stack, query, "vanished")

    assert reason == "disconnected"
    assert 0 < duration_ms <= 1000


def test_the_admin_shows_sessions_read_only(echo_stack: Stack) -> None:
    """Login, list, one session; no way to add, change or delete."""
    create = [
        sys.executable,
        "manage.py",
        "createsuperuser",
        "--noinput",
        "--username",
        "op",
        "--email",
        "op@x.example",
    ]
    environ = echo_stack.env | {"DJANGO_SUPERUSER_PASSWORD": "operator's password"}
    subprocess.run(create, env=environ, cwd=ROOT, check=True, capture_output=True)
    with requests.Session() as browser:
        page = browser.get(f"{echo_stack.http_url}/admin/login/", timeout=10)
        form = {
            "username": "op",
            "password": "operator's password",
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        browser.post(page.url, data=form | {"next": "/admin/"}, headers={"Referer": page.url}, timeout=10)
        sessions = browser.get(f"{echo_stack.http_url}/admin/transcription/session/?q=recorded", timeout=10)
        (key,) = rows(echo_stack, "SELECT id FROM transcription_session WHERE session_id = 'recorded'")[0]
        one = browser.get(f"{echo_stack.http_url}/admin/transcription/session/{key}/change/", timeout=10)
        adding = browser.get(f"{echo_stack.http_url}/admin/transcription/session/add/", timeout=10)
        style = browser.get(f"{echo_stack.http_url}/static/admin/css/base.css", timeout=10)

    assert "recorded" in sessions.text
    assert "seg-0001" in one.text
    assert 'name="_save"' not in one.text
    assert adding.status_code == 403
    assert style.status_code == 200
