"""Whole recordings: `transcribe` for asynchronous programs, `transcribe_file` for all others."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any

from whisper_stt.errors import SegmentsLostError, WhisperSttError
from whisper_stt.media import Audio
from whisper_stt.messages import Event, FinalTranscript, ServerError
from whisper_stt.options import connect
from whisper_stt.stream import Stream


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recording says."""

    segments: list[FinalTranscript] = field(default_factory=list)
    """Those with words, in order of speech."""
    failed: list[ServerError] = field(default_factory=list)
    """Segments that could not be transcribed."""

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(segment.text for segment in self.segments)


async def transcribe(
    blocks: Iterable[bytes],
    *,
    on_event: Callable[[Event], None] | None = None,
    on_progress: Callable[[float], None] | None = None,
    **options: Any,
) -> Transcript:
    """Transcribe PCM; `options` are those of `connect`.

    `blocks` is read in a thread of its own. `on_progress` is given the seconds of audio that are transcribed.
    """
    transcript = Transcript()
    async with connect(**options) as stream:
        feeding = asyncio.create_task(_feed(stream, blocks))
        try:
            async for event in stream:
                match event:
                    case FinalTranscript() if event.text:
                        transcript.segments.append(event)
                    case ServerError():
                        transcript.failed.append(event)
                if on_progress and isinstance(event, FinalTranscript):
                    on_progress(event.end)
                if on_event:
                    on_event(event)
            await feeding
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
    return transcript


def transcribe_file(path: str | PathLike[str], url: str | None = None, **options: Any) -> Transcript:
    """Transcribe a recording in any format that PyAV reads (a 16 kHz mono WAV needs no PyAV).

    `options` are those of `connect` and `transcribe`. Raises `MediaError` for a file that is no audio, `ConnectError`
    and `RefusedError` for the service, `SegmentsLostError` when something has no transcript.
    """
    transcript = asyncio.run(transcribe(Audio(fspath(path)), url=url, **{"partials": False, **options}))
    if transcript.failed:
        raise SegmentsLostError(transcript, len(transcript.failed))
    return transcript


async def _feed(stream: Stream, blocks: Iterable[bytes]) -> None:
    try:
        async for block in _read(blocks):
            await stream.send(block)
    finally:
        # What was read is transcribed, whatever became of the rest.
        await stream.end()


async def _read(blocks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Reads in a daemon thread: nobody has to wait for a pipe that says nothing."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(2)

    def put(item: bytes | BaseException | None) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()

    def read() -> None:
        with suppress(RuntimeError, CancelledError):  # the loop is gone
            try:
                for block in blocks:
                    put(block)
                put(None)
            except WhisperSttError as error:
                put(error)

    threading.Thread(target=read, name="whisper-stt-reader", daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item
