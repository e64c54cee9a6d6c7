"""When a lost or refused connection is made again."""

from .errors import ConnectError, RefusedError, WhisperSttError

FIRST_PAUSE_S, LAST_PAUSE_S = 0.2, 5.0
"""Pauses double from the first to the last: a process that was replaced is back at once, a service that is down is not
hammered."""
STEADY_S = 11.0
"""A session that lived so long, longer than it takes to open one (10 s), was a good one."""


class Retries:
    """One stream's attempts. Those in a row without a good session may take `patience_s` in all."""

    def __init__(self, patience_s: float, now: float) -> None:
        self._patience_s = patience_s
        self._until = now + patience_s
        self._pause = FIRST_PAUSE_S
        self._opened_at: float | None = None
        self._ever_opened = False
        self._answered = False

    def opened(self, now: float) -> None:
        """A session was opened or resumed."""
        self._opened_at, self._ever_opened = now, True

    def answered(self) -> None:
        """A segment has its answer."""
        self._answered = True

    def lost(self, error: WhisperSttError, now: float, chance: float) -> float | None:
        """Seconds until the next attempt; `None` when this one's error is the last word.

        `chance`, from 0 to 1, spreads clients that were lost together.
        """
        if not self._worth_another(error):
            return None
        if self._answered or (self._opened_at is not None and now - self._opened_at > STEADY_S):
            self._until, self._pause = now + self._patience_s, FIRST_PAUSE_S
        self._opened_at, self._answered = None, False
        asked = error.retry_after_s if isinstance(error, RefusedError) else 0.0
        wait = max(asked, self._pause * (1 + chance) / 2)
        self._pause = min(self._pause * 2, LAST_PAUSE_S)
        return wait if now + wait <= self._until else None

    def _worth_another(self, error: WhisperSttError) -> bool:
        match error:
            case RefusedError():
                return error.transient
            case ConnectError():
                return self._ever_opened  # who never reached a service has its address wrong, more likely than not
        return False
