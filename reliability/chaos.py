"""Random faults under load, and the account: what was owed to the clients, what they got, how soon after a fault."""

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tabulate import tabulate

from benchmarks.reporting import report
from harness.sentinels import WatchedStack
from harness.stack import ECHO, Stack
from harness.supervision import kept
from reliability.conversation import Conversation
from reliability.faults import FAULTS, Happened, befall

SETTINGS = ECHO | {
    "STT_ECHO_DECODE_MS": "60",
    "STT_MAX_QUEUE_DEPTH": "1000",
    "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "15000",
    # more than the longest outage: frames refused would leave nothing to compare word for word
    "STT_MAX_BUFFER_MS": "120000",
    "STT_LOG_LEVEL": "ERROR",
    "STT_PIECE_MS": "2000",
}
DRAIN_S = 90.0
"""How long a client waits for what it is owed after its last word."""


@dataclass(slots=True)
class Options:
    """What a run is asked for."""

    minutes: float = 10.0
    talkers: int = 20
    workers: int = 2
    webs: int = 2
    faults: tuple[str, ...] = tuple(FAULTS)
    persistent: bool = False
    """Whether Valkey keeps what it has over a restart."""
    sentinels: bool = False
    """Whether it has a replica that sentinels promote."""
    seed: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    """Of the service, over the run's own."""


@dataclass(slots=True)
class Account:
    """What a run came to."""

    conversations: list[Conversation]
    faults: list[Happened]
    fallen: list[str]

    def recovery_s(self, fault: Happened) -> float | None:
        """The longest that a final owed while a fault lasted had to wait from when the service could recover.

        `None` where none was owed.
        """
        waits = [
            owed.answered_at - max(owed.asked_at, fault.over)
            for conversation in self.conversations
            for owed in conversation.owed.values()
            if owed.answered_at is not None and owed.asked_at <= fault.ended and owed.answered_at > fault.began
        ]
        return max(0.0, *waits) if waits else None

    def totals(self) -> dict[str, int]:
        """Everything counted, by name."""
        owed = [o for c in self.conversations for o in c.owed.values()]
        cut = [o for c in self.conversations if c.cut for o in c.owed.values() if not o.finals and not o.told]
        lost = sum(len(c.lost()) for c in self.conversations)
        return {
            "sessions": sum(not c.refused for c in self.conversations),
            "sessions refused, told so": sum(c.refused for c in self.conversations),
            "sessions whose web process was killed": sum(c.cut for c in self.conversations),
            "finals expected": len(owed),
            "finals received": sum(bool(o.finals) for o in owed),
            "of several pieces": sum(o.pieces > 1 for o in owed),
            "told by error": sum(o.told and not o.finals for o in owed),
            "cut off with their web process": len(cut),
            "duplicated": sum(max(o.finals - 1, 0) for o in owed),
            "wrong text": sum(len(o.wrong) for o in owed),
            "never asked for": sum(len(c.unexpected) for c in self.conversations),
            "lost": lost - len(cut),
        }

    @property
    def sound(self) -> bool:
        """Nothing lost, doubled, wrong or invented."""
        totals = self.totals()
        return not any(totals[name] for name in ("lost", "duplicated", "wrong text", "never asked for"))


async def chaos(options: Options, directory: Path) -> Account:
    """Break a cluster at random while talkers talk, and account for every final."""
    rng = random.Random(options.seed)  # noqa: S311 - a seed repeats a run
    make = WatchedStack if options.sentinels else Stack
    with make(directory, SETTINGS | options.settings, persistent=options.persistent) as stack:
        stack.start(options.workers, options.webs)
        with kept(stack) as fallen:
            until = time.perf_counter() + options.minutes * 60
            conversations: list[Conversation] = []
            async with asyncio.TaskGroup() as group:
                striking = group.create_task(_strike(options, stack, rng, until))
                for seat in range(options.talkers):
                    group.create_task(_talk(stack, seat, options.seed, until, conversations))
    return Account(conversations, striking.result(), fallen)


async def _strike(options: Options, stack: Stack, rng: random.Random, until: float) -> list[Happened]:
    """One fault after another, with little or much time between."""
    done: list[Happened] = []
    names: list[str] = []
    await asyncio.sleep(5.0)
    while time.perf_counter() < until - 15.0:
        names = names or rng.sample(options.faults, len(options.faults))
        fault = await befall(names.pop(), stack, rng)
        done.append(fault)
        report(f"{fault.name}: {time.perf_counter() - fault.began:.1f} s")
        await asyncio.sleep(rng.uniform(3.0, 12.0))
    return done


async def _talk(stack: Stack, seat: int, seed: int, until: float, conversations: list[Conversation]) -> None:
    """One client after another on a seat."""
    rng = random.Random(f"{seed}-{seat}")  # noqa: S311
    await asyncio.sleep(rng.uniform(0.0, 2.0))
    number = 0
    while time.perf_counter() < until:
        number += 1
        webs = [(web, url) for web, url in zip(stack.webs, stack.ws_urls, strict=True) if web.returncode is None]
        if not webs:
            await asyncio.sleep(0.5)
            continue
        web, url = rng.choice(webs)
        conversation = Conversation(f"chaos-{seat}-{number}", vad=rng.random() < 0.25)
        await conversation.run(url, rng, rng.randint(1, 8), DRAIN_S)
        conversation.cut = bool(conversation.closed) and web in stack.killed and not conversation.refused
        conversations.append(conversation)
        for segment in conversation.lost() if not conversation.cut else ():
            report(f"lost: {conversation.session_id} {segment} {conversation.closed} {conversation.errors[-3:]}")
        if conversation.refused:
            await asyncio.sleep(rng.uniform(0.5, 1.5))


def chaos_markdown(account: Account) -> str:
    """The table, and one of the faults."""
    errors = Counter(error["code"] for c in account.conversations for error in c.errors)
    latencies = [
        o.answered_at - o.asked_at
        for c in account.conversations
        for o in c.owed.values()
        if o.finals and o.answered_at is not None
    ]
    rows: list[list[object]] = [[name, count] for name, count in account.totals().items()]
    rows.append(["errors told", ", ".join(f"{code} {count}" for code, count in errors.items()) or "none"])
    rows.append(["final after its endpoint, p50 / max", _spread(latencies)])
    rows.append(["recovery after a fault, p50 / max", _spread(_recoveries(account, account.faults))])
    rows.append(["processes that ended by themselves", len(account.fallen)])
    by_name = []
    for name in sorted({fault.name for fault in account.faults}):
        faults = [fault for fault in account.faults if fault.name == name]
        by_name.append([name, len(faults), _spread(_recoveries(account, faults))])
    tables = [
        tabulate(rows, headers=["", ""], tablefmt="github", disable_numparse=True),
        tabulate(by_name, headers=["fault", "times", "recovery p50 / max"], tablefmt="github", disable_numparse=True),
    ]
    wrong = [text for c in account.conversations for o in c.owed.values() for text in o.wrong]
    return "\n\n".join([*tables, *wrong[:10], *account.fallen[:10]])


def _recoveries(account: Account, faults: Sequence[Happened]) -> list[float]:
    found = (account.recovery_s(fault) for fault in faults)
    return [recovery for recovery in found if recovery is not None]


def _spread(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} s / {max(seconds):.2f} s" if seconds else "–"
