"""Talkers that play scripts in real time; what they send and get is the record."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from websockets.exceptions import WebSocketException

from benchmarks.clips import FRAME, SAMPLE_RATE
from benchmarks.options import Options
from benchmarks.record import Record
from benchmarks.schedule import FRAME_S, Script
from harness.talker import Talker, sleep_until

CONFIG = {"lang_code": "pt", "partial_results": True}
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


async def play_in_turn(options: Options, scripts: Sequence[Script], **config: Any) -> list[Record]:
    """Play scripts, each in a session of its own, at most `--talkers` at a time; `config` as in `start_session`."""
    turn = asyncio.Semaphore(max(options.talkers))

    async def one(script: Script) -> Record:
        async with turn:
            return await play(options.url, script, options.headers, options.drain_s, **config)

    return await asyncio.gather(*(one(script) for script in scripts))


async def play(
    url: str, script: Script, headers: Headers, drain_s: float, begin_at: float = 0.0, **config: Any
) -> Record:
    """Play a script from `begin_at` (`time.perf_counter` seconds; 0 is now) and wait at most `drain_s` for the rest."""
    talker = Talker(url, headers=headers)
    record = Record(script, lags_ms=talker.lags_ms, received=talker.received)
    await sleep_until(begin_at - CONNECT_AHEAD_S)
    try:
        async with talker:
            await talker.start(config=CONFIG | {"sample_rate": script.rate} | config)
            if record.started:
                await talk(talker, record, drain_s, begin_at)
    except (OSError, WebSocketException, TimeoutError) as error:
        record.failure = f"{type(error).__name__}: {error}"
    return record


async def talk(talker: Talker, record: Record, drain_s: float, begin_at: float = 0.0) -> None:
    """What follows `session_started`."""
    record.began_at = max(begin_at, time.perf_counter())
    await talker.converse(_speak(talker, record), drain_s)


async def _speak(talker: Talker, record: Record) -> None:
    frames, flush_at, began_at = _counted(record), record.script.flush_at, record.began_at
    pace = SAMPLE_RATE / record.script.rate
    if flush_at is not None:
        before = -(-flush_at // FRAME)
        await talker.send_frames(islice(frames, before), began_at, pace)
        await talker.say("flush", flush_id="end")
        began_at += before * FRAME_S
    await talker.send_frames(frames, began_at, pace)
    await talker.say("end_session")


def _counted(record: Record) -> Iterator[bytes]:
    """The script's frames; each counts as sent when the next one is asked for."""
    for frame in record.script.frames():
        yield frame
        record.sent += FRAME
