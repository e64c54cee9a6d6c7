"""What can go wrong, and what may be tried again. No message ever holds the API key."""

from .words import _, noop

STATUS = {
    "INVALID_MESSAGE": 400,
    "UNAUTHORIZED": 401,
    "QUOTA_EXCEEDED": 403,
    "SESSION_EXISTS": 409,
    "MAX_SESSIONS_REACHED": 429,
    "QUEUE_FULL": 429,
    "INTERNAL_ERROR": 500,
    "QUEUE_CONGESTION": 503,
}
"""The service's error codes (docs/protocol.md, `error`) as the HTTP statuses that say the same."""
ENDED = {"cancelled": noop("An operator of the service cancelled the session")}
"""The reasons of a `session_ended` that nobody asked for after which no other session is tried, in words."""
FINAL_CLOSES = {1008: noop("the client may not go on"), 1009: noop("a message was too long")}
"""The close codes after which nothing is tried again, in words."""
UNKNOWN = 500
"""A code that only a newer service knows. Tries are bounded; giving up cannot be taken back."""


class WhisperSttError(Exception):
    """Base of this package's errors."""

    transcript: object = None
    """Of `transcribe` and `transcribe_file`: what was transcribed before it."""


class OptionError(WhisperSttError, ValueError):
    """An option, or a variable that stands in for one, is not what it has to be; the message says which and why."""


class ConnectError(WhisperSttError):
    """The service cannot be reached, or the connection was lost and could not be made again in time."""


class NobodyListensError(ConnectError):
    """The machine is there, and nothing listens at the address."""


class TimedOutError(ConnectError):
    """The service does not answer in time."""


class ProtocolError(WhisperSttError):
    """The peer says what this client does not understand: not the service, or a fault of one of the two."""


class EndedError(WhisperSttError):
    """The service has ended the session for good: another is not to be tried (docs/protocol.md, "Trying again")."""


class RefusedError(WhisperSttError):
    """The service refuses: `code` is one of its error codes, or `HTTP 401` and the like."""

    def __init__(self, code: str, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms

    @property
    def status(self) -> int:
        """The refusal as an HTTP status."""
        if self.code.startswith("HTTP "):
            return int(self.code.removeprefix("HTTP "))
        return STATUS.get(self.code, UNKNOWN)

    @property
    def transient(self) -> bool:
        """Whether another try may be admitted."""
        return self.status in (408, 429) or self.status >= 500

    @property
    def retry_after_s(self) -> float:
        """How long the service asks to be left alone (s); 0 when it does not say."""
        return (self.retry_after_ms or 0) / 1000


def closed_for_good(code: int | None) -> EndedError | None:
    """What a close code says, when it says that nothing is to be tried again."""
    why = FINAL_CLOSES.get(code) if code else None
    if not why:
        return None
    return EndedError(_("The service closed the connection with {code}: {why}").format(code=code, why=_(why)))
