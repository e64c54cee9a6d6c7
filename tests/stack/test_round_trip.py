"""Audio in and transcripts out through nginx with TLS, two web processes, two workers, PostgreSQL and Redis."""

import asyncio
import re
import signal
from contextlib import AsyncExitStack

import pytest
import requests
import websockets

from harness.audio import noise, silence, speech
from harness.echo import heard
from harness.processes import free_port
from harness.talker import Talker
from harness.waiting import until
from tests.stack.conftest import Deployment
from workers.engines.model_store import resolve

pytestmark = pytest.mark.stack
SESSIONS = 8
NO_VAD = {"vad_enabled": False, "partial_results": True}


def ws_url(deployment: Deployment) -> str:
    """Through nginx."""
    return deployment.nginx.url.replace("https", "wss") + "/ws/stt"


async def final_of(talker: Talker, pcm: bytes) -> dict[str, object]:
    """Say something; its final."""
    await talker.stream(pcm)
    await talker.say("flush")
    return await talker.until("final_transcript")


def by_label(metrics: str, name: str, label: str) -> dict[str, float]:
    """A metric's values, added up by a label."""
    found: dict[str, float] = {}
    for labels, value in re.findall(rf"^{name}\{{(.*?)\}} (\S+)$", metrics, re.MULTILINE):
        key = re.findall(rf'{label}="(.*?)"', labels)[0]
        found[key] = found.get(key, 0.0) + float(value)
    return found


async def test_sessions_are_spread_and_every_sample_arrives(deployment: Deployment) -> None:
    """Eight at once; both web processes and both workers have their share, and PostgreSQL the records."""
    clips = [noise(1.5, seed) for seed in range(SESSIONS)]
    async with AsyncExitStack() as stack:
        talkers = [await stack.enter_async_context(Talker(ws_url(deployment))) for _ in clips]
        answers = [await talker.start(config=NO_VAD) for talker in talkers]
        finals = await asyncio.gather(*(final_of(talker, clip) for talker, clip in zip(talkers, clips, strict=True)))
        for talker in talkers:
            await talker.end()

    assert {answer["type"] for answer in answers} == {"session_started"}
    assert [final["text"] for final in finals] == [heard(clip) for clip in clips]
    for port in deployment.web_ports:
        assert by_label(deployment.metrics(port), "stt_sessions_total", "reason")["completed"] >= 2
    until(lambda: len(busy(deployment)) == 2, "both workers' share in their heartbeats")
    count = "SELECT count(*) FROM transcription_segment WHERE text <> ''"
    until(lambda: int(deployment.postgres.psql(count)) >= SESSIONS, "the records")


def busy(deployment: Deployment) -> dict[str, float]:
    """Workers that have done jobs."""
    done = by_label(deployment.metrics(deployment.web_ports[0]), "stt_worker_jobs_total", "worker")
    return {worker: jobs for worker, jobs in done.items() if jobs}


async def test_speech_is_found_on_the_way(deployment: Deployment) -> None:
    """Silero runs in the environment that has no torch."""
    async with Talker(ws_url(deployment)) as talker:
        await talker.start()
        await talker.stream(silence(0.3) + speech("s13_pm_alex") + silence(1.0))
        await talker.until("final_transcript")

    assert [event["state"] for event in talker.of("vad_event")] == ["speech_start", "speech_end"]
    assert talker.of("partial_transcript")


async def test_the_client_s_address_is_its_own(deployment: Deployment) -> None:
    """Not the proxy's, and not the one that a client claims."""
    forged = {"X-Forwarded-For": "203.0.113.9"}
    url = ws_url(deployment)
    async with websockets.connect(url, local_addr=("127.0.0.2", 0), additional_headers=forged) as ws:
        await ws.send('{"type": "start_session", "session_id": "addressed"}')
        assert "session_started" in await ws.recv()
        await ws.send('{"type": "end_session"}')
        async for _ in ws:
            pass
    address = "SELECT client FROM transcription_session WHERE session_id = 'addressed'"
    until(lambda: deployment.postgres.psql(address), "the record")

    assert deployment.postgres.psql(address) == "127.0.0.2"


def test_pages_pass_but_metrics_do_not(deployment: Deployment) -> None:
    """Metrics are for Prometheus, which asks each web process."""
    assert requests.get(f"{deployment.nginx.url}/health/ready", timeout=5).json()["status"] == "ready"
    assert requests.get(f"{deployment.nginx.url}/health/status", timeout=5).json()["accepting_requests"]
    assert requests.get(f"{deployment.nginx.url}/metrics", timeout=5).status_code == 404


def test_the_admin_takes_a_login_over_https(deployment: Deployment) -> None:
    """Django compares the form's origin with the scheme that the proxy tells."""
    creating = deployment.run_image(
        "web", "python", "manage.py", "createsuperuser", "--noinput", "--username", "ops", "--email", "ops@example.org",
        DJANGO_SUPERUSER_PASSWORD="a-long-enough-one",
    )  # fmt: skip
    until(lambda: creating.returncode == 0, "the administrator")
    with requests.Session() as browser:
        page = f"{deployment.nginx.url}/admin/login/"
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get(page, timeout=5).text)
        form = {"username": "ops", "password": "a-long-enough-one", "csrfmiddlewaretoken": token, "next": "/admin/"}
        headers = {"Origin": deployment.nginx.url, "Referer": page}
        answer = browser.post(page, data=form, headers=headers, allow_redirects=False, timeout=5)

    assert (answer.status_code, answer.headers.get("Location")) == (302, "/admin/")


async def test_a_dead_web_process_is_passed_over(deployment: Deployment) -> None:
    """nginx tries the next one; nobody who comes new notices."""
    deployment.kill(deployment.webs[0])
    for _ in range(4):
        async with Talker(ws_url(deployment)) as talker:
            assert (await talker.start(config=NO_VAD))["type"] == "session_started"
    deployment.webs[0] = deployment.start_web(deployment.web_ports[0])


async def test_a_worker_told_to_stop_finishes_and_ends_well(deployment: Deployment) -> None:
    """SIGTERM while all are talking: every final arrives, the exit code is 0, another takes its place."""
    clips = [noise(1.0, seed) for seed in range(100, 104)]
    async with AsyncExitStack() as stack:
        talkers = [await stack.enter_async_context(Talker(ws_url(deployment))) for _ in clips]
        for talker in talkers:
            await talker.start(config=NO_VAD)
        speaking = asyncio.gather(*(final_of(talker, clip) for talker, clip in zip(talkers, clips, strict=True)))
        await asyncio.sleep(0.5)
        deployment.workers[0].signal(signal.SIGTERM)
        finals = await speaking

    assert [final["text"] for final in finals] == [heard(clip) for clip in clips]
    assert deployment.workers[0].wait(20)
    assert deployment.workers[0].returncode == 0
    deployment.workers[0] = deployment.start_worker()


async def test_a_redis_that_forgets_costs_an_utterance_not_the_session(deployment: Deployment) -> None:
    """A crash loses what is being said: it is answered by name, and what comes next works."""
    async with Talker(ws_url(deployment)) as talker:
        await talker.start(config=NO_VAD | {"partial_results": False})
        await talker.stream(noise(1.0, 7))
        deployment.restart_redis()
        await talker.say("flush")
        async with asyncio.timeout(60):
            while (answer := await talker.next(60))["type"] not in ("final_transcript", "error"):
                pass
        until(lambda: len(deployment.live_workers()) == 2, "the workers")
        after = noise(1.0, 8)
        final = await final_of(talker, after)

    assert answer["segment_id"]
    assert answer["type"] == "error" or answer["text"] == heard(noise(1.0, 7))
    assert final["text"] == heard(after)
    assert final["segment_id"] != answer["segment_id"]


async def test_the_worker_s_requirements_transcribe(deployment: Deployment) -> None:
    """faster-whisper and the real `base`, beside the echo: another database of the same Redis."""
    model = resolve("base", None, "~/.cache/whisper-stt")
    apart = {"STT_REDIS_URL": deployment.redis.admin_url.replace("/0?", "/1?")}
    apart |= {"STT_ENGINE": "whisper", "STT_WHISPER_MODEL": str(model), "STT_RESULT_TIMEOUT_S": "120"}
    port = free_port()
    worker = deployment.run_image("worker", "worker", **apart)
    web = deployment.run_image("web", "web", **apart, STT_HOST="127.0.0.1", STT_PORT=str(port))
    ready = f"http://127.0.0.1:{port}/health/ready"
    until(lambda: requests.get(ready, timeout=2).ok, "the model")
    async with Talker(f"ws://127.0.0.1:{port}/ws/stt") as talker:
        await talker.start()
        await talker.stream(speech("s13_pm_alex") + silence(1.0))
        final = await talker.until("final_transcript")
    for child in (web, worker):
        child.signal(signal.SIGTERM)
        assert child.wait(20)

    assert "avenida paulista" in final["text"].lower()
