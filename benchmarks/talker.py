"""One talker over a WebSocket: plays a script in real time and records what comes back."""

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from benchmarks.clips import FRAME
from benchmarks.record import Received, Record
from benchmarks.schedule import FRAME_S, Script

START = {"type": "start_session", "config": {"lang_code": "pt", "sample_rate": 16_000, "partial_results": True}}
END = {"type": "end_session"}
START_TIMEOUT_S = 30.0
CONNECT_AHEAD_S = 0.5
"""A talker connects so long before it begins to speak."""

Headers = Sequence[tuple[str, str]]
"""Names and values, sent with the handshake."""


async def play_all(url: str, scripts: Sequence[Script], headers: Headers, drain_s: float) -> list[Record]:
    """Play scripts at the same time, each in a session of its own."""
    begin_at = time.perf_counter() + CONNECT_AHEAD_S
    return await asyncio.gather(
        *(play(url, script, headers, drain_s, begin_at + script.starts_after_s) for script in scripts)
    )


async def play(url: str, script: Script, headers: Headers, drain_s: float, begin_at: float = 0.0) -> Record:
    """Play a script from `begin_at` (`time.perf_counter` seconds; 0 is now) and wait at most `drain_s` for the rest."""
    record = Record(script)
    await sleep_until(begin_at - CONNECT_AHEAD_S)
    try:
        # PCM does not compress; deflating it would only cost both sides CPU.
        async with connect(url, compression=None, additional_headers=headers) as socket:
            await converse(socket, record, drain_s, begin_at)
    except (OSError, WebSocketException, TimeoutError) as error:
        record.failure = f"{type(error).__name__}: {error}"
    return record


async def converse(socket: ClientConnection, record: Record, drain_s: float, begin_at: float = 0.0) -> None:
    """The whole session on an open socket."""
    await socket.send(json.dumps(START))
    await asyncio.wait_for(_receive(socket, record), START_TIMEOUT_S)
    if record.started:
        await talk(socket, record, drain_s, begin_at)


async def talk(socket: ClientConnection, record: Record, drain_s: float, begin_at: float = 0.0) -> None:
    """What follows `session_started`."""
    listening = asyncio.create_task(_listen(socket, record))
    try:
        await _speak(socket, record, begin_at)
        await socket.send(json.dumps(END))
        await asyncio.wait_for(listening, drain_s)
    finally:
        listening.cancel()


async def sleep_until(moment: float) -> None:
    """Sleep until a moment of `time.perf_counter`; one in the past only lets others run."""
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))


async def _speak(socket: ClientConnection, record: Record, begin_at: float) -> None:
    """Send each frame when its last sample would have been spoken; deadlines are absolute, so nothing drifts."""
    record.began_at = max(begin_at, time.perf_counter())
    for index, frame in enumerate(record.script.frames()):
        due = record.began_at + (index + 1) * FRAME_S
        await sleep_until(due)
        record.lags_ms.append((time.perf_counter() - due) * 1000)
        await socket.send(frame)
        record.sent += FRAME


async def _listen(socket: ClientConnection, record: Record) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await _receive(socket, record)


async def _receive(socket: ClientConnection, record: Record) -> None:
    record.received.append(await receive(socket))


async def receive(socket: ClientConnection) -> Received:
    """The next message, with its time."""
    text = await socket.recv()
    at = time.perf_counter()
    return Received(at, json.loads(text))
