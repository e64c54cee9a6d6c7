"""What a recording takes of memory: for an hour as much as for a minute, and little while it waits."""

import asyncio

import pytest

from harness.audio import SAMPLE_RATE, noise, speech, wav
from harness.waiting import until
from transcription.ingress import decoding as module
from transcription.ingress.decoding import AHEAD, BLOCKS, Decoding, Memory, MemoryFull, TooLong
from transcription.ingress.ffmpeg import NotAudio
from transcription.ingress.keeping import Kept

PIECE = 65_536
"""Bytes that a client sends at a time."""


class Watched(Memory):
    """Remembers the most that was held."""

    def __init__(self, most: int = 1 << 30) -> None:
        super().__init__(most)
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


AS_SENT = 1 << 20
LONG = speech("s13_pm_alex") * 60
"""Speech of some minutes, of which several times as much is held as it comes in these tests."""


@pytest.fixture(autouse=True)
def little_as_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AS_SENT", AS_SENT)


async def put(decoding: Decoding, file: bytes) -> None:
    for at in range(0, len(file), PIECE):
        await decoding.room()
        decoding.feed(file[at : at + PIECE])


async def test_what_waits_for_its_session_is_held_as_little_more_than_half() -> None:
    """And given as it was said, to the last sample, with what comes after the session has begun."""
    memory, file = Watched(), wav(LONG)
    decoding, cut = Decoding(memory), len(file) - 10 * PIECE
    await put(decoding, file[:cut])
    await asyncio.to_thread(until, lambda: decoding._waiting == 0, "it to be decoded")
    waiting = memory._held
    decoding.begin()
    sending = asyncio.create_task(put(decoding, file[cut:]))
    taken = bytearray()
    while len(taken) < len(LONG) and (pcm := await decoding.take()):
        taken += pcm
    await sending
    decoding.end()
    rest = await decoding.take()

    assert cut > 4 * AS_SENT
    assert 0.2 * cut < waiting < 0.65 * cut
    assert memory.peak < waiting + AS_SENT
    assert bytes(taken) == LONG
    assert rest is None
    assert memory._held == 0


async def test_a_small_one_waits_as_it_was_sent() -> None:
    memory = Watched()
    decoding, file = Decoding(memory), wav(speech("s13_pm_alex"))
    await put(decoding, file)

    assert len(file) < AS_SENT
    assert memory._held == len(file)
    assert not decoding._running
    decoding.close()
    assert memory._held == 0


async def test_what_waits_is_let_go_with_its_client() -> None:
    memory = Watched()
    decoding = Decoding(memory)
    await put(decoding, wav(LONG))
    assert memory._held > AHEAD
    decoding.close()

    await asyncio.to_thread(until, lambda: memory._held == 0, "what was held to be let go")


@pytest.mark.parametrize(
    ("most", "most_s", "file", "error"),
    [
        (2 * AS_SENT, None, wav(noise(120)), MemoryFull),
        (1 << 30, 60, wav(LONG), TooLong),
        (1 << 30, None, b"no audio" * AS_SENT, NotAudio),
    ],
)
async def test_what_waits_is_refused_before_all_of_it_has_come(
    most: int, most_s: float | None, file: bytes, error: type[Exception]
) -> None:
    """In bytes and in seconds it has the bounds of one that does not wait."""
    memory = Watched(most)
    decoding = Decoding(memory, most_s=most_s)

    with pytest.raises(error):
        await put(decoding, file)
    decoding.close()
    await asyncio.to_thread(until, lambda: memory._held == 0, "what was held to be let go")


@pytest.mark.parametrize("size", [0, 1_000, 2_304, 100_002, len(LONG)])
def test_what_is_kept_is_taken_out_bit_for_bit(size: int) -> None:
    """However much it is; what was held is what is let go."""
    kept, pcm = Kept(SAMPLE_RATE), LONG[:size]
    held = sum(kept.put(pcm[at : at + 4_096]) for at in range(0, size, 4_096))
    pieces = [*kept.take()]

    assert b"".join(piece for piece, _ in pieces) == pcm
    assert sum(let_go for _, let_go in pieces) == held
