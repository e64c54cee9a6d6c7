"""What talkers cost the Redis they share: `python -m benchmarks.broker --redis-url URL --talkers 8 --seconds 30`.

Starts the service with the echo engine against a Redis of yours that nobody else uses, lets talkers speak to it, and
reads the server's own counters before and after. Redis runs commands on one thread, so its CPU time a talker says how
many talkers one server carries, on a machine like this one.
"""

import argparse
import asyncio
import os
import sys
import time
import wave
from collections.abc import Iterable
from itertools import cycle, islice
from pathlib import Path

import redis

from benchmarks.service import NO_LIMITS, launched
from harness.audio import AUDIO, BYTES_PER_S, FRAME, frames
from harness.processes import ROOT
from harness.talker import Talker

DRAIN_S = 60.0


async def talk(url: str, audio: Iterable[bytes], late: float) -> None:
    """Say frames in real time; what is said of them is of no interest."""
    await asyncio.sleep(late)
    async with Talker(url) as talker:
        await talker.start(config={"lang_code": "pt"})

        async def speak() -> None:
            await talker.send_frames(audio)
            await talker.say("end_session")

        await talker.converse(speak(), DRAIN_S)


def counters(client: redis.Redis) -> dict[str, float]:
    """The server's own: CPU seconds, commands, bytes, tasks published."""
    info, stats = client.info(), client.info("commandstats")
    return {
        "cpu": info["used_cpu_user"] + info["used_cpu_sys"],
        "commands": info["total_commands_processed"],
        "in": info["total_net_input_bytes"],
        "out": info["total_net_output_bytes"],
        "jobs": stats.get("cmdstat_lpush", {"calls": 0})["calls"],
    }


def main() -> int:
    """Measure and print one row of docs/scaling.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.broker", description=main.__doc__)
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--talkers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--clip", type=Path, default=AUDIO / "s13_pm_alex.wav")
    options = parser.parse_args()
    with wave.open(str(options.clip)) as clip:
        pcm = clip.readframes(clip.getnframes()) + bytes(32_000)  # and a second of silence: an utterance ends
    os.environ |= {"STT_REDIS_URL": options.redis_url, "STT_ENGINE": "echo", "STT_WHISPER_MODEL": "echo"}
    os.environ |= {"STT_DEVICE": "cpu", "STT_COMPUTE_TYPE": "int8", "STT_ECHO_DECODE_MS": "20"}
    with launched(ROOT, NO_LIMITS) as (url, _), redis.Redis.from_url(options.redis_url) as client:
        before, began = counters(client), time.perf_counter()
        asyncio.run(_all(url, pcm, options.talkers, options.seconds))
        took = time.perf_counter() - began
        spent = {name: value - before[name] for name, value in counters(client).items()}
        peak = client.info()["used_memory_peak"]
    cpu = spent["cpu"] / took / options.talkers
    sys.stdout.write(
        f"{options.talkers} talkers, {took:.0f} s: {spent['jobs'] / took:.1f} jobs/s, "
        f"{spent['commands'] / took:.0f} commands/s, "
        f"{spent['in'] / took / 1e6:.2f} MB/s in, {spent['out'] / took / 1e6:.2f} MB/s out, "
        f"{100 * spent['cpu'] / took:.1f} % of a core; a talker: {100 * cpu:.2f} % of a core, "
        f"{1 / cpu:.0f} talkers a core; peak memory {peak / 1e6:.1f} MB\n"
    )
    return 0


async def _all(url: str, pcm: bytes, talkers: int, seconds: float) -> None:
    """The same utterance again and again, by talkers who begin within three seconds."""
    audio = list(islice(cycle(frames(pcm)), int(seconds * BYTES_PER_S / FRAME)))
    await asyncio.gather(*(talk(url, audio, 3.0 * i / talkers) for i in range(talkers)))


if __name__ == "__main__":
    sys.exit(main())
