"""Clients that send too much, read too little or vanish: the process stays small, and other sessions are served."""

import asyncio
import contextlib
import json
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil
import pytest
import requests
import websockets

from harness.audio import silence, speech
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import PATIENCE_S, until

GROWTH_MB = 48
MAX_CONNECTIONS = 20


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A worker and two web processes, the second of which soon asks whether clients are alive."""
    limits = {"STT_MAX_UNSENT_BYTES": "65536", "STT_MAX_CONNECTIONS": str(MAX_CONNECTIONS), "STT_LOG_LEVEL": "WARNING"}
    with Stack(tmp_path_factory.mktemp("hostile"), ECHO | limits) as stack:
        stack.start_worker()
        stack.start_web()
        stack.env["STT_START_TIMEOUT_S"] = "1"
        stack.start_web("--ping-interval", "1", "--ping-timeout", "2")
        yield stack


def frame(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    length = len(payload)
    head = bytes([opcode | fin << 7])
    if length < 126:
        head += bytes([0x80 | length])
    else:
        head += bytes([0xFE]) + struct.pack("!H", length) if length < 65_536 else b"\xff" + struct.pack("!Q", length)
    return head + bytes(4) + payload


class RawClient:
    """A WebSocket without a library: it answers no ping and no close."""

    def __init__(self, url: str, session_id: str) -> None:
        port = int(re.search(r":(\d+)/", url)[1])
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # what it holds outlives the socket
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(
            f"GET /ws/stt HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._read_until(b"101 Switching")
        self.socket.sendall(frame(1, json.dumps({"type": "start_session", "session_id": session_id}).encode()))
        self._read_until(b"session_started")

    def flood(self, first: bytes, blob: bytes, over: threading.Event) -> int:
        """Send as fast as it is taken, and read what comes; how many bytes were taken."""
        sent, rest = 0, memoryview(first + blob)
        self.socket.setblocking(False)
        while not over.is_set():
            with contextlib.suppress(BlockingIOError):
                self.socket.recv(1 << 20)
            try:
                count = self.socket.send(rest)
            except BlockingIOError:
                time.sleep(0.001)
                continue
            sent += count
            rest = rest[count:] or memoryview(blob)
        return sent

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close without goodbye: the other side gets RST, as from a machine that was restarted."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def _read_until(self, text: bytes) -> None:
        heard = b""
        while text not in heard:
            heard += self.socket.recv(4096)


def web(stack: Stack) -> psutil.Process:
    return psutil.Process(stack.webs[0].pid)


def megabytes(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6


def metric(url: str, name: str) -> float:
    return float(re.search(rf"^{re.escape(name)} (\S+)$", requests.get(f"{url}/metrics", timeout=5).text, re.M)[1])


def live(stack: Stack) -> list[bytes | str]:
    return stack.redis.keys("stt:session:*")


async def nobody_is_left(stack: Stack) -> None:
    await asyncio.to_thread(until, lambda: not live(stack), "sessions to end")


async def everything(ws: websockets.ClientConnection) -> None:
    """Read until the connection is closed."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await ws.recv()


class Watch:
    """The highest RSS of a process, sampled by a thread."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.before = self.highest = megabytes(process)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth(self) -> float:
        return self.highest - self.before

    def _sample(self) -> None:
        while not self._over.wait(0.02):
            self.highest = max(self.highest, megabytes(self._process))


FLOODS = {
    "binary garbage": (b"", frame(2, os.urandom(4096)) * 64),
    "binary garbage in tiny frames": (b"", frame(2, b"\x13\x37") * 8192),
    "empty JSON": (b"", frame(1, b"{}") * 8192),
    "commands": (b"", frame(1, b'{"type": "flush"}') * 4096),
    "huge frames": (b"", frame(2, os.urandom(1_000_000)) * 2),
    "pings": (b"", frame(9, b"") * 8192),
    "fragments of nothing": (frame(2, b"", fin=False), frame(0, b"", fin=False) * 8192),
}


async def transcribe(url: str) -> Talker:
    """A well-behaved session, with its partials and its final."""
    async with Talker(url) as talker:
        await talker.start()
        await talker.stream(silence(0.3) + speech("s13_pm_alex") + silence(0.6), pace=0.5)
        await talker.end()
        return talker


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_takes_no_memory_and_no_session_from_others(stack: Stack, kind: str) -> None:
    """The flooding session is read from no faster than it is served."""
    client = await asyncio.to_thread(RawClient, stack.ws_url, "flood")
    over = threading.Event()
    with Watch(web(stack)) as watch:
        flood = asyncio.create_task(asyncio.to_thread(client.flood, *FLOODS[kind], over))
        try:
            bystander = await transcribe(stack.ws_url)
        finally:
            over.set()
            sent = await flood
            client.close()

    assert sent > 100_000
    assert watch.growth < GROWTH_MB
    assert bystander.of("partial_transcript")
    assert len(bystander.of("final_transcript")) == 1
    assert bystander.of("error") == []
    await nobody_is_left(stack)


async def test_a_client_that_does_not_read_is_closed(stack: Stack) -> None:
    """1013 with a reason, counted; its session ends as on a disconnect."""
    narrow = socket.create_connection(("127.0.0.1", stack.ports[0]))
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    asked = json.dumps({"type": "flush", "flush_id": "x" * 128})  # answered at once, by an empty final of half a kB
    before = metric(stack.http_url, "stt_slow_readers_total")
    slow = await websockets.connect(stack.ws_url, sock=narrow, compression=None, max_queue=1, close_timeout=1)
    with Watch(web(stack)) as watch:
        await slow.send('{"type": "start_session", "session_id": "slow"}')
        with contextlib.suppress(websockets.ConnectionClosed):
            for _ in range(40):
                for _ in range(250):
                    await slow.send(asked)
                if await asyncio.to_thread(metric, stack.http_url, "stt_slow_readers_total") > before:
                    break
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await everything(slow)

    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "slow reader")
    assert metric(stack.http_url, "stt_slow_readers_total") == before + 1
    assert watch.growth < GROWTH_MB
    await nobody_is_left(stack)


async def test_a_message_over_the_transport_s_limit_closes_with_1009(stack: Stack) -> None:
    """The close says why, and the session is over."""
    async with Talker(stack.ws_url) as talker:
        await talker.start()
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.gather(talker.ws.send(bytes(2_000_000)), talker.next())

    assert closed.value.rcvd.code == 1009
    await nobody_is_left(stack)


async def test_a_connection_that_starts_nothing_is_closed(stack: Stack) -> None:
    """The second process waits for a second only: an error says why, then 1008."""
    async with Talker(stack.ws_urls[1]) as talker:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await talker.until("nothing more")

    assert [error["code"] for error in talker.messages] == ["INVALID_MESSAGE"]
    assert closed.value.rcvd.code == 1008


async def test_connections_are_bounded(stack: Stack) -> None:
    """One too many is refused at the handshake, until another goes; who is in notices nothing."""
    async with contextlib.AsyncExitStack() as others:
        await nobody_is_left(stack)
        talking = asyncio.create_task(transcribe(stack.ws_url))
        await asyncio.to_thread(until, lambda: live(stack), "the session")
        for _ in range(MAX_CONNECTIONS - 2):
            await others.enter_async_context(Talker(stack.ws_url))
        async with Talker(stack.ws_url):
            for _ in range(50):
                with pytest.raises(websockets.InvalidStatus) as refused:
                    await websockets.connect(stack.ws_url)
        await others.enter_async_context(Talker(stack.ws_url))
        talker = await talking

    assert refused.value.response.status_code == 503
    assert metric(stack.http_url, "stt_connections_refused_total") == 50
    assert len(talker.of("final_transcript")) == 1


@pytest.mark.parametrize("header", ["Content-Length: 1048577", "Transfer-Encoding: chunked"])
def test_a_body_over_the_limit_is_refused(stack: Stack, header: str) -> None:
    """Before it is read where its length is said, else as soon as it is too long."""
    before = metric(stack.http_url, "stt_bodies_refused_total")
    with socket.create_connection(("127.0.0.1", urlsplit(stack.http_url).port), PATIENCE_S) as client:
        client.sendall(f"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
        if "chunked" in header:
            client.sendall(16 * (b"10000\r\n" + bytes(65_536) + b"\r\n") + b"10000\r\n.")
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert metric(stack.http_url, "stt_bodies_refused_total") == before + 1


async def test_a_dead_peer_is_found(stack: Stack) -> None:
    """It answers no ping; its session ends though its socket is never closed."""
    client = await asyncio.to_thread(RawClient, stack.ws_urls[1], "half-open")

    assert live(stack) == [b"stt:session:half-open"]
    await nobody_is_left(stack)
    client.close()


async def test_sessions_started_and_dropped_leave_nothing(stack: Stack) -> None:
    """Neither leases nor memory."""

    async def drop(times: int) -> None:
        for _ in range(times):
            async with Talker(stack.ws_url) as talker:
                await talker.start()
                await talker.stream(speech("s13_pm_alex")[:6400], pace=0)
                talker.vanish()
        await nobody_is_left(stack)

    await drop(20)
    with Watch(web(stack)) as watch:
        await drop(80)

    assert watch.growth < GROWTH_MB / 4


async def test_a_connection_that_is_reset_is_over_at_once(stack: Stack) -> None:
    """Not only when the next ping fails."""
    clients = [await asyncio.to_thread(RawClient, stack.ws_url, f"reset-{n}") for n in range(5)]
    for client in clients:
        client.reset()

    await nobody_is_left(stack)
