"""`whisper-stt transcribe`."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import whisper_stt
from whisper_stt.cli import Exit, local
from whisper_stt.cli.account import Account
from whisper_stt.cli.screen import Screen
from whisper_stt.cli.streams import complain, say
from whisper_stt.cli.targets import Target, format_of, plan
from whisper_stt.media import Audio, MediaError
from whisper_stt.reading import read
from whisper_stt.session.messages import Event
from whisper_stt.session.pace import DEFAULT_SPEED

LAST_S, LAST_BLOCKS = 1.0, 20
"""A pipe that was told to end is read until it is silent for so long, or has given ten seconds more."""


def transcribe(arguments: argparse.Namespace) -> int:
    """Transcribe each file; one that cannot be read does not keep the others from it, a service that is lost does."""
    local.check(arguments)
    kind = format_of(arguments.format, arguments.output)
    codes: list[int] = []
    for name, target in zip(arguments.files, plan(arguments.files, arguments.output, kind), strict=True):
        try:
            with Audio(name, channel=arguments.channel, channels=arguments.channels) as audio:
                code = _one(audio, name, kind, target, arguments)
        except MediaError as error:
            complain(error)
            code = Exit.INPUT
        if code == Exit.SERVICE or code > 128:
            return code
        codes.append(code)
    return min(filter(None, codes), default=Exit.OK)


def _one(audio: Audio, name: str, kind: str, target: Target | None, arguments: argparse.Namespace) -> int:
    account = Account(
        name,
        kind,
        target,
        times=not arguments.no_times,
        formatted=arguments.formatted,
        speakers=arguments.channel_names,
    )
    live = arguments.realtime or name == "-"
    if kind == "txt" and target is None and len(arguments.files) > 1:
        say(f"==> {name} <==\n")
    with Screen(name, audio.seconds, live=live, quiet=arguments.quiet) as screen:

        def hear(event: Event) -> None:
            screen.hear(event)
            account.hear(event)

        if arguments.local:
            return account.see_through(
                _heard(audio, account, local.transcribe, arguments, on_event=hear, on_progress=screen.done)
            )
        return account.see_through(
            _heard(
                audio,
                account,
                whisper_stt.transcribe,
                on_event=hear,
                on_progress=screen.done,
                url=arguments.url,
                language=arguments.language or ("auto" if arguments.languages else None),
                languages=arguments.languages,
                channels=arguments.channels,
                channel_names=arguments.channel_names,
                vad_threshold=arguments.vad_threshold,
                text_format="pt-BR" if arguments.formatted else None,
                redact=arguments.redact,
                keyterms=arguments.keyterm,
                external_id=arguments.external_id,
                tags=arguments.tags,
                partials=live and not arguments.quiet,
                speed=1.0 if arguments.realtime else DEFAULT_SPEED,
            )
        )


async def _heard(
    audio: Audio, account: Account, by: Callable[..., Awaitable[Any]], *given: Any, **options: Any
) -> None:
    task, over = asyncio.current_task(), asyncio.Event()
    assert task
    # What comes by a pipe ends with the first signal, and its last sentence is heard; the second does not wait for it.
    steps = [over.set, task.cancel] if account.name == "-" else [task.cancel]
    with account.interruption.handled(*steps):
        try:
            await by(_until(over, audio), *given, **options)
        finally:
            account.damage = audio.damage


async def _until(over: asyncio.Event, audio: Audio) -> AsyncIterator[bytes]:
    """What is read until it is over, and what the other end of the pipe, which Ctrl-C reaches too, has to say last."""
    ending = asyncio.create_task(over.wait())
    reading = asyncio.ensure_future(asyncio.sleep(0, b""))
    left = LAST_BLOCKS
    async with aclosing(read(audio)) as pieces:
        try:
            while left:
                reading = asyncio.ensure_future(anext(pieces, b""))
                await asyncio.wait((reading, ending), return_when=asyncio.FIRST_COMPLETED)
                if over.is_set():
                    await asyncio.wait((reading,), timeout=LAST_S)
                    left -= 1
                if not reading.done() or not (piece := reading.result()):
                    return
                yield piece
        finally:
            for task in (reading, ending):
                task.cancel()
            await asyncio.gather(reading, ending, return_exceptions=True)
