"""`whisper-stt mic`."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import whisper_stt
from whisper_stt.cli.account import Account
from whisper_stt.cli.screen import Screen
from whisper_stt.media import SAMPLE_RATE, MediaError
from whisper_stt.session.words import _

BLOCK_MS = 20
PORTAUDIO = (
    "Debian, Ubuntu: apt-get install libportaudio2; Fedora: dnf install portaudio; macOS: brew install portaudio"
)
NO_DEVICE = "Error querying device -1"
"""What PortAudio says where the system has no default input."""


def mic(arguments: argparse.Namespace) -> int:
    """Transcribe until Ctrl-C; a second one does not wait for the last final."""
    try:
        import sounddevice
    except ImportError:
        told = _("no microphone without sounddevice: pip install sounddevice (on Linux with PortAudio; {how})")
        raise MediaError(told.format(how=PORTAUDIO)) from None
    except OSError:
        told = _("no microphone without PortAudio, which pip does not bring: {how}")
        raise MediaError(told.format(how=PORTAUDIO)) from None
    kind, times = arguments.format or "txt", not arguments.no_times
    account = Account(_("microphone"), kind, None, times=times, formatted=arguments.formatted)
    return account.see_through(_listen(sounddevice, account, arguments), endless=True)


async def _listen(sounddevice: Any, account: Account, arguments: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[bytes | MediaError | None] = asyncio.Queue()
    task = asyncio.current_task()
    assert task

    def put(item: bytes | MediaError) -> None:
        with suppress(RuntimeError):  # the loop is gone
            loop.call_soon_threadsafe(heard.put_nowait, item)

    device = int(arguments.device) if (arguments.device or "").isdecimal() else arguments.device
    options = {"language": arguments.language, "vad_threshold": arguments.vad_threshold, "redact": arguments.redact}
    options |= {"text_format": "pt-BR" if arguments.formatted else None, "keyterms": arguments.keyterm}
    options |= {"external_id": arguments.external_id, "tags": arguments.tags}
    async with whisper_stt.connect(arguments.url, **options) as stream:
        with (
            account.interruption.handled(lambda: heard.put_nowait(None), task.cancel),
            _microphone(sounddevice, device, put),
            Screen(_("microphone"), None, live=True, quiet=arguments.quiet) as screen,
        ):
            stream.feed(_pieces(heard))
            async for event in stream:
                screen.hear(event)
                account.hear(event)


async def _pieces(heard: "asyncio.Queue[bytes | MediaError | None]") -> AsyncIterator[bytes]:
    while (item := await heard.get()) is not None:
        if isinstance(item, MediaError):
            raise item
        yield item


@contextmanager
def _microphone(
    sounddevice: Any, device: int | str | None, put: Callable[[bytes | MediaError], None]
) -> Iterator[None]:
    options = {"samplerate": SAMPLE_RATE, "channels": 1, "dtype": "int16", "device": device}
    options |= {"blocksize": SAMPLE_RATE * BLOCK_MS // 1000}
    options |= {"callback": lambda pcm, frames, time, status: put(bytes(pcm))}
    lost = {"finished_callback": lambda: put(MediaError(_("microphone: it was lost")))}
    with ExitStack() as opened:
        try:
            try:
                microphone = sounddevice.RawInputStream(**options, **lost)
            except TypeError:  # what stands in for sounddevice need not tell of that
                microphone = sounddevice.RawInputStream(**options)
            opened.enter_context(microphone)
        except (ValueError, sounddevice.PortAudioError) as error:
            said = _("this machine has none, or gives programs none") if NO_DEVICE in str(error) else error
            raise MediaError(_("microphone: {reason}").format(reason=said)) from None
        yield
