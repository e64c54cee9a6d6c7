"""A stream of audio to the service, over as many connections as it takes."""

import asyncio
import random
import uuid
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import msgspec

from whisper_stt import connection
from whisper_stt.backlog import Backlog, Part
from whisper_stt.connection import Connection
from whisper_stt.errors import ConnectError, RefusedError, WhisperSttError
from whisper_stt.messages import (
    Answer,
    Event,
    FinalTranscript,
    Message,
    PartialTranscript,
    ServerError,
    SessionEnded,
    VadEvent,
)
from whisper_stt.pace import DEFAULT_SPEED, Pacer

AHEAD_S = 2.0
"""`send` waits while more audio than this is still to be sent."""
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 5.0
STEADY_S = 11.0
"""A connection that lived so long, longer than any attempt takes, was a good one."""


class Stream:
    """Audio in, events out: `async with`, `send` and `end` on one side, `async for` on the other.

    A lost connection is made again, for up to `retry_s` at a time: it resumes its session if the service still has it,
    and else a new session hears what has no final yet. No word is lost, no final is told twice.
    """

    def __init__(
        self,
        url: str,
        config: dict[str, Any],
        *,
        api_key: str | None = None,
        speed: float = DEFAULT_SPEED,
        retry_s: float = 30.0,
        timeout_s: float = 10.0,
    ) -> None:
        """`config` as in `start_session`; see `connect`."""
        self._dialler = connection.Dialler(url, api_key, timeout_s)
        self._config = config
        self._rate: int = config["sample_rate"]
        self._retry_s = retry_s
        self._backlog = Backlog(self._rate)
        self._pacer = Pacer(speed)
        self._ended = False
        self._work = asyncio.Event()
        """There is something to send, or nothing more will come."""
        self._room = asyncio.Event()
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self._flushes: dict[str, asyncio.Future[Answer]] = {}
        self._session_id: str | None = None
        self._base = 0
        """Position in the stream of the session's first sample."""
        self._answered: set[str] = set()
        self._last_segment: str | None = None
        self._unanswered: set[str] = set()
        self._speaking = not config["vad_enabled"]
        self._progress = 0
        self._retry_after_s = 0.0
        self._failure: WhisperSttError | None = None
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()

    @property
    def sent_s(self) -> float:
        """Seconds of audio sent so far, of those that `send` was given."""
        return self._progress / self._rate

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

    async def send(self, pcm: bytes) -> None:
        """Send audio: 16-bit little-endian mono at `sample_rate`. Waits while the service has enough to do."""
        self._check_open()
        self._backlog.push(pcm)
        self._work.set()
        while self._backlog.unsent_s > AHEAD_S and not self._failure:
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
        self._backlog.flush(flush_id)
        self._work.set()
        return await answer

    async def end(self) -> None:
        """No more audio: the last finals come, then the iteration ends."""
        if not self._ended:
            self._ended = True
            self._backlog.flush()
            self._work.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The events, in order. A partial that was not read before the next one came is left out."""
        while True:
            while self._events:
                yield self._events.popleft()
            if self._task is None or self._task.done():
                break
            self._news.clear()
            await self._news.wait()
        if self._failure:
            raise self._failure

    # Connections

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        lost_at = clock()
        pause = FIRST_RETRY_S
        lost: WhisperSttError
        while True:
            answered, began = len(self._answered), clock()
            try:
                async with self._dialler.dial() as peer:
                    await self._start(peer)
                    began = clock()
                    if await self._converse(peer):
                        return
            except RefusedError as error:
                if not error.transient:
                    raise
                self._retry_after_s, lost = error.retry_after_s, error
            except ConnectError as error:
                if not self._opened.is_set():
                    raise
                lost = error
            else:
                await self._work.wait()  # an idle session ended; the next begins when there is audio
                continue
            if len(self._answered) != answered or clock() - began > STEADY_S:
                lost_at, pause = clock(), FIRST_RETRY_S
            wait = max(self._retry_after_s, pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients out
            self._retry_after_s, pause = 0.0, min(pause * 2, LAST_RETRY_S)
            if clock() + wait > lost_at + self._retry_s:
                raise lost
            await asyncio.sleep(wait)

    async def _start(self, peer: Connection) -> None:
        started = await peer.start(self._config, resume=self._session_id, last_segment_id=self._last_segment)
        if started.resumed:
            received = round(started.audio_received_ms * self._rate / 1000)
            self._base = self._backlog.rewind(self._base + received) - received
        else:
            self._base = self._backlog.rewind()
            self._answered, self._last_segment = set(), None
            self._unanswered, self._speaking = set(), not self._config["vad_enabled"]
        self._session_id = started.session_id
        self._pacer.begin(asyncio.get_running_loop().time())
        if self._backlog.unsent or self._ended:
            self._work.set()
        self._opened.set()

    async def _converse(self, peer: Connection) -> bool:
        """Send and hear until the session has ended; whether that was because the input has."""
        sender = asyncio.create_task(self._send_all(peer))

        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception():
                peer.abort()

        sender.add_done_callback(done)
        try:
            async for message in peer:
                if isinstance(message, SessionEnded):
                    self._session_id = None
                    if sender.done() or message.reason == "timeout":
                        return sender.done()
                    raise ConnectError(f"The service ended the session: {message.reason}")
                self._hear(message)
        finally:
            sender.cancel()
            with suppress(asyncio.CancelledError, ConnectError):
                await sender
        raise ConnectError("Connection lost")

    async def _send_all(self, peer: Connection) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            if part := self._backlog.peek():
                # Finals that come meanwhile may shorten the wait.
                if part.flush_id is None and (delay := self._pacer.delay(clock(), len(self._unanswered))) > 0:
                    await asyncio.sleep(min(delay, 0.1))
                else:
                    await self._send_part(peer, self._backlog.take(clock(), speaking=self._speaking))
            elif self._ended:
                await peer.send("end_session")
                return
            else:
                self._work.clear()
                await self._work.wait()

    async def _send_part(self, peer: Connection, part: Part) -> None:
        if part.flush_id is not None:
            await peer.send("flush", flush_id=part.flush_id)
            return
        await peer.send_audio(part.pcm)
        self._pacer.sent(len(part.pcm) / 2 / self._rate, asyncio.get_running_loop().time())
        self._progress = max(self._progress, part.end)
        self._room.set()

    async def _stop(self) -> None:
        self._ended = True
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _finish(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self._failure = WhisperSttError("The stream is closed")
        elif isinstance(error, WhisperSttError):
            self._failure = error
        elif error:
            self._failure = WhisperSttError("Internal error")
            self._failure.__cause__ = error
        for answer in self._flushes.values():
            if not answer.done():
                answer.set_exception(self._failure or WhisperSttError("The session ended without an answer"))
                answer.exception()  # somebody may have given up waiting for it
        for waiting in (self._opened, self._room, self._news):
            waiting.set()

    def _check_open(self) -> None:
        if self._failure:
            raise self._failure
        if self._ended:
            raise WhisperSttError("The stream has been ended")

    # What the service says

    def _hear(self, message: Message) -> None:
        match message:
            case VadEvent(state=state, segment_id=segment_id):
                self._speaking = state == "speech_start"
                if state == "speech_end" and segment_id and segment_id not in self._answered:
                    self._unanswered.add(segment_id)
                self._tell(msgspec.structs.replace(message, t_ms=self._at(message.t_ms)))
            case PartialTranscript():
                self._tell(msgspec.structs.replace(message, audio_end_ms=self._at(message.audio_end_ms)))
            case FinalTranscript(segment_id=segment_id):
                self._settle(
                    segment_id,
                    msgspec.structs.replace(message, audio_start_ms=self._at(message.audio_start_ms)),
                )
            case ServerError(segment_id=str(segment_id)):
                self._settle(segment_id, message)
            case ServerError(code="QUEUE_CONGESTION"):
                # It drops audio: only a new session can have it again.
                self._pacer.slow_down()
                self._session_id = None
                raise ConnectError(message.message)
            case ServerError(code="INTERNAL_ERROR"):
                self._session_id = None
                raise ConnectError(message.message)
            case ServerError(code=code):
                raise RefusedError(code, message.message)

    def _settle(self, segment_id: str, answer: Answer) -> None:
        if segment_id in self._answered:
            return
        self._answered.add(segment_id)
        self._last_segment = segment_id
        self._unanswered.discard(segment_id)
        if isinstance(answer, FinalTranscript):
            self._backlog.confirm(round(answer.end * self._rate))
        if answer.flush_id:
            self._backlog.answered(answer.flush_id)
            waiting = self._flushes.pop(answer.flush_id, None)
            if waiting and not waiting.done():
                waiting.set_result(answer)
        self._tell(answer)

    def _tell(self, event: Event) -> None:
        if isinstance(event, PartialTranscript) and self._events and isinstance(self._events[-1], PartialTranscript):
            self._events.pop()
        self._events.append(event)
        self._news.set()

    def _at(self, t_ms: float) -> float:
        return t_ms + self._base * 1000 / self._rate
