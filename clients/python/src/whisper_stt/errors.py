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
        super().__init__(f"{failed} segment(s) could not be transcribed")
        self.transcript = transcript
