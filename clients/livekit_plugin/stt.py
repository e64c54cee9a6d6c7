"""`WhisperSTT` and its streams."""

import asyncio
import dataclasses
import os
import time
import uuid
import weakref
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import aiohttp
from livekit import rtc
from livekit.agents import APIConnectOptions, APIStatusError, LanguageCode, stt, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer

from . import _wire
from ._audio import Backlog, Part, chunks, mono
from ._events import Events
from ._wire import Connection, Line, Message, retry_after_s

Dialler = Callable[[LanguageCode, Message | None], AbstractAsyncContextManager[Connection]]
"""Opens a session in a language, or resumes the one named."""
_KNOWN = {field.name for field in dataclasses.fields(stt.STTCapabilities)}


class WhisperSTT(stt.STT[Any]):
    """Speech-to-text by a Whisper STT service, streaming or of whole buffers."""

    def __init__(
        self,
        service_url: str = "ws://localhost:8000/ws/stt",
        *,
        api_key: str | None = None,
        language: str = "pt",
        sample_rate: int = 16_000,
        vad_threshold: float | None = None,
        interim_results: bool = True,
        word_timestamps: bool = True,
        http_session: aiohttp.ClientSession | None = None,
    ) -> None:
        """`api_key` is that of `STT_API_KEY`, `vad_threshold` the service's own when left out.

        A `http_session` given stays the caller's to close.
        """
        capabilities = {
            "streaming": True,
            "interim_results": interim_results,
            "aligned_transcript": "word" if word_timestamps else "chunk",
            "manual_flush": True,
        }
        # Older versions of LiveKit lack some of them.
        known = {name: value for name, value in capabilities.items() if name in _KNOWN}
        super().__init__(capabilities=stt.STTCapabilities(**known))  # type: ignore[arg-type]
        self._line = Line(service_url, api_key or os.environ.get("STT_API_KEY"), http_session)
        self._language = LanguageCode(language)
        self._sample_rate = sample_rate
        self._config: dict[str, Any] = {
            "sample_rate": sample_rate,
            # Without it there is no end of speech, and no turn would ever end.
            "vad_enabled": True,
            "word_timestamps": word_timestamps,
        }
        if vad_threshold is not None:
            self._config["vad_threshold"] = vad_threshold
        self._streams: weakref.WeakSet[WhisperStream] = weakref.WeakSet()

    @property
    def model(self) -> str:
        """What LiveKit's metrics call the model; which one it is, is the service's choice."""
        return "whisper"

    @property
    def provider(self) -> str:
        """What LiveKit's metrics call the provider."""
        return "Whisper STT"

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> "WhisperStream":
        """Transcribe audio as it is spoken."""
        connect = self._dialler(conn_options, partials=self.capabilities.interim_results)
        stream = WhisperStream(self, connect, self._language_code(language), self._sample_rate, conn_options)
        self._streams.add(stream)
        return stream

    def update_options(
        self, *, language: NotGivenOr[str] = NOT_GIVEN, vad_threshold: NotGivenOr[float | None] = NOT_GIVEN
    ) -> None:
        """Change options, of open streams too: what they have heard is finalised with the old ones."""
        if utils.is_given(language):
            self._language = LanguageCode(language)
        if utils.is_given(vad_threshold):
            self._config.pop("vad_threshold", None)
            if vad_threshold is not None:
                self._config["vad_threshold"] = vad_threshold
        for stream in self._streams:
            stream.restart(self._language if utils.is_given(language) else None)

    def prewarm(self) -> None:
        """Connect ahead of the first stream, when there is a loop to do it in."""
        with suppress(RuntimeError):
            self._line.prewarm()

    async def aclose(self) -> None:
        """Close every stream, and a connection that was made ahead."""
        for stream in list(self._streams):
            await stream.aclose()
        await self._line.aclose()

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        code = self._language_code(language)
        events = Events(code)
        finals: list[stt.SpeechData] = []

        def collect(message: Message) -> None:
            match message.get("type"):
                case "final_transcript":
                    finals.append(events.transcript(message))
                case "error":
                    # What is left would look whole; LiveKit can still try the buffer again.
                    raise APIStatusError(message["message"], status_code=500, body=message)

        async with self._dialler(conn_options, partials=False)(code, None) as connection:
            await connection.converse(_each(chunks(buffer, self._sample_rate)), collect)
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=connection.session_id,
            alternatives=[_joined(finals, code)],
        )

    def _language_code(self, language: NotGivenOr[str]) -> LanguageCode:
        return LanguageCode(language) if utils.is_given(language) else self._language

    def _dialler(self, conn_options: APIConnectOptions, *, partials: bool) -> Dialler:
        def dial(language: LanguageCode, resume: Message | None) -> AbstractAsyncContextManager[Connection]:
            config = {**self._config, "lang_code": language.language, "partial_results": partials}
            return _wire.connect(self._line, config, conn_options.timeout, resume)

        return dial


class WhisperStream(stt.RecognizeStream):
    """One stream of audio; a lost connection is made again and hears what was not transcribed yet."""

    def __init__(
        self,
        whisper: WhisperSTT,
        connect: Dialler,
        language: LanguageCode,
        sample_rate: int,
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(stt=whisper, conn_options=conn_options, sample_rate=sample_rate)
        self._connect = connect
        self._sample_rate = sample_rate
        self._backlog = Backlog(sample_rate)
        self._events = Events(language)
        self._language = language
        self._restarting = False
        self._restart_at = 0
        self._session_id: str | None = None
        self._last_segment: str | None = None
        self._told: set[str] = set()
        """The session's segments that were answered."""
        self._base = 0
        self._attempted = False
        self._retry_after_s = 0.0

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Push audio to be recognised; several channels are mixed into one."""
        if self._events.began is None:
            self._events.began = time.time() - frame.duration
        super().push_frame(mono(frame))

    async def _run(self) -> None:
        if not self._attempted:
            # LiveKit moves the offset at each retry, for services that count from the connection; we count samples.
            self._events.offset = self.start_time_offset
            self._attempted = True
        await asyncio.sleep(self._retry_after_s)
        self._retry_after_s = 0.0
        try:
            while not await self._converse():
                self._session_id = None
                if not self._restarting:
                    # The service ended an idle session. The next begins when there is something to hear.
                    self._take(await self._next_frame())
                self._restarting = False
        except utils.aio.ChanClosed:
            pass
        except APIStatusError as error:
            # LiveKit decides whether it tries again; when, is the service's to say.
            self._retry_after_s = retry_after_s(error)
            raise
        self._emit(self._events.finish())

    def restart(self, language: LanguageCode | None) -> None:
        """Go on in a new session, with the options of now, from the next frame on."""
        self._language = language or self._language
        self._restarting = True

    async def _next_frame(self) -> rtc.AudioFrame:
        while True:
            item = await self._input_ch.recv()
            if isinstance(item, rtc.AudioFrame):
                return item

    async def _converse(self) -> bool:
        """One session; returns whether it ended because the input did."""
        dialled = time.perf_counter()
        resume = {"session_id": self._session_id, "last_segment_id": self._last_segment} if self._session_id else None
        async with self._connect(self._language, resume) as connection:
            self._acquired(time.perf_counter() - dialled)
            backlog = self._begin(connection)
            ended = await connection.converse(self._parts(backlog), self._receive)
        if ended and self._restarting:
            self._backlog.confirm(self._restart_at)
            return False
        return ended

    def _begin(self, connection: Connection) -> list[Part]:
        """Take up a session; returns what it has to hear first."""
        resumed = connection.resumed_ms is not None
        received = round((connection.resumed_ms or 0) * self._sample_rate / 1000)
        start, backlog = self._backlog.replay(self._base + received if resumed else 0)
        self._base = start - received
        if not resumed:
            self._told, self._last_segment = set(), None
        self._session_id = connection.session_id
        self._events.language = self._language
        self._events.begin(connection.session_id, self._base / self._sample_rate, resumed=resumed)
        return backlog

    def _acquired(self, seconds: float) -> None:
        if report := getattr(self, "_report_connection_acquired", None):  # older versions of LiveKit have none
            report(seconds, False)

    async def _parts(self, backlog: list[Part]) -> AsyncGenerator[Part]:
        for part in backlog:
            yield part
        async for item in self._input_ch:
            self._restart_at = self._backlog.end
            parts = self._take(item)
            if self._restarting:
                return  # the next session begins with them
            for part in parts:
                yield part

    def _take(self, item: rtc.AudioFrame | stt.RecognizeStream._FlushSentinel) -> list[Part]:
        if isinstance(item, rtc.AudioFrame):
            return self._backlog.push(item.data.tobytes(), speaking=self._events.speaking)
        return self._backlog.flush(uuid.uuid4().hex)

    def _receive(self, message: Message) -> None:
        if message.get("type") in ("final_transcript", "error"):
            if message["segment_id"] in self._told:
                return  # told to the connection that was lost, too
            self._told.add(message["segment_id"])
            self._last_segment = message["segment_id"]
            flush_id = message.get("flush_id")
            if flush_id and not self._backlog.answered(flush_id) and not message.get("text"):
                return  # a flush that was sent twice has its answer
        self._emit(self._events.of(message))
        if message.get("type") == "final_transcript":
            end_ms = message["audio_start_ms"] + message["audio_duration_ms"]
            self._backlog.confirm(self._base + round(end_ms * self._sample_rate / 1000))

    def _emit(self, events: list[stt.SpeechEvent]) -> None:
        for event in events:
            self._event_ch.send_nowait(event)


async def _each(parts: Iterable[bytes]) -> AsyncGenerator[bytes]:
    for part in parts:
        yield part


def _joined(finals: list[stt.SpeechData], language: LanguageCode) -> stt.SpeechData:
    if not finals:
        return stt.SpeechData(language=language, text="")
    return stt.SpeechData(
        language=language,
        text=" ".join(final.text for final in finals if final.text),
        start_time=finals[0].start_time,
        end_time=finals[-1].end_time,
        confidence=sum(final.confidence for final in finals) / len(finals),
        words=[word for final in finals for word in final.words or []] or None,
    )
