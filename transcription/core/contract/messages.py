"""What goes over the channel layer: to a session's group, to a watcher's channel.

A watcher asks all sessions at once, over the group that each is in, and each answers to the watcher's own channel.
While nobody watches nothing is sent. Old and new processes talk to each other while a deployment rolls: types and
fields are only ever added.
"""

from typing import Any, Final, Literal, TypedDict

import msgspec

RESULT_TYPE: Final = "stt.result"
CANCEL_TYPE: Final = "session.cancel"
SUPERSEDED_TYPE: Final = "session.superseded"
OBSERVE_TYPE: Final = "session.observe"
REPORT_TYPE: Final = "session.report"

MAX_SHOWN = 500
"""Characters of a session's last text that a report carries, from its end."""


class ResultMessage(TypedDict):
    """A worker's answer, to its session's group."""

    type: Literal["stt.result"]
    payload: bytes
    """See `jobs.decode_result`."""


class CancelMessage(TypedDict):
    """An operator ends a session."""

    type: Literal["session.cancel"]


class SupersededMessage(TypedDict):
    """Another connection goes on with the session, under another uid."""

    type: Literal["session.superseded"]


class ObserveMessage(TypedDict):
    """Somebody watches, to the group that all sessions are in."""

    type: Literal["session.observe"]
    to: str
    """The watcher's channel."""
    text: bool
    """Whether the watcher may see what is said."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A live session at one moment."""

    uid: str
    session_id: str
    client: str
    language: str
    talking: bool
    audio_ms: float
    segments: int
    text: str | None
    """The text its client was last sent, its end; `None` for a watcher who may not see it."""


class ReportMessage(TypedDict):
    """A session's answer to a watcher."""

    type: Literal["session.report"]
    report: dict[str, Any]
    """A `Report` as built-in types."""
