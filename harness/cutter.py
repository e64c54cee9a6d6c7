"""Connections that are lost when a test wants it."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator

from harness.stack import Stack


class Cutter:
    """A way to the service that is cut; each new connection is led to the next web process."""

    def __init__(self, stack: Stack) -> None:
        self._ports = itertools.cycle(stack.ports)
        self._writers: set[asyncio.StreamWriter] = set()
        self._leading: set[asyncio.Task[None] | None] = set()
        self.connections = 0

    def lead_to(self, port: int) -> None:
        """From now on every new connection is led to this web process."""
        self._ports = itertools.cycle([port])

    @contextlib.asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Listen; yields the WebSocket address. What is connected in the end is cut."""
        server = await asyncio.start_server(self._lead, "127.0.0.1", 0, ssl=tls)
        async with server:
            try:
                yield f"ws{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws/stt"
            finally:
                self.cut()
                await asyncio.gather(*filter(None, self._leading), return_exceptions=True)

    def cut(self) -> None:
        """Drop every connection, both ways."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._leading.add(asyncio.current_task())
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", next(self._ports))
        self._writers |= {writer, there_writer}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._copy(reader, there_writer), self._copy(there_reader, writer))

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()
