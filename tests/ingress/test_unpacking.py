"""What a client sends in a container, between the client and the session."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Literal

import av
import numpy as np
import pytest

from harness.audio import SAMPLE_RATE, wav
from tests.ingress.between import GONE, PCM, Between, Scripted, binary, text
from transcription.core.dialects.dialect import Hangup, Reply, Step, Unpack
from transcription.core.protocol import EndSession, Flush
from transcription.ingress.translating import Translated


def garbled(message: str) -> list[Step]:
    return [Reply(message), Hangup(1008)]


async def unpacks(otherwise: Literal["samples", "packets", "nothing"] = "nothing") -> tuple[Between, Scripted]:
    """A conversation with a client whose audio is to be unpacked, and a dialect that passes it on."""
    dialect = Passing(Unpack(SAMPLE_RATE, otherwise, garbled))
    return await Between(dialect).opened(), dialect


class Passing(Scripted):
    """Audio is audio; any text is a message that names it."""

    def hear(self, frame: str | bytes) -> Sequence[Step]:
        super().hear(frame)
        if isinstance(frame, bytes):
            return [frame]
        return [EndSession() if frame == "end" else Flush(flush_id=frame)]


async def test_audio_in_a_container_is_heard_before_what_is_said_after_it() -> None:
    """Though it is decoded elsewhere; at the end nothing of it is missing."""
    between, _ = await unpacks()
    recording = wav(PCM)
    between.from_client.extend(
        [binary(recording[:9]), binary(recording[9:20_000]), text("now"), binary(recording[20_000:]), text("end"), GONE]
    )
    heard = []
    async with asyncio.timeout(20):
        while GONE not in heard:
            heard.append(await between.client_says())
    kinds = ["audio" if "bytes" in one else json.loads(one["text"])["type"] for one in heard[:-1]]
    at = kinds.index("flush")

    assert [kind for kind, _ in groupby(kinds)] == ["audio", "flush", "audio", "end_session"]
    early = b"".join(one["bytes"] for one in heard[:at])
    assert 20_000 - 44 - SAMPLE_RATE // 5 < len(early) <= 20_000 - 44, (
        "all but 100 ms, which FFmpeg waits for the rest of"
    )
    assert PCM.startswith(early)
    assert b"".join(one.get("bytes", b"") for one in heard) == PCM


@pytest.mark.parametrize(
    "frames", [[b"\1\0" * 50], [b"\1\0", b"\2\0" * 50], [b"\1\0"]], ids=["long", "short first", "short"]
)
async def test_samples_are_left_as_they_are(frames: list[bytes]) -> None:
    """Also where it takes more than one frame to see that they are samples, or the stream ends before."""
    between, _ = await unpacks("samples")
    between.from_client.extend([*map(binary, frames), text("end"), GONE])
    heard = [await between.client_says() for _ in range(len(frames) + 2)]

    assert [one.get("bytes") for one in heard] == [*frames, None, None]


async def test_packets_of_opus_are_decoded_one_a_frame() -> None:
    between, _ = await unpacks("packets")
    between.from_client.extend([*(binary(packet) for packet in opus(PCM)), text("end"), GONE])
    heard: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while GONE not in heard:
            heard.append(await between.client_says())

    assert sum(len(one.get("bytes", b"")) for one in heard) == pytest.approx(len(PCM), abs=2_000)


@pytest.mark.parametrize(
    ("otherwise", "frames", "told"),
    [
        ("nothing", [b"hello, this is no audio"], "in a container"),
        ("samples", [b"fLaC" + bytes(400_000)], "Expected a recording"),
        ("packets", [b"\xff" * 4] * 30, "a packet of Opus in each frame"),
    ],
)
async def test_what_cannot_be_unpacked_is_told_and_the_client_hung_up_on(
    otherwise: Any, frames: list[bytes], told: str
) -> None:
    """Nothing more is heard of it."""
    between, dialect = await unpacks(otherwise)
    heard = await asyncio.wait_for(between.client_says(*map(binary, frames), text("more"), GONE), 20)

    assert heard == GONE
    assert told in between.to_client[-2]["text"]
    assert between.to_client[-1] == {"type": "websocket.close", "code": 1008}
    assert "more" not in dialect.heard


async def test_a_container_without_audio_is_told_at_its_end() -> None:
    between, _ = await unpacks()
    heard = await asyncio.wait_for(between.client_says(binary(b"OggS" + bytes(20)), text("end")), 20)

    assert json.loads(heard["text"]) == {"type": "end_session"}
    assert [one["type"] for one in between.to_client[-2:]] == ["websocket.send", "websocket.close"]


async def test_a_connection_that_is_over_leaves_no_thread() -> None:
    """However its client left it."""
    before, made = {*threading.enumerate()}, set[threading.Thread]()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        made.update({*threading.enumerate()} - before)

    async def keep(message: dict[str, Any]) -> None:
        """Nobody reads it."""

    messages = deque([binary(wav(PCM)[:20_000])])

    async def receive() -> dict[str, Any]:
        return messages.popleft()

    translated = Translated(application, "scripted", lambda *_: Passing(Unpack(SAMPLE_RATE, "samples", garbled)))
    await translated({"query_string": b""}, receive, keep)
    assert made
    for thread in made:
        await asyncio.to_thread(thread.join, 20)
        assert not thread.is_alive()


def opus(pcm: bytes) -> list[bytes]:
    """Packets of 20 ms."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "mono", "s16"
    packets: list[bytes] = []
    for at in range(0, len(pcm) - 640, 640):
        samples = np.frombuffer(pcm[at : at + 640], "<i2")[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, at // 2
        packets += map(bytes, encoder.encode(frame))
    return packets
