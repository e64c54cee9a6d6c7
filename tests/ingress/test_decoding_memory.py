"""What a recording takes of memory while it is decoded: as much for an hour as for a minute."""

import asyncio

import pytest

from harness.audio import SAMPLE_RATE, noise, wav
from transcription.ingress.decoding import AHEAD, BLOCKS, Decoding, Memory

PIECE = 65_536
"""Bytes that a client sends at a time."""


class Watched(Memory):
    """Remembers the most that was held."""

    def __init__(self) -> None:
        super().__init__(1 << 30)
        self.peak = 0

    def take(self, size: int) -> None:
        super().take(size)
        self.peak = max(self.peak, self._held)


@pytest.mark.parametrize("seconds", [30, 300])
async def test_memory_does_not_grow_with_the_recording(seconds: int) -> None:
    """A client that sends as fast as it may, a session that takes its time: what waits between them is bounded."""
    memory, most_blocks, taken = Watched(), 0, 0
    decoding, file = Decoding(memory), wav(noise(seconds))

    async def send() -> None:
        for at in range(0, len(file), PIECE):
            await decoding.room()
            decoding.feed(file[at : at + PIECE])
        decoding.end()

    decoding.begin()
    sending = asyncio.create_task(send())
    while (pcm := await decoding.take()) is not None:
        taken += len(pcm)
        most_blocks = max(most_blocks, len(decoding._blocks))
        if taken < 2 * SAMPLE_RATE * 20:  # slow to begin with, so that all that may wait does
            await asyncio.sleep(0.001)
    await sending

    assert taken == 2 * SAMPLE_RATE * seconds
    assert AHEAD // 2 < memory.peak < AHEAD + PIECE
    assert most_blocks <= BLOCKS
    assert memory._held == 0
