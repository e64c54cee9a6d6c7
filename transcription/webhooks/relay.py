"""The process that sends events: `python manage.py webhooks`. Any number may run; each event has one sender at a time.

What there is to send lies in the database, so that neither a restart of this process nor one of Redis loses any of it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from django.db import Error, close_old_connections, connection

from transcription.addresses import Networks
from transcription.webhooks import queue
from transcription.webhooks.posting import post
from transcription.webhooks.queue import Attempt

logger = logging.getLogger(__name__)

POLL_S = 0.5
"""How late an event that has just been noted is found."""
FORGET_S = 3600.0

T = TypeVar("T")


class Relay:
    """Takes events that are due and sends them, `queue.AT_ONCE` to an endpoint, until it is told to stop."""

    def __init__(self, hosts: list[str], networks: Networks) -> None:
        self._hosts, self._networks = hosts, networks
        self._database = ThreadPoolExecutor(max_workers=1, thread_name_prefix="webhooks")
        self._in_hand: Counter[int] = Counter()
        """Requests that are open, by webhook."""
        self._wake = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until `stop` is set, then finish what has been begun."""
        loop = asyncio.get_running_loop()
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(lambda _: self._wake.set())
        forgotten = -FORGET_S
        async with asyncio.TaskGroup() as sending:
            while not stop.is_set():
                if loop.time() - forgotten >= FORGET_S:
                    forgotten = loop.time()
                    await self._ask(lambda: queue.forget(datetime.now(UTC)))
                self._wake.clear()
                for attempt in await self._ask(lambda: queue.take(self._in_hand, datetime.now(UTC))) or ():
                    self._in_hand[attempt.webhook] += 1
                    sending.create_task(self._send(attempt))
                timer = loop.call_later(POLL_S, self._wake.set)
                await self._wake.wait()
                timer.cancel()
        await self._ask(connection.close)
        self._database.shutdown()

    async def _send(self, attempt: Attempt) -> None:
        try:
            why = await post(
                attempt.url,
                attempt.secret,
                attempt.event_id,
                attempt.body,
                hosts=self._hosts,
                networks=self._networks,
            )
            about = {"action": "webhook", "webhook": attempt.name, "event_id": attempt.event_id}
            if why is None:
                await self._ask(lambda: queue.delivered(attempt, datetime.now(UTC)))
            elif await self._ask(lambda: queue.failed(attempt, why, datetime.now(UTC))):
                logger.warning("An event for %s is given up: %s", attempt.name, why, extra=about)
            else:
                logger.info("An event for %s was not taken: %s", attempt.name, why, extra=about)
        finally:
            self._in_hand[attempt.webhook] -= 1
            self._wake.set()  # there may be more for this endpoint

    async def _ask(self, question: Callable[[], T]) -> T | None:
        """The database's answer; `None` when it cannot be used: what was begun is then due again after its lease."""

        def ask() -> T | None:
            close_old_connections()
            try:
                return question()
            except Error as error:
                logger.warning("Webhooks wait, the database cannot be used: %s", type(error).__name__)
                connection.close()
                return None

        return await asyncio.get_running_loop().run_in_executor(self._database, ask)
