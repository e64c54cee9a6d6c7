"""How likely a turn is over, found out beside its text; the text does not wait long for it."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from workers import metrics

logger = logging.getLogger(__name__)

TurnModel = Callable[[NDArray[np.float32]], float]
"""Samples at 16 kHz, -1 to 1, into the probability that their turn is over."""

PATIENCE_S = 0.05
"""How long a text that is ready waits for the judgement."""


class TurnJudge:
    """Asks the model in threads of its own."""

    def __init__(self, model: TurnModel, threads: int) -> None:
        self._model = model
        self._pool = ThreadPoolExecutor(threads, "turn")

    def ask(self, audio: NDArray[np.float32]) -> "Future[float | None]":
        """Begin with a judgement."""
        return self._pool.submit(self._judge, audio)

    def _judge(self, audio: NDArray[np.float32]) -> float | None:
        began = time.perf_counter()
        try:
            probability = self._model(audio)
        except Exception:
            logger.exception("A turn could not be judged")
            metrics.turns_total.labels("failed").inc()
            return None
        metrics.turn_seconds.observe(time.perf_counter() - began)
        return probability


def answered(asked: "Future[float | None] | None") -> float | None:
    """The judgement, if one was asked for and is there nearly as soon as the text; else `None`."""
    if asked is None:
        return None
    try:
        probability = asked.result(PATIENCE_S)
    except TimeoutError:
        asked.cancel()
        metrics.turns_total.labels("late").inc()
        return None
    if probability is not None:
        metrics.turns_total.labels("judged").inc()
    return probability
