"""Reading a source of audio without waiting for it."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

Pcm = Iterable[bytes] | AsyncIterable[bytes]
"""Audio in pieces of any length."""

_END = object()


async def read(source: Pcm) -> AsyncGenerator[bytes]:
    """A source's pieces, as they are asked for; raises what the source raises.

    A plain iterable is read in a daemon thread of its own: nobody has to wait for a pipe that says nothing.
    """
    if isinstance(source, AsyncIterable):
        async for piece in source:
            yield piece
        return
    loop = asyncio.get_running_loop()
    wanted: SimpleQueue[asyncio.Future[Any] | None] = SimpleQueue()
    threading.Thread(target=_serve, args=(source, wanted, loop), name="whisper-stt-reader", daemon=True).start()
    try:
        while True:
            answer: asyncio.Future[Any] = loop.create_future()
            wanted.put(answer)
            piece = await answer
            if piece is _END:
                return
            yield piece
    finally:
        wanted.put(None)


def _serve(
    source: Iterable[bytes], wanted: "SimpleQueue[asyncio.Future[Any] | None]", loop: asyncio.AbstractEventLoop
) -> None:
    pieces: Iterator[Any] | None = None
    while answer := wanted.get():
        piece, failure = None, None
        try:
            pieces = pieces or iter(source)
            piece = next(pieces, _END)
        except BaseException as error:  # whoever listens hears of any
            failure = error
        with suppress(RuntimeError):  # the loop is gone, and with it whoever asked
            loop.call_soon_threadsafe(_answer, answer, piece, failure)


def _answer(answer: asyncio.Future[Any], piece: Any, failure: BaseException | None) -> None:
    if answer.done():  # nobody waits any more
        return
    if failure:
        answer.set_exception(failure)
    else:
        answer.set_result(piece)
