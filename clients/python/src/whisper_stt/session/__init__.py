"""The client's half of the protocol, without I/O, asyncio or clock: what a client needs with any WebSocket library.

`Session` is the state machine; `Retries` says when a lost connection is made again. The Python library and the LiveKit
plugin are shells around them. The plugin has this folder as `_session`, so imports in it are relative, and it needs
nothing but msgspec.
"""

from .errors import (
    ConnectError,
    EndedError,
    ProtocolError,
    RefusedError,
    TimedOutError,
    WhisperSttError,
)
from .messages import (
    Answer,
    Config,
    Configured,
    Event,
    FinalTranscript,
    Metadata,
    PartialTranscript,
    ServerError,
    SessionStarted,
    VadEvent,
)
from .retries import Retries
from .session import Frame, Happening, Session, Wait

__all__ = [
    "Answer",
    "Config",
    "Configured",
    "ConnectError",
    "EndedError",
    "Event",
    "FinalTranscript",
    "Frame",
    "Happening",
    "Metadata",
    "PartialTranscript",
    "ProtocolError",
    "RefusedError",
    "Retries",
    "ServerError",
    "Session",
    "SessionStarted",
    "TimedOutError",
    "VadEvent",
    "Wait",
    "WhisperSttError",
]
