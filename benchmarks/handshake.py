"""How long the service takes to answer a handshake, by the key it comes with.

    python -m benchmarks.handshake --handshakes 2000

A stack of its own (echo engine, one web process, keys required, a database of 1,000 keys). Kinds of keys take turns in
random order, so that whatever else the machine does falls on all of them alike. Two kinds can be told apart as far as
the *chance that one of the first takes longer than one of the second* is not 50 %; that it is given with the 95 %
interval that chance alone would give equal kinds.
"""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import websockets
from tabulate import tabulate

from harness.stack import ECHO, Stack

OTHER_KEYS = 1_000
BASELINE = "unknown prefix"


def kinds(stack: Stack) -> dict[str, Callable[[], str]]:
    """Tokens by kind; each call gives one that was not sent before, where there is more than one."""
    good, revoked, expired = (stack.manage("createapikey", name) for name in ("good", "revoked", "expired"))
    stack.manage("revokeapikey", revoked.split("_")[1])
    code = (
        "from transcription.keys.access import issue\n"
        "from transcription.models import ApiKey; from django.utils import timezone\n"
        f"ApiKey.objects.filter(prefix='{expired.split('_')[1]}').update(expires=timezone.now())\n"
        f"for n in range({OTHER_KEYS}): issue(ApiKey(name=str(n)))\n"
    )
    stack.manage("shell", "-v", "0", "-c", code)
    prefix = good.split("_")[1]
    return {
        BASELINE: lambda: f"stt_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}",
        "known prefix, wrong secret": lambda: f"stt_{prefix}_{secrets.token_urlsafe(32)}",
        "right but for the last character": lambda: good[:-1] + secrets.choice("BDFHJ"),
        "revoked": lambda: revoked,
        "expired": lambda: expired,
        "good": lambda: good,
    }


async def handshake(url: str, token: str) -> float:
    """Milliseconds from the request to its answer."""
    began = time.perf_counter()
    try:
        ws = await websockets.connect(url, compression=None, additional_headers={"Authorization": f"Bearer {token}"})
    except websockets.InvalidStatus:
        return (time.perf_counter() - began) * 1000
    took_ms = (time.perf_counter() - began) * 1000
    await ws.close()
    return took_ms


async def measure(url: str, tokens: dict[str, Callable[[], str]], count: int) -> dict[str, np.ndarray]:
    """So many handshakes of each kind, in random order, one at a time."""
    order = [kind for kind in tokens for _ in range(count)]
    random.shuffle(order)
    for kind in tokens:  # warm connections and code
        await handshake(url, tokens[kind]())
    took: dict[str, list[float]] = defaultdict(list)
    for kind in order:
        took[kind].append(await handshake(url, tokens[kind]()))
    return {kind: np.array(took[kind]) for kind in tokens}


def longer(first: np.ndarray, second: np.ndarray) -> float:
    """The chance that one of the first takes longer than one of the second (Mann-Whitney's U, as a share)."""
    ranks = np.empty(first.size + second.size)
    ranks[np.argsort(np.concatenate([first, second]), kind="stable")] = np.arange(1, ranks.size + 1)
    return float((ranks[: first.size].sum() - first.size * (first.size + 1) / 2) / (first.size * second.size))


def table(took: dict[str, np.ndarray]) -> str:
    """Times of handshakes (ms), by kind of key, as a Markdown table with its margin of error."""
    base = took[BASELINE]
    rows = [
        [kind, *(f"{np.percentile(times, share):.2f}" for share in (50, 95)), f"{100 * longer(times, base):.1f} %"]
        for kind, times in took.items()
    ]
    interval = 196 * np.sqrt((2 * base.size + 1) / (12 * base.size**2))
    headers = ["key", "p50 ms", "p95 ms", f"takes longer than: {BASELINE}"]
    note = f"{base.size} handshakes a kind; equal kinds give 50 % ± {interval:.1f} in 19 of 20 runs."
    return f"{tabulate(rows, headers, tablefmt='github')}\n\n{note}\n"


def main() -> None:
    """Start the service, measure, print."""
    parser = argparse.ArgumentParser("python -m benchmarks.handshake")
    parser.add_argument("--handshakes", type=int, default=2000, metavar="N", help="of each kind (2000)")
    count = parser.parse_args().handshakes
    settings = ECHO | {"STT_AUTH": "required", "STT_LOG_LEVEL": "WARNING"}
    with tempfile.TemporaryDirectory() as directory, Stack(Path(directory), settings) as stack:
        stack.start_web()
        took = asyncio.run(measure(stack.ws_url, kinds(stack), count))
    sys.stdout.write(table(took))


if __name__ == "__main__":
    main()
