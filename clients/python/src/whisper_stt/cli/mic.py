"""`whisper-stt mic`."""

import argparse
import asyncio
import signal
import sys
from typing import Any

import whisper_stt
from whisper_stt.cli import Exit, output
from whisper_stt.cli.screen import Screen
from whisper_stt.media import SAMPLE_RATE, MediaError
from whisper_stt.messages import FinalTranscript, ServerError

BLOCK_MS = 20


def mic(arguments: argparse.Namespace) -> int:
    """Transcribe until Ctrl-C; a second one does not wait for the last final."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: without PortAudio
        raise MediaError(f"no microphone: pip install 'whisper-stt-client[mic]' ({error})") from None
    return asyncio.run(_listen(sounddevice, arguments))


async def _listen(sounddevice: Any, arguments: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[bytes | None] = asyncio.Queue()

    def hear(pcm: Any, frames: int, time: Any, status: Any) -> None:
        loop.call_soon_threadsafe(heard.put_nowait, bytes(pcm))

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        heard.put_nowait(None)

    device = int(arguments.device) if (arguments.device or "").isdecimal() else arguments.device
    options = {"language": arguments.language, "vad_threshold": arguments.vad_threshold}
    segments: list[FinalTranscript] = []
    failed: list[ServerError] = []
    async with whisper_stt.connect(arguments.url, **options) as stream:

        async def speak() -> None:
            while (pcm := await heard.get()) is not None:
                await stream.send(pcm)
            await stream.end()

        try:
            microphone = sounddevice.RawInputStream(
                samplerate=SAMPLE_RATE,
                channels=1,
                dtype="int16",
                blocksize=SAMPLE_RATE * BLOCK_MS // 1000,
                device=device,
                callback=hear,
            )
        except (ValueError, sounddevice.PortAudioError) as error:
            raise MediaError(f"microphone: {error}") from None
        loop.add_signal_handler(signal.SIGINT, stop)
        with microphone, Screen("microphone", None, live=True, quiet=arguments.quiet) as screen:
            speaking = asyncio.create_task(speak())
            async for event in stream:
                screen.hear(event)
                if isinstance(event, ServerError):
                    failed.append(event)
                elif isinstance(event, FinalTranscript) and event.text:
                    segments.append(event)
                    if arguments.format == "txt":
                        sys.stdout.write(output.line(event, times=not arguments.no_times))
                        sys.stdout.flush()
            await speaking
    if arguments.format != "txt":
        sys.stdout.write(output.render(arguments.format, "microphone", segments, failed))
    return Exit.INCOMPLETE if failed else Exit.OK
