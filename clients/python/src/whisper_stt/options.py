"""How a stream is asked for."""

import os
from collections.abc import Sequence
from typing import Literal

from whisper_stt.errors import OptionError
from whisper_stt.session import Config, Metadata
from whisper_stt.session.address import Address
from whisper_stt.session.messages import TurnMode, texts
from whisper_stt.session.pace import DEFAULT_SPEED
from whisper_stt.session.words import _
from whisper_stt.stream import Stream

DEFAULT_URL = "ws://localhost:8000/ws/stt"


def connect(
    url: str | None = None,
    *,
    language: str | None = None,
    sample_rate: int = 16_000,
    encoding: str | None = None,
    vad: bool = True,
    vad_threshold: float | None = None,
    partials: bool = True,
    words: bool = True,
    text_format: Literal["pt-BR", "off"] | None = None,
    redact: Sequence[str] = (),
    turn_mode: TurnMode | None = None,
    min_silence_ms: int | None = None,
    max_hold_ms: int | None = None,
    keyterms: Sequence[str] = (),
    external_id: str | None = None,
    tags: Sequence[str] = (),
    languages: Sequence[str] = (),
    channels: int = 1,
    channel_names: Sequence[str] = (),
    api_key: str | None = None,
    speed: float = DEFAULT_SPEED,
    retry_s: float = 30.0,
    timeout_s: float = 10.0,
) -> Stream:
    """A stream to the service, to be entered with `async with`.

    Args:
        url: the service's WebSocket; that of `STT_URL`, or this machine's, when left out.
        language: what is spoken, such as `pt` or `pt-BR`, or `auto` for the service to find out; the service's own when
            left out.
        sample_rate: samples a second of the audio that is sent, 8000 to 48000.
        encoding: of that audio: `pcm_s16le`, 16-bit little-endian, when left out; `mulaw` or `alaw` for G.711.
        vad: whether the service finds utterances by itself; without, one ends with `flush` or after its maximum.
        vad_threshold: speech probability from which audio counts as speech, 0 to 1; the service's own when left out.
        partials: whether `PartialTranscript` events are wanted.
        words: whether finals have their `words`.
        text_format: `pt-BR` for finals with `text_formatted` and `entities` too; the service's own when left out.
        redact: what is kept out of transcripts and records besides what the service redacts anyway: some of `cpf`,
            `card`, `phone`, `email`.
        turn_mode: `auto`, `dictation` or `short` for utterances that end by what was said, too, `fixed` for silence
            alone; the service's own when left out.
        min_silence_ms: silence that ends an utterance (ms); the service's own when left out.
        max_hold_ms: silence that ends an utterance of which something is missing (ms); the service's own when left out.
        keyterms: names and products that may be said, as they are written: up to 100, of up to 50 characters each.
        external_id: what the call is named elsewhere, for the operator to find it by: up to 128 characters. The service
            keeps it in the session's record.
        tags: up to 16 words to find it by, of up to 64 characters.
        languages: those that the language may be, with `auto`; the service's own when left out.
        channels: 2 for a sample of each of two talkers in turn, each heard by itself.
        channel_names: who they are, for the service's records.
        api_key: sent as a bearer token; that of `STT_API_KEY` when left out.
        speed: how many times faster than real time audio that exists already goes out, at most.
        retry_s: how long a lost connection is tried again (s).
        timeout_s: how long a handshake may take, and then the session's start (s each).

    Raises `OptionError` for a URL, a key or a proxy that is none, a text in place of a list, and a speed that is none.
    """
    if not speed > 0:
        raise OptionError(_("speed: expected a number above 0, got {given}").format(given=speed))
    config = Config(
        sample_rate=sample_rate,
        encoding=encoding,
        vad_enabled=vad,
        partial_results=partials,
        word_timestamps=words,
        lang_code=language,
        vad_threshold=vad_threshold,
        format=text_format,
        redact=texts("redact", redact),
        turn_mode=turn_mode,
        min_silence_ms=min_silence_ms,
        max_hold_ms=max_hold_ms,
        keyterms=texts("keyterms", keyterms),
        languages=texts("languages", languages),
        channels=channels,
        channel_names=texts("channel_names", channel_names),
    )
    return Stream(
        address(url, api_key),
        config,
        metadata=Metadata(external_id=external_id, tags=texts("tags", tags) or ()) if external_id or tags else None,
        speed=speed,
        retry_s=retry_s,
        timeout_s=timeout_s,
    )


def address(url: str | None = None, api_key: str | None = None) -> Address:
    """Where the service is; `STT_URL`, `STT_API_KEY` and this machine stand in for what is left out."""
    return Address(url or os.environ.get("STT_URL") or DEFAULT_URL, api_key or os.environ.get("STT_API_KEY"))
