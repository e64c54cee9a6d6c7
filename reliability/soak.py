"""Use for a long time: memory, files and threads of every process, keys and channels in Redis; none may grow."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import redis
from tabulate import tabulate

from harness.audio import noise
from harness.stack import Stack
from harness.talker import Talker
from reliability.chaos import SETTINGS
from reliability.conversation import Conversation

MIB = 2**20
PATIENCE_S = 60.0
SETTLED = 1 / 3
"""The first part of a run fills caches and pools; slopes are of the rest."""
CALM_S = 15.0
"""After the last session: leases lapse, connections close."""


@dataclass(slots=True)
class Options:
    """What a run is asked for."""

    minutes: float = 20.0
    talkers: int = 20
    every_s: float = 5.0
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """The stack at one moment."""

    at_s: float
    processes: dict[str, tuple[float, int, int]]
    """RSS in MiB, open files, threads."""
    redis: dict[str, float]
    """Keys, memory in MiB, clients, channels subscribed."""


@dataclass(slots=True)
class Soaked:
    """What a run came to."""

    looks: list[Look]
    calm: Look
    """After the last session has ended."""
    conversations: list[Conversation]
    dropped: int
    """Sessions whose client vanished in the middle."""


async def soak(options: Options, directory: Path) -> Soaked:
    """Let talkers talk for long, and watch memory, files, threads and keys."""
    with Stack(directory, SETTINGS | options.settings) as stack:
        stack.start(workers=2)
        began = time.monotonic()
        until = began + options.minutes * 60
        soaked = Soaked([], _look(stack, 0.0), [], 0)
        async with asyncio.TaskGroup() as group:
            for seat in range(options.talkers):
                group.create_task(_talk(stack, seat, until, soaked))
            while time.monotonic() < until:
                await asyncio.sleep(options.every_s)
                soaked.looks.append(_look(stack, time.monotonic() - began))
        await asyncio.sleep(CALM_S)
        soaked.calm = _look(stack, time.monotonic() - began)
        return soaked


async def _talk(stack: Stack, seat: int, until: float, soaked: Soaked) -> None:
    """Sessions that end, vanish, or only knock."""
    rng = random.Random(seat)  # noqa: S311 - a seed repeats a run
    number = 0
    while time.monotonic() < until:
        number += 1
        if rng.random() < 0.2:
            await _vanish(stack.ws_url, rng)
            soaked.dropped += 1
            continue
        conversation = Conversation(f"soak-{seat}-{number}", vad=rng.random() < 0.5)
        await conversation.run(stack.ws_url, rng, rng.randint(1, 8), PATIENCE_S)
        soaked.conversations.append(conversation)


async def _vanish(url: str, rng: random.Random) -> None:
    """A client that is gone without a word: before it starts, or in the middle of speech."""
    async with Talker(url) as talker:
        if rng.random() < 0.5:
            await talker.say("start_session", config={"vad_enabled": False})
            await talker.send_frames(noise(0.02, rng.getrandbits(32)) for _ in range(rng.randint(1, 100)))
        talker.vanish()


def _look(stack: Stack, at_s: float) -> Look:
    """Processes are numbered by their start: worker 1, worker 2, web 1, redis 1."""
    processes: dict[str, tuple[float, int, int]] = {}
    for name in ("web", "worker", "redis"):
        for number, child in enumerate(stack.running(name), 1):
            process = psutil.Process(child.pid)
            rss = process.memory_info().rss / MIB
            processes[f"{name} {number}"] = (rss, process.num_fds(), process.num_threads())
    client: redis.Redis = stack.redis
    return Look(
        at_s,
        processes,
        {
            "keys": client.dbsize(),
            **Counter(f"keys {key.decode().split(':')[1]}" for key in client.scan_iter("stt:*:*", count=1000)),
            "memory, MiB": client.info("memory")["used_memory"] / MIB,
            "clients": client.info("clients")["connected_clients"],
            "channels": len(client.pubsub_channels("*")),
        },
    )


def soak_markdown(soaked: Soaked) -> str:
    """Two tables: processes, Redis."""
    looks = [look for look in soaked.looks if look.at_s >= soaked.looks[-1].at_s * SETTLED]
    at_s = [look.at_s for look in looks]
    processes = []
    for name in soaked.calm.processes:
        rss, files, threads = ([look.processes[name][i] for look in looks] for i in range(3))
        calm = soaked.calm.processes[name]
        processes.append(
            [name, f"{rss[0]:.1f}", f"{rss[-1]:.1f}", _slope(at_s, rss), f"{calm[0]:.1f}",
             f"{_range(files)}, {calm[1]}", f"{_range(threads)}, {calm[2]}"]
        )  # fmt: skip
    redis_rows = []
    for name in {name: None for look in looks for name in look.redis}:
        calm_value = soaked.calm.redis.get(name, 0)
        values = [look.redis.get(name, 0) for look in looks]
        redis_rows.append([name, f"{values[0]:.4g}", f"{values[-1]:.4g}", f"{max(values):.4g}", f"{calm_value:.4g}"])
    owed = [o for c in soaked.conversations for o in c.owed.values()]
    sessions = (
        f"{len(soaked.conversations)} sessions, {soaked.dropped} clients that vanished, {len(owed)} finals owed, "
        f"{sum(o.finals for o in owed)} received, {sum(len(o.wrong) for o in owed)} wrong"
    )
    headers = ["process", "RSS, MiB: settled", "end", "slope, MiB/h", "calm", "open files, calm", "threads, calm"]
    return "\n\n".join(
        [
            sessions,
            tabulate(processes, headers=headers, tablefmt="github", disable_numparse=True),
            tabulate(redis_rows, headers=["Redis", "settled", "end", "most", "calm"], tablefmt="github",
                     disable_numparse=True),
        ]
    )  # fmt: skip


def _slope(at_s: Sequence[float], mib: Sequence[float]) -> str:
    """MiB an hour, by least squares, with its standard error."""
    if len(at_s) < 3:
        return "–"
    (slope, _), covariance = np.polyfit(np.array(at_s) / 3600, mib, 1, cov=True)
    return f"{slope:+.1f} ± {covariance[0][0] ** 0.5:.1f}"


def _range(counts: Sequence[float]) -> str:
    return f"{min(counts)}–{max(counts)}"
