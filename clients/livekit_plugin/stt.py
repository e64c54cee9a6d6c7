"""`WhisperSTT` and its streams."""

import asyncio
import functools
import os
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
from livekit import rtc
from livekit.agents import APIConnectOptions, APIStatusError, LanguageCode, stt, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer

from clients.livekit_plugin import _wire
from clients.livekit_plugin._audio import Backlog, chunks, mono
from clients.livekit_plugin._events import Events
from clients.livekit_plugin._wire import Connection, Message, Server, retry_after_s

Dialler = Callable[[], AbstractAsyncContextManager[Connection]]


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
        """`api_key` is `STT_API_KEY` of the environment, `vad_threshold` the service's own when left out.

        A `http_session` given stays the caller's to close.
        """
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True,
                interim_results=interim_results,
                aligned_transcript="word" if word_timestamps else "chunk",
            )
        )
        self._server = Server(service_url, os.environ.get("STT_API_KEY", "") if api_key is None else api_key)
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
        self._http_session = http_session
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
        code = self._language_code(language)
        connect = self._dialler(code, conn_options, partials=self.capabilities.interim_results)
        stream = WhisperStream(self, connect, code, self._sample_rate, conn_options)
        self._streams.add(stream)
        return stream

    async def aclose(self) -> None:
        """Close every stream."""
        for stream in list(self._streams):
            await stream.aclose()

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

        async with self._dialler(code, conn_options, partials=False)() as connection:
            await connection.converse(_each(chunks(buffer, self._sample_rate)), collect)
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=connection.session_id,
            alternatives=[_joined(finals, code)],
        )

    def _language_code(self, language: NotGivenOr[str]) -> LanguageCode:
        return LanguageCode(language) if utils.is_given(language) else self._language

    def _dialler(self, language: LanguageCode, conn_options: APIConnectOptions, *, partials: bool) -> Dialler:
        http = self._http_session or utils.http_context.http_session()
        config = {**self._config, "lang_code": language.language, "partial_results": partials}
        return functools.partial(_wire.connect, http, self._server, config, conn_options.timeout)


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
                # The service ended an idle session. The next begins when there is something to hear.
                self._take(await self._next_frame())
        except utils.aio.ChanClosed:
            pass
        except APIStatusError as error:
            # LiveKit decides whether it tries again; when, is the service's to say.
            self._retry_after_s = retry_after_s(error)
            raise
        self._emit(self._events.finish())

    async def _next_frame(self) -> rtc.AudioFrame:
        while True:
            item = await self._input_ch.recv()
            if isinstance(item, rtc.AudioFrame):
                return item

    async def _converse(self) -> bool:
        """One session; returns whether it ended because the input did."""
        dialled = time.perf_counter()
        async with self._connect() as connection:
            self._report_connection_acquired(time.perf_counter() - dialled, False)
            self._base, backlog = self._backlog.replay()
            self._events.begin(connection.session_id, self._base / self._sample_rate)
            return await connection.converse(self._parts(backlog), self._receive)

    async def _parts(self, backlog: list[bytes]) -> AsyncGenerator[bytes]:
        for part in backlog:
            yield part
        async for item in self._input_ch:
            for part in self._take(item):
                yield part

    def _take(self, item: rtc.AudioFrame | stt.RecognizeStream._FlushSentinel) -> list[bytes]:
        if isinstance(item, rtc.AudioFrame):
            return self._backlog.push(item.data.tobytes(), speaking=self._events.speaking)
        return self._backlog.flush()

    def _receive(self, message: Message) -> None:
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
