"""Whole recordings by HTTP, in other services' ways (`core/dialects/recordings.py`): ASGI middleware before Django.

An upload is a session like any other. It passes the same gate, and to the one consumer that there is it is a client
that sends a `start_session`, audio as fast as it is taken, and an `end_session`. Its finals make the answer.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
from django.conf import settings

from transcription import metrics
from transcription.core import protocol
from transcription.core.capacity.admission import shutting_down
from transcription.core.dialects.dialect import Refused
from transcription.core.dialects.openai_rest import translates
from transcription.core.dialects.recordings import REMOTE, Asked, Fetch, Recording, as_answer, status_of
from transcription.core.protocol import EndReason, ErrorCode
from transcription.ingress import draining, runtime
from transcription.ingress.answers import as_handshake, connecting, denied, write
from transcription.ingress.auth import Application, Gate, Receive, Scope, Send
from transcription.ingress.consumers import TranscriptionConsumer
from transcription.ingress.decoding import MB, Decoding, MemoryFull, TooLong, memory
from transcription.ingress.ffmpeg import NotAudio
from transcription.ingress.runtime import Runtime

if settings.STT.fetch_urls:  # with an HTTP client of 8 MB
    from transcription.ingress import fetching

RETRY_MS = 1_000
"""What a client is told to wait where uploads take all the memory that they may."""

UNFIT = (NotAudio, MemoryFull, TooLong)
"""What decoding may end with."""

MakeRecording = Callable[[Asked], Recording]


@cache
def for_recordings() -> Runtime:
    """The process's runtime, with a session's options for audio that is all there already."""
    current = runtime.current()
    return replace(current, defaults=current.defaults.of_recordings)


@cache
def for_translations() -> Runtime:
    """The same for text in English, of which the rules for Portuguese texts know nothing."""
    current = for_recordings()
    return replace(current, defaults=replace(current.defaults, task="translate", format="off"))


RUNTIMES = {"transcribe": for_recordings, "translate": for_translations}
"""By the recording's task."""


class Uploads:
    """The middleware: requests with a recording are served here, all others by the application behind."""

    def __init__(self, application: Application, paths: Sequence[tuple[str, str, MakeRecording]]) -> None:
        """`paths`: what ends a path, with the dialect's name and its maker."""
        self._application = application
        self._paths = [(re.compile(path), name, make) for path, name, make in paths]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        is_post = scope["method"] == "POST"
        found = next(((name, make) for path, name, make in self._paths if is_post and path.search(scope["path"])), None)
        if found is None:
            await self._application(scope, receive, send)
            return
        name, make = found
        metrics.dialect_connections_total.labels(name).inc()
        content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin1")
        asked = Asked(
            request_id=str(uuid.uuid4()),
            content_type=content_type,
            language=settings.STT.language,
            query=scope["query_string"].decode("latin1"),
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            fetches=settings.STT.fetch_urls,
            translates=settings.STT.engine == "whisper" and translates(settings.STT.whisper_model),
        )
        await Upload(make(asked), {**scope, "dialect": name}, receive, send).serve()


class Upload:
    """What the consumer takes for its client, and the client for its service."""

    def __init__(self, recording: Recording, scope: Scope, receive: Receive, send: Send) -> None:
        self._recording, self._scope = recording, scope
        self._receive, self._send = receive, send
        self._decoding = Decoding(memory(), most_s=settings.STT.max_upload_s)
        self._consumer = TranscriptionConsumer(find_runtime=RUNTIMES[recording.task])
        self._start: protocol.StartSession | None = None
        self._received = 0
        """Bytes of the body, and of what was fetched."""
        self._fetch: Fetch | None = None
        self._admitted = asyncio.Event()
        self._streams = False
        """Whether a stream of events has begun."""
        self._over = False
        """Nothing more is to be said: the client is answered, or gone."""
        self._stops = False
        """The server does."""
        self._ends = asyncio.Event()
        """Either."""
        self._trouble: protocol.Error | None = None
        """What the session told last that went wrong."""

    async def serve(self) -> None:
        """From the headers to the answer."""
        try:
            await Gate(self._let_in)(as_handshake(self._scope), connecting, self._denied)
        finally:
            self._decoding.close()

    async def _denied(self, message: dict[str, Any]) -> None:
        """The gate's answer, in the protocol's own form."""
        if (denial := denied(message)) is not None:
            await self._refuse(self._recording.refuse(*denial))

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._hear(self._recording.open())
            while self._start is None and not self._over:
                await self._decoding.room()
                await self._read()
        except Refused as refused:
            await self._refuse(refused)
        if self._over:
            return
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._refusing(self._read_on()))]
            if self._fetch:
                tasks.append(group.create_task(self._refusing(self._fetched(self._fetch.url))))
            await self._consumer(scope, self._said().__anext__, self._told)
            for task in tasks:
                task.cancel()

    # From the client

    async def _read(self) -> None:
        """Its next message."""
        message = await self._receive()
        match message["type"]:
            case draining.STOP:
                self._stop()
            case "http.disconnect":
                self._end()
            case "http.request":
                self._take(message.get("body") or b"")
                if not message.get("more_body"):
                    self._hear(self._recording.end())
                    if not self._fetch:
                        self._decoding.end()

    def _take(self, body: bytes) -> None:
        most = settings.STT.max_upload_mb
        self._received += len(body)
        if self._received > most * MB:
            raise self._recording.refuse(413, f"The upload is too large: expected at most {most} MB", "too_large")
        self._hear(self._recording.hear(body))

    def _hear(self, steps: Sequence[protocol.StartSession | Fetch | bytes]) -> None:
        for step in steps:
            match step:
                case protocol.StartSession():
                    self._start = step
                    self._decoding.begin(self._recording.samples, step.config.channels or 1)
                case Fetch():
                    self._fetch = step
                case bytes():
                    try:
                        self._decoding.feed(step)
                    except UNFIT as error:
                        raise self._unfit(error) from None

    async def _read_on(self) -> None:
        """The rest of the body; after it comes only that the client is gone, or that the server stops."""
        while not self._over:
            await self._decoding.room()
            await self._read()

    async def _fetched(self, url: str) -> None:
        """The recording from elsewhere, once its session has its place."""
        await self._admitted.wait()
        try:
            async with (
                asyncio.timeout(settings.STT.max_upload_s),
                aclosing(fetching.fetch(url, settings.STT.fetch_networks)) as pieces,
            ):
                async for data in pieces:
                    self._take(data)
                    await self._decoding.room()
        except (fetching.NotFetched, TimeoutError) as error:
            message = str(error) or f"url: the recording did not come within {settings.STT.max_upload_s} s"
            raise self._recording.refuse(400, message, REMOTE) from None
        self._decoding.end()

    async def _refusing(self, work: Coroutine[Any, Any, None]) -> None:
        """The work; what is refused in it is told to the client."""
        try:
            await work
        except Refused as refused:
            await self._refuse(refused)

    def _stop(self) -> None:
        self._stops = True
        if self._start is None:
            raise self._recording.refuse(503, shutting_down().message, ErrorCode.QUEUE_CONGESTION, RETRY_MS)
        self._leave()

    def _end(self) -> None:
        self._over = True
        self._leave()

    def _leave(self) -> None:
        """Have the session end at once: not when it has an answer that it waits for, behind all who speak."""
        self._decoding.close()
        self._ends.set()
        self._consumer.hurry()

    async def _said(self) -> AsyncIterator[dict[str, Any]]:
        """The session's messages from its client."""
        yield {"type": "websocket.connect"}
        yield _text(self._start)
        try:
            async for pcm in self._audio():
                yield {"type": "websocket.receive", "bytes": pcm}
        except Refused as refused:
            await self._refuse(refused)
        if not self._ends.is_set():
            yield _text(protocol.EndSession())
            await self._ends.wait()
        if not self._over:
            yield {"type": draining.STOP}
        yield _text(protocol.Cancel())
        yield {"type": "websocket.disconnect", "code": 1000}
        await asyncio.Event().wait()

    async def _audio(self) -> AsyncIterator[bytes]:
        try:
            while (pcm := await self._decoding.take()) is not None:
                await asyncio.sleep(0)  # much may be decoded already: others have their turn between
                yield pcm
        except UNFIT as error:
            raise self._unfit(error) from None

    def _unfit(self, error: Exception) -> Refused:
        """What is told of a recording that cannot be decoded."""
        match error:
            case MemoryFull():
                return self._recording.refuse(429, "Too many uploads at once", ErrorCode.QUEUE_FULL, RETRY_MS)
            case TooLong():
                message = f"The recording is too long: expected at most {settings.STT.max_upload_s} s"
                return self._recording.refuse(413, message, "too_long")
        return self._recording.refuse(400, str(error), "invalid_audio")

    # From the session

    async def _told(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "websocket.send":
                await self._tell(protocol.decode_server(message["text"]))
            case "websocket.close":
                await self._refuse(self._failed(self._trouble))

    async def _tell(self, message: protocol.ServerMessage) -> None:
        match message:
            case protocol.SessionStarted():
                self._admitted.set()
            case protocol.FinalTranscript():
                if (event := self._recording.tell(message)) and not self._over:
                    await self._write(event, more=True)
            case protocol.Error():
                self._trouble = message
                if message.segment_id or not self._admitted.is_set():
                    await self._refuse(self._failed(message))
            case protocol.SessionEnded(reason=EndReason.COMPLETED) if not self._over:
                answer = self._recording.answer(message.total_audio_ms / 1000)
                self._end()
                await (self._write(answer) if isinstance(answer, str) else write(self._send, answer))

    def _failed(self, error: protocol.Error | None) -> Refused:
        served = bool(runtime.current().capacity.load.workers) and not draining.began.is_set()
        if error is None or not served:
            message = error.message if error else "The session has ended before all was transcribed"
            return self._recording.refuse(500 if served else 503, message, retry_after_ms=RETRY_MS)
        status = status_of(error)
        return self._recording.refuse(status, error.message, error.code, error.retry_after_ms)

    async def _refuse(self, refused: Refused) -> None:
        if self._over:
            return
        self._end()
        if self._streams:
            await self._write(self._recording.broken(refused))
        else:
            await write(self._send, as_answer(refused))

    async def _write(self, events: str, *, more: bool = False) -> None:
        """Events of a stream, the first of them after its headers."""
        if not self._streams:
            self._streams = True
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": events.encode(), "more_body": more})


def _text(message: protocol.ClientMessage | None) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": msgspec.json.encode(message).decode()}
