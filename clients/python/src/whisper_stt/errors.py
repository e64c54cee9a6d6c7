"""What can go wrong. No message ever holds the API key, nor a password of a URL."""

from whisper_stt.session.errors import (
    ConnectError,
    EndedError,
    NobodyListensError,
    OptionError,
    ProtocolError,
    RefusedError,
    TimedOutError,
    WhisperSttError,
)
from whisper_stt.session.words import _

__all__ = [
    "ConnectError",
    "EndedError",
    "NobodyListensError",
    "OptionError",
    "ProtocolError",
    "RefusedError",
    "SegmentsLostError",
    "TimedOutError",
    "WhisperSttError",
]


class SegmentsLostError(WhisperSttError):
    """Some segments have no transcript; what there is, is in `transcript`."""

    def __init__(self, transcript: object, failed: int) -> None:
        super().__init__(_("{count} segment(s) could not be transcribed").format(count=failed))
        self.transcript = transcript
