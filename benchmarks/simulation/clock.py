"""Simulated time, and what stands in a queue in it."""

import heapq
import itertools
from collections.abc import Callable

MOST_BUSY = 0.99
"""Share of a server's time that what is always there may take: more, and what comes besides would never be served."""


class Clock:
    """Events in the order of their times (s)."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, time_s: float, event: Callable[[], None]) -> None:
        """Let something happen then; what is past happens now. Of two at one time the first asked for is first."""
        heapq.heappush(self._due, (max(time_s, self.now), next(self._numbers), event))

    def after(self, delay_s: float, event: Callable[[], None]) -> None:
        """Let something happen so much later."""
        self.at(self.now + delay_s, event)

    def run(self, until_s: float) -> None:
        """Have all happen that is due by then."""
        while self._due and self._due[0][0] <= until_s:
            self.now, _, event = heapq.heappop(self._due)
            self.events += 1
            event()
        self.now = until_s


class Server:
    """One processor that does one thing at a time, the first that came first, beside work that is always there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free_at = 0.0
        self.always = 0.0
        """Share of its time that goes by without queueing: frames of everybody who is connected."""
        self.busy_s = 0.0
        """In all, of what queued."""

    def serve(self, service_s: float, then: Callable[[], None]) -> None:
        """Do so much work when it is its turn, and go on; what is always there makes it take longer."""
        took_s = service_s / (1 - min(self.always, MOST_BUSY))
        self._free_at = max(self._free_at, self._clock.now) + took_s
        self.busy_s += service_s
        self._clock.at(self._free_at, then)

    def share(self, over_s: float) -> float:
        """Share of so much time that it was busy, all together."""
        return self.busy_s / over_s + self.always
