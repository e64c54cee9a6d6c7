"""How often a client is told that what it sends is wrong: each time at first, then only so often."""

BURST = 20
A_SECOND = 2.0


class Complaints:
    """A token bucket: `BURST` at once, `A_SECOND` from then on. Who errs with every frame gets no flood back."""

    def __init__(self, now: float) -> None:
        self._left = float(BURST)
        self._at = now

    def allow(self, now: float) -> bool:
        """Whether another complaint may be told now; if so it is counted."""
        self._left = min(self._left + (now - self._at) * A_SECOND, BURST)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
