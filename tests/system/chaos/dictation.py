"""A session whose segments end by `flush`, so that what it must be answered is known word for word."""

import asyncio
import itertools
from collections.abc import Callable

from harness.audio import noise
from harness.echo import heard
from harness.talker import Talker

_seeds = itertools.count(1_000)


class Dictation(Talker):
    """A talker that keeps account."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.expected: dict[str, str] = {}
        self._open = bytearray()

    async def begin(self, **fields: object) -> None:
        """Start a session without VAD."""
        answer = await self.start(config={"vad_enabled": False, "partial_results": False}, **fields)
        assert answer["type"] == "session_started", answer

    async def speak(self, pcm: bytes) -> None:
        """Part of a segment."""
        self._open += pcm
        await self.stream(pcm, pace=0)

    async def close_segment(self) -> str:
        """Ask for the final of what was spoken; its id."""
        segment_id = f"seg-{len(self.expected) + 1:04d}"
        self.expected[segment_id] = heard(self._open)
        self._open.clear()
        await self.say("flush")
        return segment_id

    async def dictate(self, count: int) -> None:
        """So many short segments, at once."""
        for _ in range(count):
            await self.speak(noise(0.2, next(_seeds)))
            await self.close_segment()

    async def finish(self, patience_s: float) -> None:
        """End the session and wait for all that is owed."""
        await self.end(patience_s)

    @property
    def finals(self) -> list[tuple[str, str]]:
        """The finals in order: segment and text."""
        return [(final["segment_id"], final["text"]) for final in self.of("final_transcript")]

    @property
    def owed(self) -> list[tuple[str, str]]:
        """What they must be."""
        return list(self.expected.items())


async def dictated_through(url: str, fault: Callable[[], object], patience_s: float) -> Dictation:
    """Finals owed before a fault, a segment open over it, and others begun before it is over."""
    async with Dictation(url) as talker:
        await talker.begin()
        await talker.dictate(8)
        await talker.speak(noise(0.5, 1))
        await asyncio.sleep(0.3)  # half of an open segment is in Redis
        await asyncio.to_thread(fault)
        await talker.speak(noise(0.5, 2))
        await talker.close_segment()
        for _ in range(10):
            await talker.dictate(1)
            await asyncio.sleep(0.5)
        await talker.finish(patience_s)
    return talker
