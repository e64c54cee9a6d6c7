"""How much audio has not come that should have: what a client that sends less than it hears leaves out.

Time passes, and audio pays for it. Frames without audio pay nothing, however often they come, and the odd comfort noise
frame of a sender that suppresses silence pays for little. Audio that is late, or comes at a bit less than its own pace,
pays several times its length, so that nothing adds up; audio that comes ahead, in large pieces or in bursts, is credit.
"""

import math

MOST_PASSED_S = 1.0
"""A tick that comes later counts for no more: the event loop was busy, and frames may lie in the socket."""
PAYS = 3.0
"""Seconds that a second of audio pays for: a sender at a third of the pace, or faster, is never taken for silent."""
CREDIT_S = 1.5
"""Of audio that came ahead; a single frame that is longer is credit as it is."""
CREDIT_LASTS_S = 10.0
"""Within it two thirds are forgotten: what a client had recorded before it connected says nothing of later."""
FLOOD = 200
"""Frames between two looks, half a second apart: nobody speaks in frames so small. They are read as fast as they can
be, and more of them wait."""


class MissingAudio:
    """Seconds of it, by the clock."""

    def __init__(self, now: float) -> None:
        self._missing_s = 0.0
        """Less than 0 is credit."""
        self._most_credit_s = CREDIT_S
        self._looked_at = now
        self._frames = 0
        """Since then."""

    def hear(self, seconds: float) -> None:
        """So much audio has come, in one frame."""
        self._frames += 1
        self._most_credit_s = max(CREDIT_S, seconds)
        if self._missing_s > 0:
            self._missing_s = max(self._missing_s - PAYS * seconds, -seconds)
        else:
            self._missing_s = max(self._missing_s - seconds, -self._most_credit_s)

    def look(self, now: float, *, wanted: bool) -> float:
        """How much is missing by now; where none is `wanted`, as nobody speaks or nothing is read, none is."""
        passed_s, self._looked_at = min(now - self._looked_at, MOST_PASSED_S), now
        if self._missing_s < 0:
            self._missing_s *= math.exp(-passed_s / CREDIT_LASTS_S)
        self._missing_s += passed_s
        frames, self._frames = self._frames, 0
        if not wanted or frames > FLOOD:
            self._missing_s = min(self._missing_s, 0.0)
        return self._missing_s
