"""The states of a session's life, each with what is known in it and in no other."""

from dataclasses import dataclass
from enum import Enum, auto

from transcription.core.metadata import NOTHING, Metadata
from transcription.core.protocol import CloseCode, EndReason
from transcription.core.session.channels import Channels
from transcription.core.session.recognition import Recognition


class State(Enum):
    """Where a session is. It only moves down this list, but for a refusal, which leads back to the first."""

    CONNECTED = auto()
    STARTING = auto()
    STREAMING = auto()
    DETACHED = auto()
    """The client is gone and may come back, over another connection."""
    ENDING = auto()
    """No more input; finals are awaited."""
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection without a session yet, or refused one."""

    since: float
    state = State.CONNECTED


@dataclass(frozen=True, slots=True)
class Starting:
    """The client has asked for a session, and admission is asked for its place."""

    session_id: str
    wants_resumed: bool
    """Whether the client said `resume`."""
    last_segment_id: str | None
    metadata: Metadata = NOTHING
    state = State.STARTING


@dataclass(frozen=True, slots=True)
class Live:
    """The session is admitted, until it is over."""

    state: State
    """`STREAMING`, `DETACHED` or `ENDING`."""
    session_id: str
    recognition: Recognition | Channels
    gone_at: float | None = None
    """When the client was lost."""
    reason: EndReason = EndReason.COMPLETED
    close_code: CloseCode = CloseCode.NORMAL


@dataclass(frozen=True, slots=True)
class Ended:
    """Over. What is kept is for questions about the session that was; `None` where there was none."""

    session_id: str | None = None
    recognition: Recognition | Channels | None = None
    state = State.ENDED


Life = Connected | Starting | Live | Ended
