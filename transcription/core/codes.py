"""What an `error` is about, why a session ended, and what a connection is closed with."""

from enum import IntEnum, StrEnum


class ErrorCode(StrEnum):
    """What an `error` message says went wrong."""

    INVALID_MESSAGE = "INVALID_MESSAGE"
    """The client sent something the protocol does not allow here."""
    SESSION_EXISTS = "SESSION_EXISTS"
    """The `session_id` is live somewhere in the cluster, or this connection has started already."""
    MAX_SESSIONS_REACHED = "MAX_SESSIONS_REACHED"
    """The cluster has `STT_MAX_SESSIONS` sessions, or the API key all of its own."""
    QUEUE_FULL = "QUEUE_FULL"
    """`STT_MAX_QUEUE_DEPTH` jobs wait or run; or the segment named in `segment_id` has waited too long for its turn."""
    QUEUE_CONGESTION = "QUEUE_CONGESTION"
    """No new session now: a final would take longer than allowed, no worker is ready, Redis is full or away, or the web
    process stops."""
    UNAUTHORIZED = "UNAUTHORIZED"
    """The API key was revoked or has expired since the handshake."""
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    """The API key has used its minutes of the day."""
    INFERENCE_ERROR = "INFERENCE_ERROR"
    """The segment named in `segment_id` could not be transcribed."""
    INTERNAL_ERROR = "INTERNAL_ERROR"
    """A fault of the server; the log has the rest."""


class EndReason(StrEnum):
    """Why a session ended: `reason` of `session_ended`, and of the session's record."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    ERROR = "error"
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    """Never sent (nobody is there to read it), but recorded."""
    RESUMED = "resumed"
    """Never sent: another connection went on with the session; recorded of what this one had of it."""


class CloseCode(IntEnum):
    """WebSocket close codes the server uses (RFC 6455, 7.4)."""

    NORMAL = 1000
    """After `session_ended`."""
    POLICY_VIOLATION = 1008
    """No `start_session` in time, or the API key is no good any more."""
    MESSAGE_TOO_BIG = 1009
    """A message longer than the transport takes."""
    INTERNAL_ERROR = 1011
    """After an `INTERNAL_ERROR`."""
    SERVICE_RESTART = 1012
    """The process is being stopped."""
    TRY_AGAIN_LATER = 1013
    """The client does not read."""
