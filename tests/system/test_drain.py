"""A web process that is told to stop: who is in may finish, nobody gets in, the rest is told."""

import asyncio
import signal
import socket
from collections.abc import Iterator

import pytest
import requests
import websockets

from harness.audio import noise
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import until
from launcher.supervisor import Child

FOREVER = "600"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A worker; each test starts and stops its own web process."""
    with Stack(tmp_path_factory.mktemp("drain"), ECHO) as stack:
        stack.start_worker()
        yield stack


def start(stack: Stack, drain_s: str) -> tuple[Child, str, str]:
    """A web process with its WebSocket and its pages."""
    stack.env["STT_DRAIN_S"] = drain_s
    web = stack.start_web()
    return web, stack.ws_urls[-1], stack.ws_urls[-1].replace("ws:", "http:").removesuffix("/ws/stt")


def ready(url: str) -> requests.Response:
    return requests.get(f"{url}/health/ready", timeout=5)


async def told_to_stop(web: Child, url: str) -> None:
    web.signal(signal.SIGTERM)
    await asyncio.to_thread(until, lambda: ready(url).status_code == 503, "the drain")


async def test_a_session_finishes_and_nobody_gets_in(stack: Stack) -> None:
    """Ready is 503 at once, starts and handshakes are refused; the session gets its final, then the process ends."""
    web, ws_url, http_url = start(stack, FOREVER)
    assert ready(http_url).status_code == 200
    async with Talker(ws_url) as talker, Talker(ws_url) as waiting:
        await talker.start(config={"vad_enabled": False})
        await talker.stream(noise(0.5))
        await told_to_stop(web, http_url)
        checks = ready(http_url).json()["checks"]
        refusal = await waiting.start(session_id="late")
        with pytest.raises(websockets.InvalidStatus) as no_handshake:
            await websockets.connect(ws_url)
        await talker.stream(noise(0.5))
        ended = await talker.end()
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await waiting.until("nothing more")

    assert checks == {"draining": "The server is shutting down"}
    assert (refusal["code"], refusal["session_id"]) == ("QUEUE_CONGESTION", "late")
    assert refusal["message"] == "The server is shutting down"
    assert refusal["retry_after_ms"] > 0
    assert no_handshake.value.response.status_code == 503
    assert ended["reason"] == "completed"
    assert ended["total_audio_ms"] == 1000
    assert len(talker.of("final_transcript")) == 1
    assert closed.value.rcvd.code == 1012
    assert await asyncio.to_thread(web.wait, 20)
    assert web.returncode == 0


async def test_sessions_that_go_on_are_told(stack: Stack) -> None:
    """An error, `session_ended`, close 1012; their names are free at once, and the exit code is 0."""
    web, ws_url, _ = start(stack, "0.5")
    talkers = [Talker(ws_url) for _ in range(5)]
    for number, talker in enumerate(talkers):
        await talker.__aenter__()
        await talker.start(session_id=f"cut-{number}", config={"vad_enabled": False})
        await talker.stream(noise(0.2))
    web.signal(signal.SIGTERM)
    closes = []
    for talker in talkers:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await talker.until("nothing more")
        closes.append(closed.value.rcvd.code)

    assert closes == [1012] * 5
    for talker in talkers:
        error, ended = talker.messages[-2:]
        assert (error["type"], error["code"]) == ("error", "INTERNAL_ERROR")
        assert error["message"] == "The server is shutting down; the session is over"
        assert (ended["type"], ended["reason"]) == ("session_ended", "error")
    assert await asyncio.to_thread(web.wait, 20)
    assert web.returncode == 0
    assert stack.redis.keys("stt:session:*") == []


async def test_a_second_signal_skips_the_wait(stack: Stack) -> None:
    """The session is told as when its time is over."""
    web, ws_url, http_url = start(stack, FOREVER)
    async with Talker(ws_url) as talker:
        await talker.start()
        await told_to_stop(web, http_url)
        web.signal(signal.SIGINT)
        ended = await talker.until("session_ended")

    assert ended["reason"] == "error"
    assert await asyncio.to_thread(web.wait, 20)
    assert web.returncode == 0


async def test_what_a_gone_client_said_is_still_waited_for(stack: Stack) -> None:
    """The session outlives its socket, and the process its session."""
    web, ws_url, http_url = start(stack, FOREVER)
    (worker,) = stack.running("worker")
    with stack.frozen(worker):
        async with Talker(ws_url) as talker:
            await talker.start(session_id="gone", config={"vad_enabled": False})
            await talker.stream(noise(0.5))
        await told_to_stop(web, http_url)
        assert not await asyncio.to_thread(web.wait, 1)

    assert await asyncio.to_thread(web.wait, 30)
    assert web.returncode == 0


async def test_connections_that_come_and_go_do_not_disturb_the_end(stack: Stack) -> None:
    """Clients that vanish as it stops and a request half sent do not hold it up; the others are told."""
    web, ws_url, _ = start(stack, "0")
    half = socket.create_connection(("127.0.0.1", stack.ports[-1]))
    half.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
    talkers = [await Talker(ws_url).__aenter__() for _ in range(10)]
    for talker in talkers[:5]:
        talker.vanish()
    web.signal(signal.SIGTERM)
    for talker in talkers[5:]:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await talker.until("nothing more")
        assert closed.value.rcvd.code == 1012
    assert await asyncio.to_thread(web.wait, 20)
    assert web.returncode == 0
    assert "Traceback" not in web.last_lines()
    half.close()
