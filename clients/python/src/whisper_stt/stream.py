"""A stream of audio to the service: a `Session` over websockets."""

import asyncio
import random
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Self

from whisper_stt.connection import Connection, Dialler
from whisper_stt.errors import ConnectError, RefusedError, WhisperSttError
from whisper_stt.reading import Pcm, read
from whisper_stt.session import Answer, Config, Event, Happening, Metadata, PartialTranscript, Retries, Session, Wait
from whisper_stt.session.address import Address
from whisper_stt.session.limits import CLOSE_S
from whisper_stt.session.messages import (
    Configure,
    Configured,
    FinalTranscript,
    ServerError,
    SessionStarted,
    TurnMode,
    texts,
)
from whisper_stt.session.pace import DEFAULT_SPEED
from whisper_stt.session.spoken import Spoken, SpokenTimes
from whisper_stt.session.words import _

AHEAD_S = 2.0
"""`send` waits while more audio than this is still to be sent."""


class Stream:
    """Audio in, events out: `async with`, then `feed`, or `send` and `end`, on one side, `async for` on the other.

    A lost connection is made again, for up to `retry_s` at a time: it resumes its session if the service still has it,
    and else a new session hears what has no final yet. No word is lost, no final is told twice.
    """

    def __init__(
        self,
        address: Address,
        config: Config,
        *,
        metadata: Metadata | None = None,
        speed: float = DEFAULT_SPEED,
        retry_s: float = 30.0,
        timeout_s: float = 10.0,
    ) -> None:
        """Prepare a stream; `connect` is the usual way.

        Args:
            address: where the service is, with the key.
            config: options of the session, as in `start_session`.
            metadata: what people may find it by, as in `start_session`.
            speed: how many times faster than real time audio that exists already goes out, at most.
            retry_s: how long a lost connection is tried again (s).
            timeout_s: how long a handshake may take, and then the session's start (s each).
        """
        self._dialler = Dialler(address, timeout_s)
        self._session = Session(config, speed=speed, metadata=metadata)
        self._second_bytes = config.frame_bytes * config.sample_rate
        self._spoken = SpokenTimes()
        self._retry_s = retry_s
        self._timeout_s = timeout_s
        self._ended = False
        self._work = asyncio.Event()
        """Something has happened: the session may have something to send."""
        self._room = asyncio.Event()
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self._flushes: dict[str, asyncio.Future[Answer]] = {}
        self._changes: deque[asyncio.Future[Configured]] = deque()
        self._failure: WhisperSttError | None = None
        self._task: asyncio.Task[None] | None = None
        self._feeding: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()

    @property
    def sent_s(self) -> float:
        """Seconds of audio sent so far, of those that `send` was given."""
        return self._session.sent_s

    async def __aenter__(self) -> Self:
        """Open the session; raises what keeps it from being opened."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._finish)
        try:
            await self._opened.wait()
        except BaseException:
            await self._stop()
            raise
        if self._failure:
            await self._stop()
            raise self._failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close; what is not transcribed by now is dropped."""
        await self._stop()

    def spoken(self, final: FinalTranscript) -> Spoken:
        """When a final was spoken, by `time.time()`, and in seconds since the first sample with the gaps of live audio.

        A final's own times are positions in the audio that was sent: right for a recording, and behind the clock once
        nothing was sent for a while.
        """
        return self._spoken.of(final)

    def feed(self, source: Pcm) -> None:
        """Send all of a source, meanwhile, and end: an iterable of PCM, asynchronous or read in a thread of its own.

        When the source fails, what it gave is still transcribed; then the iteration raises what it raised.
        """
        self._check_open()
        if self._feeding:
            raise WhisperSttError(_("The stream is fed already"))
        self._feeding = asyncio.create_task(self._feed(source))

    async def send(self, pcm: bytes) -> None:
        """Send audio: a sample of each channel in turn, in the stream's encoding and rate.

        Waits while the service has enough to do.
        """
        self._check_open()
        if not isinstance(pcm, bytes | bytearray | memoryview):
            raise TypeError(f"expected audio as bytes, got {type(pcm).__name__}")
        self._session.push(pcm)
        self._spoken.push(memoryview(pcm).nbytes / self._second_bytes, time.time())
        self._work.set()
        while self._session.unsent_s > AHEAD_S and not self._failure:
            self._room.clear()
            await self._room.wait()
        if self._failure:
            raise self._failure

    async def flush(self) -> Answer:
        """Finalise what was said so far; returns its final, an empty one in silence, or the error instead."""
        self._check_open()
        flush_id = uuid.uuid4().hex
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._flushes[flush_id] = answer
        self._session.flush(flush_id)
        self._work.set()
        return await answer

    async def configure(
        self,
        *,
        language: str | None = None,
        turn_mode: TurnMode | None = None,
        min_silence_ms: int | None = None,
        max_hold_ms: int | None = None,
        keyterms: Sequence[str] | None = None,
    ) -> Configured:
        """Go on with other options, those left out as they were; returns those that hold from now on.

        While there is no session, for want of audio, it waits for the next one. Raises `RefusedError` when the service
        does not take them; the stream goes on as it was.
        """
        self._check_open()
        change = Configure(
            lang_code=language,
            turn_mode=turn_mode,
            min_silence_ms=min_silence_ms,
            max_hold_ms=max_hold_ms,
            keyterms=None if keyterms is None else texts("keyterms", keyterms) or (),
        )
        answer: asyncio.Future[Configured] = asyncio.get_running_loop().create_future()
        self._changes.append(answer)
        self._session.configure(change)
        self._work.set()
        return await answer

    async def end(self) -> None:
        """No more audio: the last finals come, then the iteration ends."""
        if not self._ended:
            self._ended = True
            self._session.end()
            self._work.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The events, in order. A partial that was not read before the next one came is left out.

        Ends after the last; raises what ended the stream instead, or the source that it was fed.
        """
        self._check_entered()
        while True:
            while self._events:
                yield self._events.popleft()
            if not self._task or self._task.done():
                break
            self._news.clear()
            await self._news.wait()
        if self._failure:
            raise self._failure
        if self._feeding:
            await self._feeding

    async def _feed(self, source: Pcm) -> None:
        try:
            async with aclosing(read(source)) as pieces:
                async for piece in pieces:
                    await self.send(piece)
        finally:
            await self.end()

    # Connections

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        retries = Retries(self._retry_s, clock())
        while not self._session.over:
            if not self._session.needed:
                self._work.clear()
                await self._work.wait()
                continue
            try:
                async with self._dialler.dial() as connection:
                    await self._converse(connection, retries)
            except WhisperSttError as error:
                chance = random.random()  # noqa: S311 - spreads clients out
                pause = retries.lost(error, clock(), chance)
                if pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _converse(self, connection: Connection, retries: Retries) -> None:
        """Send and hear until the session has ended."""
        now = asyncio.get_running_loop().time()
        self._session.connect(now, now + self._timeout_s)
        sender = asyncio.create_task(self._send_all(connection))
        receiver = asyncio.create_task(self._receive_all(connection, retries))
        try:
            await asyncio.wait((sender, receiver), return_when=asyncio.FIRST_COMPLETED)
            if not receiver.done():
                sender.result()
            await receiver
        finally:
            sender.cancel()
            receiver.cancel()
            await asyncio.gather(sender, receiver, return_exceptions=True)
            if farewell := self._session.farewell():
                with suppress(ConnectError, TimeoutError):
                    async with asyncio.timeout(CLOSE_S):
                        await connection.send(farewell)

    async def _send_all(self, connection: Connection) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            frame = self._session.poll(clock())
            if isinstance(frame, Wait):
                self._work.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(frame.seconds):
                        await self._work.wait()
                continue
            try:
                await connection.send(frame)
            except ConnectError:
                return  # the receiver sees it too, after what came before
            self._room.set()

    async def _receive_all(self, connection: Connection, retries: Retries) -> None:
        clock = asyncio.get_running_loop().time
        while self._session.connected:
            frame = await connection.receive()
            for happening in self._session.receive(frame, clock()):
                self._tell(happening, retries, clock())
            self._work.set()

    async def _stop(self) -> None:
        self._ended = True
        for task in (self._task, self._feeding):
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _finish(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self._failure = WhisperSttError(_("The stream is closed"))
        elif isinstance(error, WhisperSttError):
            self._failure = error
        elif error:
            self._failure = WhisperSttError(_("Internal error"))
            self._failure.__cause__ = error
        waiters: list[asyncio.Future[Answer] | asyncio.Future[Configured]] = [*self._flushes.values(), *self._changes]
        for answer in waiters:
            if not answer.done():
                answer.set_exception(self._failure or WhisperSttError(_("The session ended without an answer")))
                answer.exception()  # somebody may have given up waiting for it
        for waiting in (self._opened, self._room, self._news):
            waiting.set()

    def _check_entered(self) -> None:
        if not self._task:
            raise WhisperSttError(_("The stream is not open: it is to be entered with `async with`"))

    def _check_open(self) -> None:
        self._check_entered()
        if self._failure:
            raise self._failure
        if self._ended:
            raise WhisperSttError(_("The stream has been ended"))

    # What the service says

    def _tell(self, happening: Happening, retries: Retries, now: float) -> None:
        if not isinstance(happening, SessionStarted | Configured):
            self._spoken.hear(happening)
        match happening:
            case SessionStarted(resumed=resumed):
                if not resumed:
                    self._spoken.begin()
                retries.opened(now)
                self._opened.set()
                return
            case Configured() | ServerError(segment_id=None):
                self._hear_configured(happening)
                return
            case PartialTranscript() if self._events and isinstance(self._events[-1], PartialTranscript):
                self._events.pop()
            case FinalTranscript(flush_id=flush_id) | ServerError(flush_id=flush_id):
                retries.answered()
                waiting = self._flushes.pop(flush_id, None) if flush_id else None
                if waiting and not waiting.done():
                    waiting.set_result(happening)
        self._events.append(happening)
        self._news.set()

    def _hear_configured(self, answer: Configured | ServerError) -> None:
        waiting = self._changes.popleft()
        if waiting.done():
            return
        if isinstance(answer, Configured):
            waiting.set_result(answer)
        else:
            waiting.set_exception(RefusedError(answer.code, answer.message, answer.retry_after_ms))
