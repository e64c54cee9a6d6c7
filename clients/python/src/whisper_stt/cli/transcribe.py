"""`whisper-stt transcribe`."""

import argparse
import asyncio
import sys
from pathlib import Path

import whisper_stt
from whisper_stt.cli import Exit, output
from whisper_stt.cli.screen import Screen
from whisper_stt.files import Transcript
from whisper_stt.media import Audio, MediaError
from whisper_stt.messages import Event, FinalTranscript
from whisper_stt.pace import DEFAULT_SPEED


def transcribe(arguments: argparse.Namespace) -> int:
    """Transcribe each file; one that cannot be read does not keep the others from it."""
    worst = Exit.OK
    for name in arguments.files:
        try:
            transcript = _one(name, arguments)
        except MediaError as error:
            sys.stderr.write(f"whisper-stt: {error}\n")
            worst = Exit.INPUT
            continue
        for failure in transcript.failed:
            sys.stderr.write(f"whisper-stt: {name}: {failure.segment_id} has no transcript: {failure.message}\n")
            worst = worst or Exit.INCOMPLETE
    return worst


def _one(name: str, arguments: argparse.Namespace) -> Transcript:
    audio = Audio(name)
    target = _target(name, arguments)
    live = arguments.realtime or name == "-"
    # Lines can be told as they come; subtitles and JSON are whole documents.
    telling = arguments.format == "txt" and target is None
    if telling and len(arguments.files) > 1:
        sys.stdout.write(f"==> {name} <==\n")
    with Screen(name, audio.seconds, live=live, quiet=arguments.quiet) as screen:

        def hear(event: Event) -> None:
            screen.hear(event)
            if telling and isinstance(event, FinalTranscript) and event.text:
                sys.stdout.write(output.line(event, times=not arguments.no_times))
                sys.stdout.flush()

        transcript = asyncio.run(
            whisper_stt.transcribe(
                audio,
                on_event=hear,
                on_progress=screen.done,
                url=arguments.url,
                language=arguments.language,
                vad_threshold=arguments.vad_threshold,
                partials=live and not arguments.quiet,
                speed=1.0 if arguments.realtime else DEFAULT_SPEED,
            )
        )
    if not telling:
        text = output.render(
            arguments.format, name, transcript.segments, transcript.failed, times=not arguments.no_times
        )
        _write(target, text)
    return transcript


def _target(name: str, arguments: argparse.Namespace) -> Path | None:
    if arguments.output is None:
        return None
    path = Path(arguments.output)
    if len(arguments.files) == 1 and not path.is_dir() and not arguments.output.endswith("/"):
        return path
    path.mkdir(parents=True, exist_ok=True)
    stem = "stdin" if name == "-" else Path(name).stem
    return path / f"{stem}.{arguments.format}"


def _write(target: Path | None, text: str) -> None:
    if target is None:
        sys.stdout.write(text)
        return
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MediaError(f"{target}: {error.strerror}") from None
