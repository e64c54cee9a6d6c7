"""`WhisperSTT` and its streams."""

import asyncio
import dataclasses
import os
import time
import uuid
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

import aiohttp
from livekit import rtc
from livekit.agents import APIConnectOptions, APIStatusError, LanguageCode, stt, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer
from msgspec import to_builtins
from msgspec.structs import replace

from ._audio import mono, pcm
from ._events import Events
from ._mixing import Mixer
from ._session import Config, Configured, FinalTranscript, Happening, Metadata, ServerError, Session, SessionStarted
from ._session.address import Address
from ._session.messages import texts
from ._wire import Conversation, Line

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
        text_format: Literal["pt-BR", "off"] | None = None,
        redact: Sequence[str] = (),
        keyterms: Sequence[str] = (),
        external_id: str | None = None,
        tags: Sequence[str] = (),
        http_session: aiohttp.ClientSession | None = None,
    ) -> None:
        """Connect nowhere yet; each stream opens a session of its own.

        Args:
            service_url: the service's WebSocket, `ws://…` or `wss://…`.
            api_key: sent as a bearer token with each handshake; that of `STT_API_KEY` when left out.
            language: what is spoken: a code (`pt`, `pt-BR`) or a name (`portuguese`).
            sample_rate: samples a second that are sent, 8000 to 48000; input of another rate is resampled.
            vad_threshold: speech probability from which audio counts as speech, 0 to 1; left out, the service's own.
            interim_results: whether interim and preflight transcripts are wanted.
            word_timestamps: whether finals have words with times.
            text_format: `pt-BR` for `text_formatted` and `entities` in the `metadata` of a stream's finals; left out,
                the service's own.
            redact: what is kept out of transcripts and the service's records besides what the service redacts anyway:
                some of `cpf`, `card`, `phone`, `email`.
            keyterms: names and products that may be said, as they are written: up to 100, of up to 50 characters each.
            external_id: what the call is named elsewhere, for the service's operator to find it by.
            tags: words to find it by.
            http_session: what to connect with, the caller's to close; the job's when left out.

        Raises a `ValueError` for a URL or a key that is none, which quotes neither, and for a text in place of a list.
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
        self._line = Line(Address(service_url, api_key or os.environ.get("STT_API_KEY")), http_session)
        self._language = LanguageCode(language)
        self._config = Config(
            sample_rate=sample_rate,
            vad_enabled=True,  # without it there is no end of speech, and no turn would ever end
            partial_results=interim_results,
            word_timestamps=word_timestamps,
            vad_threshold=vad_threshold,
            format=text_format,
            redact=texts("redact", redact),
            keyterms=texts("keyterms", keyterms),
        )
        self.metadata = (
            Metadata(external_id=external_id, tags=texts("tags", tags) or ()) if external_id or tags else None
        )
        """What the service's operator may find sessions by."""
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
        """Transcribe audio as it is spoken.

        Args:
            language: in place of the plugin's.
            conn_options: how long a session may take to open (`timeout`), and how LiveKit tries again.
        """
        stream = WhisperStream(self, self._line, self._configured, self._language_code(language), conn_options)
        self._streams.add(stream)
        return stream

    def update_options(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        vad_threshold: NotGivenOr[float | None] = NOT_GIVEN,
        keyterms: NotGivenOr[Sequence[str]] = NOT_GIVEN,
    ) -> None:
        """Change options, of open streams too: what they have heard is finalised with the old ones.

        Args:
            language: of all streams, those included that were given one of their own.
            vad_threshold: 0 to 1, or `None` for the service's own.
            keyterms: in place of all that there were.
        """
        if utils.is_given(language):
            self._language = LanguageCode(language)
        if utils.is_given(vad_threshold):
            self._config = replace(self._config, vad_threshold=vad_threshold)
        if utils.is_given(keyterms):
            self._config = replace(self._config, keyterms=texts("keyterms", keyterms))
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

        def collect(said: Happening) -> None:
            match said:
                case FinalTranscript():
                    finals.append(events.transcript(said))
                case ServerError():
                    # What is left would look whole; LiveKit can still try the buffer again.
                    raise APIStatusError(said.message, status_code=500, body=to_builtins(said))

        session = Session(replace(self._configured(code), partial_results=False), metadata=self.metadata)
        for piece in pcm(buffer, self._config.sample_rate):
            session.push(piece)
        session.end()
        conversation = Conversation(self._line, session, collect, conn_options.timeout)
        await conversation.run()
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=conversation.session_id or "",
            alternatives=[_joined(finals, code)],
        )

    def _language_code(self, language: NotGivenOr[str]) -> LanguageCode:
        return LanguageCode(language) if utils.is_given(language) else self._language

    def _configured(self, language: LanguageCode) -> Config:
        return replace(self._config, lang_code=language.language)


class WhisperStream(stt.RecognizeStream):
    """One stream of audio; a lost connection is made again and hears what was not transcribed yet."""

    def __init__(
        self,
        whisper: WhisperSTT,
        line: Line,
        configured: Callable[[LanguageCode], Config],
        language: LanguageCode,
        conn_options: APIConnectOptions,
    ) -> None:
        """Open a session; `WhisperSTT.stream` is the way to get one.

        Args:
            whisper: whose stream it is.
            line: the way to the service.
            configured: the options of now, for a language.
            language: what is spoken.
            conn_options: how long a session may take to open (`timeout`), and how LiveKit tries again.
        """
        config = configured(language)
        super().__init__(stt=whisper, conn_options=conn_options, sample_rate=config.sample_rate)
        self._configured = configured
        self._language = language
        self._session = Session(config, metadata=whisper.metadata)
        self._conversation = Conversation(line, self._session, self._hear, conn_options.timeout)
        self._events = Events(language)
        self._mixer = Mixer()

    @property
    def start_time_offset(self) -> float:
        """Seconds from the start of LiveKit's input to now, when it is set."""
        return super().start_time_offset

    @start_time_offset.setter
    def start_time_offset(self, value: float) -> None:
        # LiveKit moves its own at each retry, for services that count from the connection; ours counts through.
        stt.RecognizeStream.start_time_offset.fset(self, value)  # type: ignore[attr-defined]
        self._events.count_from(value, time.time())

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Push audio to be recognised, as it comes; several channels are mixed into one."""
        super().push_frame(mono(frame, self._mixer))
        self._events.spoken.push(frame.duration, time.time())

    def restart(self, language: LanguageCode | None) -> None:
        """Go on in a new session, with the options of now; what was sent is finalised with the old ones."""
        self._language = language or self._language
        self._session.restart(self._configured(self._language))
        self._conversation.wake()

    async def _run(self) -> None:
        feeding = asyncio.create_task(self._feed())
        talking = asyncio.create_task(self._conversation.run())
        try:
            await asyncio.wait((feeding, talking), return_when=asyncio.FIRST_EXCEPTION)
            if not talking.done():
                feeding.result()
            await talking
        finally:
            feeding.cancel()
            talking.cancel()
            await asyncio.gather(feeding, talking, return_exceptions=True)
        self._emit(self._events.finish())

    async def _feed(self) -> None:
        """Hand over the input; nothing is awaited between taking an item and giving it to the session."""
        async for item in self._input_ch:
            if isinstance(item, rtc.AudioFrame):
                self._session.push(item.data.tobytes())
            elif self._session.needed or not (self._input_ch.closed and self._input_ch.empty()):
                self._session.flush(uuid.uuid4().hex)
            # else: that of `end_input`, while nothing waits for an answer
            self._conversation.wake()
        self._session.end()
        self._conversation.wake()

    def _hear(self, said: Happening) -> None:
        if isinstance(said, Configured):
            return  # LiveKit has no word for it, and nothing here asks
        if not isinstance(said, SessionStarted):
            self._emit(self._events.of(said))
            return
        if report := getattr(self, "_report_connection_acquired", None):  # older versions of LiveKit have none
            report(self._conversation.opening_s, False)
        if not self._session.restarting:
            self._events.language = self._language
        self._events.begin(said.session_id, resumed=said.resumed)

    def _emit(self, events: list[stt.SpeechEvent]) -> None:
        for event in events:
            self._event_ch.send_nowait(event)


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
