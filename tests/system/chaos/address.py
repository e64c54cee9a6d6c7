"""A stable address before servers that take turns, as a load balancer or a virtual address is."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from harness.processes import free_port

CHUNK = 65_536


class Old(Enum):
    """What becomes of connections that are open when the address leads elsewhere."""

    KEPT = "kept"
    CUT = "cut"
    DEAD = "dead"
    """Nothing comes through and nobody says so, as when a machine loses its power."""


class Link:
    """One connection through the address: to the client, and to the server."""

    def __init__(self, *ends: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        (self._client, self._to_client), (self._server, self._to_server) = ends
        self.dead = False

    async def forward(self) -> None:
        """Both ways, until one end is closed."""
        ways = (self._copy(self._client, self._to_server), self._copy(self._server, self._to_client))
        await asyncio.gather(*ways)

    def cut(self) -> None:
        """Both ends, at once."""
        for writer in (self._to_client, self._to_server):
            writer.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK):
                if not self.dead:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        if not self.dead:
            writer.close()


class Address:
    """Forwards to the port it leads to; runs in a thread of its own."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()

    @contextmanager
    def listening(self) -> Iterator["Address"]:
        """While this lasts."""
        ready = threading.Event()
        thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(ready),))
        thread.start()
        ready.wait()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._over.set)
            thread.join()
            self._loop.close()

    def lead_to(self, target: int, old: Old) -> None:
        """New connections go there."""
        self._target = target
        if old is not Old.KEPT:
            self._loop.call_soon_threadsafe(self._end, old)

    async def _run(self, ready: threading.Event) -> None:
        async with await asyncio.start_server(self._serve, "127.0.0.1", self.port):
            ready.set()
            await self._over.wait()
        self._end(Old.CUT)
        while self._links:
            await asyncio.sleep(0.01)

    def _end(self, old: Old) -> None:
        for link in self._links:
            if old is Old.DEAD:
                link.dead = True
            else:
                link.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        link = Link((reader, writer), there)
        self._links.add(link)
        try:
            await link.forward()
        finally:
            link.cut()
            self._links.discard(link)
