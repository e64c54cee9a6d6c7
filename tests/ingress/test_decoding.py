"""A recording's bytes in, PCM out: in time, in bounds, whatever comes and whoever leaves."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio import SAMPLE_RATE, encoded, speech, wav
from transcription.core.dialects.recordings import Samples
from transcription.ingress.decoding import AHEAD, BLOCK, BLOCKS, Decoding, Memory, MemoryFull
from transcription.ingress.ffmpeg import NotAudio, frames_of, open_container, pcm_of

PCM = speech("s13_pm_alex")
LIVE = {
    "ogg": ("-c:a", "libopus", "-page_duration", "20000", "-f", "ogg"),
    "matroska": ("-c:a", "libopus", "-cluster_time_limit", "200", "-f", "webm"),
    "mp3": ("-f", "mp3"),
    "aac": ("-f", "adts"),
    "flac": ("-f", "flac"),
    "mov": ("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov", "-frag_duration", "100000", "-f", "mp4"),
}
LATE_S = {"flac": 1.0}
"""Whose frames are long, and looked at several at a time."""


async def decoded(data: bytes, samples: Samples | None = None, piece: int = 10_000) -> bytes:
    """All of it."""
    memory = Memory(10_000_000)
    one = Decoding(memory)
    one.begin(samples)
    for at in range(0, len(data), piece):
        one.feed(data[at : at + piece])
    one.end()
    found = [block async for block in blocks(one)]
    assert max(map(len, found)) <= BLOCK
    assert memory._held == 0
    return b"".join(found)


async def blocks(one: Decoding) -> AsyncIterator[bytes]:
    async with asyncio.timeout(20):
        while (block := await one.take()) is not None:
            yield block


def likeness(late: bytes, pcm: bytes, rate: int) -> float:
    """Correlation of how loud both are, every 40 ms, where `late` (of another rate) is up to 160 ms behind."""
    first, second = loudness(late, rate), loudness(pcm, SAMPLE_RATE)
    size = second.size - 5
    return max(float(np.corrcoef(first[shift:][:size], second[:size])[0, 1]) for shift in range(5))


def loudness(pcm: bytes, rate: int) -> NDArray[np.float64]:
    step = rate // 25
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    return np.sqrt(np.mean(samples[: samples.size // step * step].reshape(-1, step) ** 2, axis=1))


@pytest.mark.parametrize("piece", [1, 700, 10_000_000])
async def test_however_it_comes_it_is_the_same(piece: int) -> None:
    assert await decoded(wav(PCM[:20_000]), piece=piece) == PCM[:20_000]


async def test_an_mp4_whose_index_comes_last(tmp_path: Path) -> None:
    """FFmpeg has to go back in it."""
    target = tmp_path / "a.m4a"
    encoded(PCM, "-c:a", "aac", to=str(target))
    data = target.read_bytes()

    assert data.index(b"mdat") < data.index(b"moov")
    assert len(await decoded(data)) == pytest.approx(len(PCM), rel=0.05)


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (Samples("linear16", 8000), ("-f", "s16le", "-ar", "8000")),
        (Samples("linear32", 48_000), ("-f", "f32le", "-ar", "48000")),
        (Samples("mulaw", 8000), ("-f", "mulaw", "-ar", "8000")),
        (Samples("alaw", 16_000), ("-f", "alaw")),
        (Samples("linear16", 16_000, 2), ("-f", "s16le", "-ac", "2")),
        (Samples("linear16", 16_000, 3), ("-f", "s16le", "-af", "pan=3c|c0=c0|c1=c0|c2=c0")),
        (Samples("linear16", 16_000, 5), ("-f", "s16le", "-af", "pan=5c|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0")),
    ],
    ids=str,
)
async def test_samples_without_a_container(samples: Samples, options: tuple[str, ...]) -> None:
    """Of any rate and number of channels."""
    found = await decoded(encoded(PCM, *options), samples)

    assert len(found) == pytest.approx(len(PCM), abs=200)
    assert likeness(found, PCM, SAMPLE_RATE) > 0.9


async def test_a_container_counts_more_than_what_was_said_of_samples() -> None:
    assert await decoded(wav(PCM), Samples("mulaw", 8000)) == PCM


async def test_damage_is_left_out() -> None:
    data = bytearray(encoded(PCM, "-f", "mp3"))
    data[5_000:5_400] = bytes(400)

    assert len(PCM) * 0.8 < len(await decoded(bytes(data))) <= len(PCM) * 1.1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"hello" * 1_000, "Expected a recording"),
        (bytes(10_000), "Expected a recording"),
        (wav(PCM)[:40], "Expected a recording|no audio"),
        (wav(b""), "no audio"),
        (b"OggS" + bytes(10_000), "Expected a recording"),
        (wav(PCM, 1), "Expected audio of 1000 to 768000 samples a second, got 1$"),
        (wav(PCM, 2_147_483_647), "Expected audio of 1000 to 768000 samples a second, got 2147483647"),
        (wav(PCM)[:22] + b"\x09\0" + wav(PCM)[24:], "Expected channels that can be mixed, as up to 8 can, got 9"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "Expected a recording"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "Expected a recording"),
    ],
)
async def test_what_is_no_recording_is_said_to_be_none(data: bytes, message: str) -> None:
    with pytest.raises(NotAudio, match=message):
        await decoded(data)


def test_a_cover_is_not_decoded(tmp_path: Path) -> None:
    """One of a few MB may be of gigabytes."""
    song, cover = tmp_path / "song.mp3", ("-f", "lavfi", "-i", "color=s=640x640:d=1:r=1", "-c:v", "png")
    encoded(PCM, *cover, "-map", "0", "-map", "1", "-disposition:v", "attached_pic", to=song)
    with song.open("rb") as file, open_container(file) as container:
        assert container.streams.video[0].codec_context.pix_fmt is None
        assert sum(map(len, pcm_of(frames_of(container), SAMPLE_RATE))) == pytest.approx(len(PCM), rel=0.05)


async def test_nobody_is_read_from_faster_than_it_is_taken() -> None:
    """What waits on either side is bounded."""
    one = Decoding(Memory(10_000_000))
    one.begin()
    long = wav(PCM * 8)
    fed = 0
    async with asyncio.timeout(20):
        while fed < len(long):
            try:
                await asyncio.wait_for(one.room(), 0.5)
            except TimeoutError:
                break
            one.feed(long[fed : fed + 65_536])
            fed += 65_536

    assert fed <= BLOCK * (BLOCKS + 2) + AHEAD + 2 * 65_536 < len(long)
    one.feed(long[fed:])
    one.end()
    assert b"".join([block async for block in blocks(one)]) == PCM * 8


async def test_memory_is_bounded_over_all() -> None:
    memory = Memory(1_000)
    first, second = Decoding(memory), Decoding(memory)
    first.feed(bytes(600))
    with pytest.raises(MemoryFull):
        second.feed(bytes(600))
    first.close()
    second.feed(bytes(600))
    second.close()

    assert memory._held == 0


@pytest.mark.parametrize("state", ["at its beginning", "in its midst", "taken by nobody"])
async def test_a_client_that_leaves_takes_its_thread_along(state: str) -> None:
    memory, before = Memory(10_000_000), {*threading.enumerate()}
    one = Decoding(memory)
    one.begin()
    (thread,) = {*threading.enumerate()} - before
    if state != "at its beginning":
        one.feed(wav(PCM * 8)[: 50_000 if state == "in its midst" else None])
        await asyncio.sleep(0.05)
    one.close()
    await asyncio.to_thread(thread.join, 20)

    assert not thread.is_alive()
    assert await one.take() is None
    assert memory._held == 0


# Live


@pytest.mark.parametrize("demuxer", LIVE)
async def test_a_stream_is_heard_as_it_comes(demuxer: str) -> None:
    """All that can be is given before more is asked for; at its end nothing is missing."""
    data = encoded(PCM, *LIVE[demuxer])
    one = Decoding(Memory(100_000), 24_000, demuxer)
    one.begin()
    found, steps = b"", []
    async with asyncio.timeout(20):
        for at in range(0, len(data), 500):
            one.feed(data[at : at + 500])
            while (block := await one.take_ready()) is not None:
                found += block
            steps.append(len(found))
        one.end()
        while (block := await one.take()) is not None:
            found += block

    assert len(found) / 48_000 == pytest.approx(len(PCM) / 32_000, abs=0.15)
    assert len(set(steps)) > 5
    assert len(found) - steps[-1] < 48_000 * LATE_S.get(demuxer, 0.3)
    assert likeness(found, PCM, 24_000) > 0.8


async def test_nothing_is_ready_of_a_stream_that_has_not_begun() -> None:
    one = Decoding(Memory(100_000), SAMPLE_RATE, "ogg")
    one.begin()
    async with asyncio.timeout(20):
        assert await one.take_ready() is None
        one.feed(b"OggS")
        assert await one.take_ready() is None
    one.close()


async def test_a_stream_that_is_none_is_told_when_that_is_seen() -> None:
    one = Decoding(Memory(1_000_000), SAMPLE_RATE, "flac")
    one.begin()
    one.feed(b"fLaC" + bytes(400_000))
    with pytest.raises(NotAudio):
        await asyncio.wait_for(one.take_ready(), 20)


async def test_a_live_mp4_needs_its_index_first() -> None:
    one = Decoding(Memory(1_000_000), SAMPLE_RATE, "mov")
    one.begin()
    one.feed(b"\0\0\0\x10ftypM4A \0\0\0\0" + b"\0\0\x10\0mdat" + bytes(5_000))
    with pytest.raises(NotAudio, match="index comes last"):
        await asyncio.wait_for(one.take_ready(), 20)
