"""How operators reach live sessions over the channel layer: what they ask, what a session answers.

A watcher asks all sessions at once, over the group that each is in, and each answers to the watcher's own channel.
While nobody watches nothing is sent.
"""

import msgspec

SESSIONS_GROUP = "stt.sessions"
"""Channel-layer group of every live session."""
OBSERVE_TYPE = "session.observe"
"""To the group: `to` (the watcher's channel), `text` (whether it may see what is said)."""
CANCEL_TYPE = "session.cancel"
"""To one session's group: end it now."""
REPORT_TYPE = "session.report"
"""A session's answer to a watcher."""

MAX_SHOWN = 500
"""How much of the running text a report carries (characters, the last ones)."""


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
    """What it last said; `None` for a watcher who may not know."""
