"""`transcribe --local`: the service's own engine as a process beside this one, where this is a checkout of the service.

It is given PCM and says finals and errors as the service would. Nothing of it is imported here.
"""

import argparse
import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from whisper_stt.errors import OptionError, WhisperSttError
from whisper_stt.session.messages import Event, FinalTranscript, ServerError, decode
from whisper_stt.session.words import _, noop

ROOT = (Path(__file__).resolve().parent / "../../../../..").resolve()
"""The checkout, if this file lies in one."""
LONGEST_LINE = 1 << 20
"""A final of 30 s, with its words, has some 10 kB."""
HOW = noop(
    "--local decodes with the service's own engine, and there is none here. In a checkout of the service: make run, "
    "once (it installs it; Ctrl-C when it is ready), then .venv/bin/whisper-stt transcribe --local FILE"
)


class LocalError(WhisperSttError):
    """It cannot be done on this machine; the message says why and what to do."""


def check(arguments: argparse.Namespace) -> None:
    """Raise `OptionError` for options that do not go together."""
    if arguments.model and not arguments.local:
        raise OptionError(_("--model goes with --local: a service decodes with its own (STT_WHISPER_MODEL)"))
    for option in ("realtime", "url"):
        if arguments.local and getattr(arguments, option):
            told = _("--local and --{option} do not go together: there is no service")
            raise OptionError(told.format(option=option))
    if arguments.local and (arguments.channels > 1 or arguments.languages):
        raise OptionError(_("--local hears one channel in one language: --channels and --languages take a service"))
    if arguments.channel and arguments.channels > 1:
        raise OptionError(_("--channel and --channels do not go together: hear one, or each by itself"))
    if arguments.channel_names and len(arguments.channel_names) != arguments.channels:
        raise OptionError(_("--channel-names: expected {count}, one a channel").format(count=arguments.channels))
    if arguments.languages and arguments.language not in (None, "auto"):
        raise OptionError(_("--languages goes with --language auto, or without --language"))


async def transcribe(
    source: AsyncIterator[bytes],
    arguments: argparse.Namespace,
    *,
    on_event: Callable[[Event], None],
    on_progress: Callable[[float], None],
) -> None:
    """Transcribe PCM (16 kHz, mono, 16-bit).

    Raises `LocalError`, and what the source raises, after what it gave is told.
    """
    process = await asyncio.create_subprocess_exec(
        *_program(), *_options(arguments), cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE, start_new_session=True
    )
    assert process.stdin and process.stdout
    feeding = asyncio.create_task(_feed(source, process.stdin))
    try:
        async for line in process.stdout:
            match decode(line.decode()):
                case ServerError(segment_id=None, message=reason):
                    raise LocalError(reason)
                case (FinalTranscript() | ServerError()) as event:
                    on_event(event)
                    if isinstance(event, FinalTranscript):
                        on_progress(event.end)
        if code := await process.wait():
            raise LocalError(_("the engine has ended with exit code {code}").format(code=code))
        await feeding
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _feed(source: AsyncIterator[bytes], pipe: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):  # it has ended, and says itself why
            async for piece in source:
                pipe.write(piece)
                await pipe.drain()
    finally:
        pipe.close()


def _program() -> list[str]:
    """The engine's command, by the interpreter that has it; raises `LocalError` where there is none."""
    installed = ROOT / ".venv/bin/python"
    if not (ROOT / "launcher/management/commands/transcribe.py").is_file():
        raise LocalError(_(HOW))
    if find_spec("faster_whisper"):
        return [sys.executable, "manage.py", "transcribe"]
    if installed.is_file():
        return [str(installed), "manage.py", "transcribe"]
    raise LocalError(_(HOW))


def _options(arguments: argparse.Namespace) -> list[str]:
    named = {"--language": arguments.language, "--model": arguments.model, "--vad-threshold": arguments.vad_threshold}
    options = [f"{name}={value}" for name, value in named.items() if value is not None]
    options += [f"--keyterm={term}" for term in arguments.keyterm]
    options += ["--formatted"] if arguments.formatted else []
    return options + (["--redact", *arguments.redact] if arguments.redact else [])
