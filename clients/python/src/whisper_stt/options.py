"""How a stream is asked for."""

import os

from whisper_stt.pace import DEFAULT_SPEED
from whisper_stt.stream import Stream

DEFAULT_URL = "ws://localhost:8000/ws/stt"


def connect(
    url: str | None = None,
    *,
    language: str | None = None,
    sample_rate: int = 16_000,
    vad: bool = True,
    vad_threshold: float | None = None,
    partials: bool = True,
    words: bool = True,
    api_key: str | None = None,
    speed: float = DEFAULT_SPEED,
    retry_s: float = 30.0,
    timeout_s: float = 10.0,
) -> Stream:
    """A stream to the service at `url` (or `STT_URL`, or this machine), to be entered with `async with`.

    Options left out are the service's own. Without `vad`, an utterance ends with `flush` or after the service's
    maximum. `api_key` (or `STT_API_KEY`) is sent as a bearer token. Audio goes out at up to `speed` times real time.
    A lost connection is tried again for `retry_s`; `timeout_s` bounds one attempt.
    """
    config = {
        "lang_code": language,
        "sample_rate": sample_rate,
        "vad_enabled": vad,
        "vad_threshold": vad_threshold,
        "partial_results": partials,
        "word_timestamps": words,
    }
    return Stream(
        url or os.environ.get("STT_URL") or DEFAULT_URL,
        {name: value for name, value in config.items() if value is not None},
        api_key=api_key or os.environ.get("STT_API_KEY"),
        speed=speed,
        retry_s=retry_s,
        timeout_s=timeout_s,
    )
