"""Sources that are fed to a stream: all of one is sent, and one that fails ends whoever listens."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import whisper_stt
from scripted_service import Peer, ScriptedService, one_utterance, refusal, settle
from whisper_stt import Audio, FinalTranscript, WhisperSttError, connect

PIECE = np.random.default_rng(7).integers(-9_000, 9_000, 8_000).astype("<i2").tobytes()


class Odd(BaseException):
    """Not even an `Exception`."""


FAILURES = [ValueError("no"), RuntimeError("no"), OSError(5, "no"), WhisperSttError("no"), Odd("no")]


def pieces(failure: BaseException | None = None) -> Iterator[bytes]:
    """1.5 s of audio, and then perhaps a failure."""
    yield from [PIECE] * 3
    if failure:
        raise failure


async def told(failure: BaseException | None = None) -> AsyncIterator[bytes]:
    for piece in pieces(failure):
        yield piece


class Unopened:
    """Fails before its first piece."""

    def __iter__(self) -> Iterator[bytes]:
        raise LookupError("no")


@pytest.fixture(autouse=True)
async def nothing_is_left(service: ScriptedService) -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await settle(lambda: asyncio.all_tasks() - {asyncio.current_task()} <= before)
    await settle(lambda: not [thread for thread in threading.enumerate() if thread.name == "whisper-stt-reader"])


@pytest.mark.parametrize("source", [pieces, told])
async def test_all_of_a_source_is_sent(service: ScriptedService, source: Any) -> None:
    service.scripts = [one_utterance()]
    transcript = await whisper_stt.transcribe(source(), url=service.url, speed=1000)

    assert transcript.text == "olá mundo"
    assert transcript.damage is None
    assert service.peers[0].audio == PIECE * 3


@pytest.mark.parametrize("source", [pieces, told])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_failure_of_a_source_ends_whoever_listens(
    service: ScriptedService, source: Any, failure: BaseException
) -> None:
    """With what it raised, after the finals of what it gave."""
    service.scripts = [one_utterance()]
    events: list[whisper_stt.Event] = []

    async def listen() -> None:
        async with connect(service.url, speed=1000) as stream:
            stream.feed(source(failure))
            async for event in stream:
                events.append(event)

    async with asyncio.timeout(10):
        with pytest.raises(type(failure), match="no"):
            await listen()
    assert isinstance(events[-1], FinalTranscript)
    assert service.peers[0].audio == PIECE * 3


@pytest.mark.parametrize("source", [Unopened(), [PIECE, None], ["text"], 5])
async def test_source_that_is_none(service: ScriptedService, source: Iterable[bytes]) -> None:
    async def silent(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [silent]
    async with asyncio.timeout(10):
        with pytest.raises((LookupError, TypeError)):
            await whisper_stt.transcribe(source, url=service.url)


async def test_failure_of_the_service_ends_it_while_the_source_says_nothing(service: ScriptedService) -> None:
    """And the thread that reads goes with the next piece."""
    release = threading.Event()

    def silent() -> Iterator[bytes]:
        release.wait()
        yield PIECE

    service.scripts = [refusal("INVALID_MESSAGE")]
    async with asyncio.timeout(10):
        with pytest.raises(whisper_stt.RefusedError):
            await whisper_stt.transcribe(silent(), url=service.url)
    release.set()


async def test_stream_is_fed_once(service: ScriptedService) -> None:
    service.scripts = [one_utterance()]
    async with connect(service.url, speed=1000) as stream:
        stream.feed(pieces())
        with pytest.raises(WhisperSttError, match="fed already"):
            stream.feed(pieces())
        assert isinstance([event async for event in stream][-1], FinalTranscript)


async def test_transcript_says_what_the_recording_lacks(service: ScriptedService) -> None:
    service.scripts = [one_utterance()]
    header = b"RIFF" + (2**20).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\1\0\1\0\x80>\0\0\0}\0\0\2\0\x10\0data"
    cut = header + (4 * len(PIECE)).to_bytes(4, "little") + PIECE * 3
    transcript = await whisper_stt.transcribe(Audio(io.BytesIO(cut)), url=service.url, speed=1000)

    assert transcript.text == "olá mundo"
    assert transcript.damage == "ends 0.5 s before the end that it promises"


async def test_other_programs_may_hand_over_an_open_file(service: ScriptedService) -> None:
    service.scripts = [one_utterance()]
    header = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\1\0\x80>\0\0\0}\0\0\2\0\x10\0data\0\0\0\0"
    file = io.BytesIO(header + PIECE * 3)
    transcript = await asyncio.to_thread(whisper_stt.transcribe_file, file, service.url, channel=1, speed=1000)

    assert transcript.text == "olá mundo"
    assert service.peers[0].audio == PIECE * 3
