"""What decodes cost the model, learnt from those done: a typical value, and a line through batch size and audio length.

Both look at the last `KEPT` of them, the newest weighing most, and take what lies far from the rest for what it is: a
machine that was paged out, a text that looped. Huber's weights (Annals of Mathematical Statistics 35, 1964) pull such
decodes in, Tukey's biweight (Beaton and Tukey, Technometrics 16, 1974) then leaves them out; a speed that has really
changed is the usual once it has most of the weight. Time forgets too: after an hour's rest the first decodes count for
more than all before.

Batches that are all alike cannot tell what another size would cost; until others are seen an assumption, weighing half
a batch, decides that.
"""

import math
import threading
from collections import deque

import numpy as np

from transcription.core.contract.heartbeat import Cost
from workers.fitting import Floats, non_negative

KEPT = 128
FORGET = 0.95
"""Weight of a decode against the one after it: the last 20 have two thirds of it all."""
FORGET_S = 300.0
"""Weight of a decode against one so much later (seconds): a third."""
PULLED_IN, LEFT_OUT = 1.345, 4.685
"""Standard deviations from which Huber's and Tukey's weights do so: 5 % of precision is lost where none is far off."""
MAD_TO_SIGMA = 1.4826
LEAST_SPREAD = 0.05
"""Of the value itself: what differs by less is no different."""
ROUNDS = ("huber", "huber", "huber", "tukey", "tukey")
"""Of fitting and weighing; more change nothing that matters."""
ASSUMED_WEIGHT = 0.5
DOUBLE_REQUESTS, DOUBLE_AUDIO = 1.6, 1.3
"""What a batch is assumed to cost with twice the requests, and with twice the audio, until one is seen: on two cores
`base` takes 1.5 to 1.7 times, and 1.2 to 1.4 (docs/performance.md)."""


class Recent:
    """The last values of one thing, each with a time (s, on any clock); safe to use from any thread."""

    def __init__(self, columns: int) -> None:
        self._rows: deque[tuple[float, ...]] = deque(maxlen=KEPT)
        self._columns = columns
        self._lock = threading.Lock()

    def add(self, now: float, share: float, *values: float) -> None:
        """Let values in, with a time and the share of one decode that they are."""
        with self._lock:
            self._rows.append((now, share, *values))

    def read(self) -> tuple[Floats, Floats]:
        """Weights, and values in `columns` columns."""
        with self._lock:
            rows = np.array(self._rows).reshape(-1, 2 + self._columns)
        if not len(rows):
            return np.zeros(0), np.zeros((0, self._columns))
        at, share = rows[:, 0], rows[:, 1]
        newer = share[::-1].cumsum()[::-1] - share
        return share * FORGET**newer * np.exp((at - at[-1]) / FORGET_S), rows[:, 2:]


class Typical:
    """What a value usually is."""

    def __init__(self) -> None:
        self._recent = Recent(1)

    def add(self, value: float, now: float) -> None:
        """Let a value in; `now` in seconds."""
        self._recent.add(now, 1.0, value)

    @property
    def value(self) -> float:
        """Their mean, those far off the rest pulled in; 0 of none."""
        weights, values = self._recent.read()
        return _centre(weights, values[:, 0])


class Rate:
    """Events a second, those of `window_s` ago weighing a third."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._rate = 0.0
        self._at = 0.0

    def add(self, now: float) -> None:
        """Something happened."""
        self._rate, self._at = self.at(now) + 1 / self._window_s, now

    def at(self, now: float) -> float:
        """The rate now."""
        return self._rate * math.exp((self._at - now) / self._window_s)


class CostFit:
    """The cost of one kind of decode."""

    def __init__(self) -> None:
        self._recent = Recent(3)

    def add(self, cost_ms: float, requests: int, audio_s: float, now: float) -> None:
        """Learn from one request of a batch of `requests`, whose whole decode took `cost_ms` and ended at `now` (s).

        Its neighbours' audio is taken to be as long; each request counts as its share of the batch.
        """
        self._recent.add(now, 1 / requests, cost_ms, requests, audio_s)

    @property
    def average_ms(self) -> float:
        """What a decode usually takes, batches as they come; 0 before the first."""
        weights, values = self._recent.read()
        return _centre(weights, values[:, 0])

    def cost(self) -> Cost:
        """The line as it is now; no coefficient is negative."""
        weights, values = self._recent.read()
        if not len(weights):
            return Cost()
        cost_ms, requests, audio_s = values.T
        usual = np.array([1.0, *(np.average(values[:, 1:], axis=0, weights=weights))])
        usual[2] *= usual[1]
        rows = np.column_stack([np.ones_like(cost_ms), requests, requests * audio_s])
        found, off = np.zeros(3), cost_ms - _median(weights, cost_ms)
        for how in ROUNDS:
            trusted = weights * _trust(how, off, weights, cost_ms)
            squares, products = (rows.T * trusted) @ rows, (rows.T * trusted) @ cost_ms
            mean_ms = float(np.average(cost_ms, weights=trusted))
            for factors, times in (([1, 2, 2], DOUBLE_REQUESTS), ([1, 1, 2], DOUBLE_AUDIO)):
                row = usual * factors
                squares += ASSUMED_WEIGHT * np.outer(row, row)
                products += ASSUMED_WEIGHT * row * mean_ms * times
            found = non_negative(squares, products)
            off = cost_ms - rows @ found
        base_ms, request_ms, audio_ms = (round(float(value), 3) for value in found)
        return Cost(base_ms=base_ms, request_ms=request_ms, audio_ms=audio_ms, audio_s=float(usual[2] / usual[1]))


def _centre(weights: Floats, values: Floats) -> float:
    if not len(values):
        return 0.0
    centre = _median(weights, values)
    for how in ROUNDS:
        centre = float(np.average(values, weights=weights * _trust(how, values - centre, weights, values)))
    return centre


def _trust(how: str, off: Floats, weights: Floats, values: Floats) -> Floats:
    """From 1 for what is as the rest is down to 0."""
    spread = max(MAD_TO_SIGMA * _median(weights, np.abs(off)), LEAST_SPREAD * _median(weights, np.abs(values)))
    if not spread:
        return np.ones_like(off)
    far = np.abs(off) / spread
    return PULLED_IN / np.maximum(far, PULLED_IN) if how == "huber" else (1 - np.minimum(far / LEFT_OUT, 1) ** 2) ** 2


def _median(weights: Floats, values: Floats) -> float:
    order = np.argsort(values)
    total = weights[order].cumsum()
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
