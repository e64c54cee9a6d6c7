"""Live streams in containers, by Deepgram's own SDK and by sockets as browsers open them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import websockets
from deepgram import AsyncDeepgramClient
from deepgram.core.events import EventType
from real_clients import PCM, SAID, address, environment, sessions, words
from websockets.exceptions import ConnectionClosedError

from harness.audio import encoded, silence, speech, wav
from harness.stack import Stack
from harness.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore:websockets.*:DeprecationWarning")  # the SDK's own
KINDS: dict[str, tuple[str, ...]] = {
    "webm": ("-c:a", "libopus", "-cluster_time_limit", "250", "-f", "webm"),  # as MediaRecorder has it
    "ogg": ("-c:a", "libopus", "-page_duration", "100000", "-f", "ogg"),
    "mp3": ("-f", "mp3"),
    "fragmented mp4": ("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov", "-frag_duration", "250000", "-f", "mp4"),
    "wav": ("-f", "wav"),
}


def streamed(kind: str, pcm: bytes = PCM) -> bytes:
    """The PCM as a stream of a kind."""
    return encoded(pcm, *KINDS[kind])


def pieces(data: bytes, size: int = 1_000) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


class Listener:
    """A client by a socket."""

    def __init__(self, ws: Any) -> None:
        self.ws = ws
        self.told: list[dict[str, Any]] = []

    async def say(self, kind: str) -> None:
        await self.ws.send(json.dumps({"type": kind}))

    async def hear(self, until_type: str) -> dict[str, Any]:
        """What comes, up to a message of a type."""
        async with asyncio.timeout(30):
            while True:
                self.told.append(json.loads(await self.ws.recv()))
                if self.told[-1]["type"] == until_type:
                    return self.told[-1]

    async def is_hung_up_on(self) -> int:
        """The close code, once all is told."""
        async with asyncio.timeout(30):
            with suppress(ConnectionClosedError):
                async for message in self.ws:
                    self.told.append(json.loads(message))
        return int(self.ws.close_code)

    @property
    def text(self) -> str:
        finals = [one for one in self.told if one["type"] == "Results" and one["is_final"]]
        return " ".join(one["channel"]["alternatives"][0]["transcript"] for one in finals).strip()


@asynccontextmanager
async def listener(stack: Stack, path: str = "/v1/listen") -> AsyncIterator[Listener]:
    async with websockets.connect(stack.ws_url.removesuffix("/ws/stt") + path) as ws:
        yield Listener(ws)


@pytest.mark.model
@pytest.mark.parametrize("kind", ["webm", "fragmented mp4"])
async def test_the_sdk_s_words(model_stack: Stack, kind: str) -> None:
    """Without an encoding; what is finalized is all that was sent before."""
    client = AsyncDeepgramClient(api_key="none", environment=environment(address(model_stack)))
    told: list[Any] = []
    async with (
        asyncio.timeout(60),
        client.listen.v1.connect(model="nova-3", language="pt-BR") as connection,
    ):
        connection.on(EventType.MESSAGE, told.append)
        listening = asyncio.create_task(connection.start_listening())
        for piece in pieces(streamed(kind)):
            await connection.send_media(piece)
        await connection.send_finalize()
        await connection.send_close_stream()
        await listening

    finals = [one for one in told if one.type == "Results" and one.is_final]
    assert SAID in words(" ".join(one.channel.alternatives[0].transcript for one in finals))
    assert told[-1].type == "Metadata"
    assert told[-1].duration == pytest.approx(len(PCM) / 32_000, abs=0.3)


@pytest.mark.parametrize("kind", [*KINDS, "samples"])
async def test_every_kind_is_as_long_as_its_audio(echo_stack: Stack, kind: str) -> None:
    """And is heard as it comes: speech is told of before the stream is over."""
    stream = PCM if kind == "samples" else streamed(kind)
    async with listener(echo_stack, "/v1/listen?vad_events=true") as client:
        for piece in pieces(stream[: len(stream) * 9 // 10]):
            await client.ws.send(piece)
        began = await client.hear("SpeechStarted")
        for piece in pieces(stream[len(stream) * 9 // 10 :]):
            await client.ws.send(piece)
        await client.say("CloseStream")
        metadata = await client.hear("Metadata")
        assert await client.is_hung_up_on() == 1000

    assert began["timestamp"] == pytest.approx(0.4, abs=0.4)
    assert metadata["duration"] == pytest.approx(len(PCM) / 32_000, abs=0.3)
    assert client.text


async def test_a_wav_is_what_its_samples_are(echo_stack: Stack) -> None:
    """To the last sample, whichever rate is asked for."""
    texts = []
    for stream, query in ((PCM, "?encoding=linear16"), (wav(PCM), ""), (wav(PCM), "?sample_rate=16000")):
        async with listener(echo_stack, f"/v1/listen{query}") as client:
            for piece in pieces(stream, 3_200):
                await client.ws.send(piece)
            await client.say("CloseStream")
            await client.hear("Metadata")
        texts.append(client.text)

    assert texts[0]
    assert len(set(texts)) == 1


async def test_flux_takes_containers_too(echo_stack: Stack) -> None:
    async with listener(echo_stack, "/v2/listen?model=flux-general-multi&encoding=ogg-opus") as client:
        for piece in pieces(streamed("ogg")):
            await client.ws.send(piece)
        await client.say("CloseStream")
        await client.is_hung_up_on()

    events = [one["event"] for one in client.told if one["type"] == "TurnInfo"]
    assert (events[0], events[-1]) == ("StartOfTurn", "EndOfTurn")
    assert [one["sequence_id"] for one in client.told] == list(range(len(client.told)))


@pytest.mark.parametrize(
    ("path", "frames"),
    [
        ("/v1/listen?encoding=ogg-opus", [b"hello, this is no audio"]),
        ("/v1/listen", [b"fLaC" + bytes(100_000)]),
        ("/v1/listen", [b"\x00\x00\x00\x10ftypM4A \x00\x00\x00\x00\x00\x00\x10\x00mdat" + bytes(100)]),
        ("/v2/listen", [b"fLaC" + bytes(100_000)]),
    ],
    ids=["not in a container", "broken", "an MP4 whose index comes last", "of Flux"],
)
async def test_what_is_no_audio_ends_in_the_protocol_s_own_error(
    echo_stack: Stack, path: str, frames: list[bytes]
) -> None:
    async with listener(echo_stack, path) as client:
        for frame in frames:
            await client.ws.send(frame)
        assert await client.is_hung_up_on() == 1008

    error = client.told[-1]
    assert error["type"] == "Error"
    assert "DATA-0000" in (error.get("variant"), error.get("code"))
    assert error["description"]
    await asyncio.to_thread(until, lambda: sessions(echo_stack) == 0, "the session's end")


async def test_a_client_that_hangs_up_in_its_midst_ends_its_session(echo_stack: Stack) -> None:
    async with listener(echo_stack) as client:
        await client.ws.send(streamed("webm", speech("s13_pm_alex") + silence(1.0))[:5_000])
        await asyncio.to_thread(until, lambda: sessions(echo_stack) == 1, "the session")

    await asyncio.to_thread(until, lambda: sessions(echo_stack) == 0, "the session's end")
