"""What can go wrong. No message ever holds the API key."""


class WhisperSttError(Exception):
    """Base of this package's errors."""


class ConnectError(WhisperSttError):
    """The service cannot be reached, or the connection was lost and could not be made again in time."""


class ProtocolError(WhisperSttError):
    """The peer says what this client does not understand: not the service, or a fault of one of the two."""


class RefusedError(WhisperSttError):
    """The service refuses: `code` is one of its error codes, or `HTTP 401` and the like."""

    def __init__(self, code: str, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.retry_after_s = (retry_after_ms or 0) / 1000

    @property
    def transient(self) -> bool:
        """Whether another try may be admitted."""
        return self.code in TRANSIENT or self.code.startswith("HTTP 5")


TRANSIENT = {
    "MAX_SESSIONS_REACHED",
    "QUEUE_FULL",
    "QUEUE_CONGESTION",
    "INTERNAL_ERROR",
    "HTTP 408",
    "HTTP 429",
}


class SegmentsLostError(WhisperSttError):
    """Some segments have no transcript; what there is, is in `transcript`."""

    def __init__(self, transcript: object, failed: int) -> None:
        super().__init__(f"{failed} segment(s) could not be transcribed")
        self.transcript = transcript
