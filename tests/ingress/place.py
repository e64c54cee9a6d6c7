"""A web process without its surroundings: consumers against a cluster in memory, and clients of theirs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import numpy as np
import pytest
import redis.asyncio
from channels.layers import InMemoryChannelLayer
from channels.testing import WebsocketCommunicator

from tests.core.session.fakes import FAST, ScriptedVad
from transcription.audit.records import Record
from transcription.cluster.calls import Board
from transcription.cluster.memory import MemoryCluster
from transcription.core.capacity.admission import Refusal
from transcription.core.config import Limits
from transcription.core.contract import jobs
from transcription.core.contract.jobs import Job, Kind, Result
from transcription.core.contract.messages import RESULT_TYPE
from transcription.core.session.recognition import Tools
from transcription.ingress.consumers import TranscriptionConsumer
from transcription.ingress.listening import Listening
from transcription.ingress.runtime import Runtime
from transcription.keys.access import Key

KEY = Key("7", "test", None, None)
TICK_S = 0.001
FRAME = np.full(512, 4096, dtype="<i2").tobytes()
"""A window of 32 ms."""


class Records:
    """Keeps what would be written to the database."""

    def __init__(self) -> None:
        self.kept: list[Record] = []

    def submit(self, record: Record) -> None:
        self.kept.append(record)

    def of(self, kind: type) -> list[Any]:
        return [argument for record in self.kept for argument in record.write.args if isinstance(argument, kind)]


class Account:
    """An API key's."""

    def __init__(self) -> None:
        self.refuses: Refusal | None = None
        self.withdrawn: Refusal | None = None
        self.audio_ms = 0.0

    async def refusal(self, key: Key) -> Refusal | None:
        return self.refuses

    def verdict(self, key: Key) -> Refusal | None:
        return self.withdrawn

    def count(self, key: Key, audio_ms: float) -> None:
        self.audio_ms += audio_ms


class Line:
    """One client's connection to a consumer."""

    def __init__(self, place: "Place", principal: Key | None = None) -> None:
        self._place = place
        application = TranscriptionConsumer.as_asgi(
            find_runtime=lambda: place.runtime, clock=lambda: place.now, tick_s=TICK_S
        )
        self.socket = WebsocketCommunicator(application, "/ws/stt")
        self.socket.scope |= {"principal": principal, "client": ["192.0.2.7", 1234]}

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send_to(text_data=msgspec.json.encode({"type": kind} | fields).decode())

    async def start(self, session_id: str = "s", **fields: Any) -> dict[str, Any]:
        await self.say("start_session", session_id=session_id, **fields)
        return await self.hear()

    async def hear(self) -> dict[str, Any]:
        return msgspec.json.decode(await self.socket.receive_from())

    async def until(self, kind: str) -> dict[str, Any]:
        while (message := await self.hear())["type"] != kind:
            pass
        return message

    async def speak(self, windows: int = 10, pause: int = 3) -> None:
        """Speech of so many windows, then silence."""
        for speaking, count in ((True, windows), (False, pause)):
            self._place.vad.speaking = speaking
            for _ in range(count):
                self._place.now += 0.032
                await self.socket.send_to(bytes_data=FRAME)
            await settled(self.socket.input_queue.empty)


class Place:
    """A web process without its surroundings."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(Limits())
        self.records = Records()
        self.account = Account()
        self.layer = InMemoryChannelLayer()
        self.vad = ScriptedVad()
        self.streams = 1
        """As many sessions stream, as far as `Listening` knows."""
        self.now = 100.0
        self.runtime = Runtime(
            defaults=FAST,
            limits=self.cluster.limits,
            tools=Tools(vad=lambda rate: self.vad, resampler=lambda rate: pytest.fail("not needed")),
            listening=Listening(lambda asked: [vad(pcm) for vad, pcm in asked], lambda: self.streams),
            capacity=self.cluster,
            keyring=self.account,
            outbox=self.cluster,
            recorder=self.records,
            recovery=self.cluster,
            board=Board(redis.asyncio.Redis()),
        )

    @asynccontextmanager
    async def line(self, principal: Key | None = None) -> AsyncIterator[Line]:
        line = Line(self, principal)
        assert await line.socket.connect() == (True, None)
        yield line
        if not line.socket.future.done():
            await line.socket.disconnect(timeout=0.02)  # it would wait for finals that nobody decodes

    def final(self) -> Job:
        return [job for job in self.cluster.jobs if job.kind is Kind.FINAL][-1]

    async def answer(self, result: Result) -> None:
        """As a worker does."""
        (group,) = {job.group for job in self.cluster.jobs}
        await self.layer.group_send(group, {"type": RESULT_TYPE, "payload": jobs.encode_result(result)})


async def settled(holds: Callable[[], object]) -> None:
    """The consumer has had its turns."""
    async with asyncio.timeout(2):
        while not holds():
            await asyncio.sleep(TICK_S)
