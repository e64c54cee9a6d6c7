"""What a worker's Celery takes from the broker: of recordings' finals no more than it may work on, and some in turn.

Celery 5.7.0 takes whatever there is, lists in the order of their priorities, until all task threads are busy. Finals of
recordings would fill the threads, and a final of somebody who speaks would then wait for one. So their list is left out
while the worker has enough of them, and comes before that of partials when they are due (`yielding.py`).
"""

import time
from typing import Any

from kombu.transport import redis as transport

from transcription.core.contract.keyspace import PARTIAL_PRIORITY, PRIORITY_STEPS, RECORDED_PRIORITY
from workers.yielding import Yielding

LOOK_S = 0.1
"""How soon it is looked again while a list is left out: a BRPOP that waits cannot be given another list."""


def steps(held: int, most: int, *, due: bool) -> list[int]:
    """The priorities to take from, in order, with so many of recordings in hand."""
    if held >= most:
        return [step for step in PRIORITY_STEPS if step != RECORDED_PRIORITY]
    if held or not due:
        return list(PRIORITY_STEPS)
    before = [step for step in PRIORITY_STEPS if step < PARTIAL_PRIORITY]
    return [*before, RECORDED_PRIORITY, PARTIAL_PRIORITY]


def install(yielding: Yielding, most: int) -> None:
    """Patch kombu's `Channel._brpop_start` (kombu/transport/redis.py 5.7.0); `most` of recordings are taken in hand."""

    def start(self: Any, timeout: float | None = None) -> None:
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        held = sum(
            tag not in self.qos._dirty and message.properties.get("priority") == RECORDED_PRIORITY
            for tag, message in self.qos._delivered.items()
        )
        order = steps(held, most, due=yielding.due(time.perf_counter()))
        wait_s = LOOK_S if RECORDED_PRIORITY not in order else timeout or self.brpop_timeout or 0
        keys = [self._q_for_pri(queue, step) for step in order for queue in queues]
        self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        self.client.connection.send_command("BRPOP", *keys, wait_s)

    transport.Channel._brpop_start = start  # type: ignore[attr-defined]
