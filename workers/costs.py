"""What decodes cost the model, learnt from those done: moving averages, and a line through batch size and audio length.

The line is least squares over a window that forgets (weights fall by `FORGET` a batch). Batches that are all alike
cannot tell what another size would cost; until others are seen an assumption, weighing half a batch, decides that.
"""

import math
import threading

import numpy as np

from transcription.core.cluster import Cost

SMOOTHING = 0.2
"""Weight of the newest decode in the moving averages."""
FORGET = 0.95
ASSUMED_WEIGHT = 0.5
DOUBLE_REQUESTS, DOUBLE_AUDIO = 1.6, 1.3
"""What a batch is assumed to cost with twice the requests, and with twice the audio, until one is seen."""


class Average:
    """An exponential moving average that begins with its first value."""

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, value: float, weight: float = SMOOTHING) -> None:
        """Let a value in."""
        self.value += (weight if self.value else 1.0) * (value - self.value)


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
    """The cost of one kind of decode; safe to use from any thread."""

    def __init__(self) -> None:
        self.average_ms = Average()
        self._audio_s = Average()
        self._requests = Average()
        self._squares = np.zeros((3, 3))
        self._products = np.zeros(3)
        self._lock = threading.Lock()

    def add(self, cost_ms: float, requests: int, audio_s: float) -> None:
        """Learn from one request of a batch of `requests`, whose whole decode took `cost_ms`.

        Its neighbours' audio is taken to be as long; each request counts as its share of the batch.
        """
        row = np.array([1.0, requests, requests * audio_s])
        kept = FORGET ** (1 / requests)
        with self._lock:
            self.average_ms.add(cost_ms)
            self._audio_s.add(audio_s)
            self._requests.add(requests)
            self._squares = kept * self._squares + np.outer(row, row) / requests
            self._products = kept * self._products + row * cost_ms / requests

    def cost(self) -> Cost:
        """The line as it is now; no coefficient is negative."""
        with self._lock:
            squares, products = self._squares.copy(), self._products.copy()
            mean_ms, audio_s, requests = self.average_ms.value, self._audio_s.value, self._requests.value
        if not mean_ms:
            return Cost()
        usual = np.array([1.0, requests, requests * audio_s])
        for factors, times in (([1, 2, 2], DOUBLE_REQUESTS), ([1, 1, 2], DOUBLE_AUDIO)):
            row = usual * factors
            squares += ASSUMED_WEIGHT * np.outer(row, row)
            products += ASSUMED_WEIGHT * row * mean_ms * times
        base_ms, request_ms, audio_ms = _non_negative(squares, products)
        return Cost(base_ms=base_ms, request_ms=request_ms, audio_ms=audio_ms, audio_s=audio_s)


def _non_negative(squares: np.ndarray, products: np.ndarray) -> list[float]:
    """Least squares by the normal equations; what comes out negative is zero, and the rest is solved again."""
    left = list(range(len(products)))
    while left:
        solution = np.linalg.lstsq(squares[np.ix_(left, left)], products[left], rcond=None)[0]
        if solution.min() >= 0:
            break
        left.pop(int(solution.argmin()))
    found = np.zeros(len(products))
    if left:
        found[left] = solution
    return [round(float(value), 3) for value in found]
