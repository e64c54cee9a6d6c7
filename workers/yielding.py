"""How a worker's finals of recordings yield to people who speak, and come to their turn all the same.

A decode that has begun cannot be stopped, so it is not begun where somebody would wait for it: while people speak, and
partials come, a recording's final waits for its turn (`RECORDED_TURN_S`), and it leaves a lane free always, if there is
more than one: whoever begins to speak next would wait for it.
"""

import math

from transcription.core.contract.jobs import RECORDED_TURN_S

PAUSE_S = 3.0
"""Without a live job for so long nobody speaks: longer than pauses in a conversation, which a decode would outlast."""
BATCHES = 8
"""What part of the largest batch recordings may fill: one on a CPU, where another in it costs nearly as much again."""


class Yielding:
    """What is known of the work of one worker; times are seconds of one clock."""

    def __init__(self, lanes: int, max_batch: int) -> None:
        self._lanes = max(lanes - 1, 1)
        self.max_batch = max(max_batch // BATCHES, 1)
        """How many recordings' finals may be decoded together."""
        self.most = self._lanes * self.max_batch + 1
        """How many of them are taken in hand: what may be decoded, and the next one."""
        self._live_at = self._recorded_at = -math.inf

    def live(self, now: float) -> None:
        """A job of somebody who speaks has come, or is done."""
        self._live_at = now

    def recorded(self, now: float) -> None:
        """A recording's final is begun with, or done."""
        self._recorded_at = now

    def due(self, now: float) -> bool:
        """Whether one has its turn before partials."""
        return now - self._recorded_at >= RECORDED_TURN_S

    def lanes(self, now: float) -> int:
        """How many lanes may decode them."""
        return self._lanes if now - self._live_at >= PAUSE_S or self.due(now) else 0
