"""Whole recordings: `transcribe` for asynchronous programs, `transcribe_file` for all others."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, BinaryIO

from whisper_stt.errors import SegmentsLostError, WhisperSttError
from whisper_stt.media import Audio
from whisper_stt.options import connect
from whisper_stt.reading import Pcm
from whisper_stt.session.messages import Event, FinalTranscript, ServerError


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recording says."""

    segments: list[FinalTranscript] = field(default_factory=list)
    """Those with words, in order of speech."""
    failed: list[ServerError] = field(default_factory=list)
    """Segments that could not be transcribed."""
    damage: str | None = None
    """What of the recording could not be read, in words: it is not in the transcript. None while all of it could."""

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(segment.text for segment in self.segments)


async def transcribe(
    source: Pcm,
    *,
    on_event: Callable[[Event], None] | None = None,
    on_progress: Callable[[float], None] | None = None,
    **options: Any,
) -> Transcript:
    """Transcribe PCM; raises what the source raises, after what it gave is transcribed and told.

    An error of this package that breaks it off has what was transcribed by then as its `transcript`.

    Args:
        source: 16-bit little-endian PCM in pieces of any length, such as an `Audio`: an asynchronous iterable, or one
            that is read in a thread of its own. Mono, or of as many channels as `options` say.
        on_event: called with each event, in order.
        on_progress: called with the seconds of audio that are transcribed.
        options: those of `connect`.
    """
    segments: list[FinalTranscript] = []
    failed: list[ServerError] = []
    try:
        async with connect(**options) as stream:
            stream.feed(source)
            async for event in stream:
                match event:
                    case FinalTranscript() if event.text:
                        segments.append(event)
                    case ServerError():
                        failed.append(event)
                if on_progress and isinstance(event, FinalTranscript):
                    on_progress(event.end)
                if on_event:
                    on_event(event)
    except WhisperSttError as error:
        error.transcript = Transcript(segments, failed, getattr(source, "damage", None))
        raise
    return Transcript(segments, failed, getattr(source, "damage", None))


def transcribe_file(
    file: str | PathLike[str] | BinaryIO,
    url: str | None = None,
    *,
    channel: int | None = None,
    channels: int = 1,
    **options: Any,
) -> Transcript:
    """Transcribe a recording in any format that PyAV reads.

    Args:
        file: a path, also of a pipe; `-` for standard input; or a file object opened in binary mode.
        url: the service's WebSocket; that of `STT_URL`, or this machine's, when left out.
        channel: which one to hear, counting from 1; left out, all of them, mixed.
        channels: 2 to hear the first two each by itself; finals say which one (`channel`, counting from 0).
        options: those of `connect` and `transcribe`; partials are off.

    Raises `MediaError` for a file that is no audio, `ConnectError` and `RefusedError` for the service,
    `SegmentsLostError` when something has no transcript. What is damaged in the file is in the transcript's `damage`.
    """
    with Audio(file, channel=channel, channels=channels) as audio:
        transcript = asyncio.run(transcribe(audio, url=url, channels=channels, **{"partials": False, **options}))
    if transcript.failed:
        raise SegmentsLostError(transcript, len(transcript.failed))
    return transcript
