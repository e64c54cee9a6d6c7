"""What the sessions of this process ask the VAD, asked together.

The model's weights are more than a core's own cache holds, so each run reads them anew; a run over the windows of
several sessions reads them once. Where few sessions stream there would be nothing to wait for, and nobody waits.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from transcription.core.session.segmenter import Heard, Hearing, Vad

logger = logging.getLogger(__name__)

GATHER_S = 0.01
"""How long a frame's first window waits for those of other sessions; those after it wait for nothing."""
MANY = 8
"""Sessions from which on windows are gathered: eight have two or three within `GATHER_S`."""
MOST = 32
"""Windows in one run, some 2 ms; more take turns with what else there is to do."""

Asked = tuple[Vad, bytes]
Judge = Callable[[Sequence[tuple[Any, bytes]]], list[float]]
"""Probabilities of a window of each of some streams, in their order; the VADs are all of the judge's own kind."""


class Listening:
    """Who asks the VAD for all sessions; one a process."""

    def __init__(self, judge: Judge, sessions: Callable[[], int]) -> None:
        """`sessions` says how many stream."""
        self._judge, self._sessions = judge, sessions
        self._waiting: list[tuple[Asked, asyncio.Future[float]]] = []
        self._due: asyncio.Handle | None = None
        self._due_at = 0.0
        """On the event loop's clock."""

    async def heard(self, hearing: Hearing[Heard]) -> Heard:
        """What a hearing returns. Raises what it or its VAD raises; others do not notice."""
        gathers, wait_s = self._sessions() >= MANY, GATHER_S
        try:
            vad, window = next(hearing)
            while True:
                vad, window = hearing.send(await self._ask((vad, window), wait_s) if gathers else vad(window))
                wait_s = 0.0
        except StopIteration as over:
            result: Heard = over.value
            return result

    def _ask(self, asked: Asked, wait_s: float) -> "asyncio.Future[float]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[float] = loop.create_future()
        self._waiting.append((asked, answer))
        due_at = loop.time() + wait_s
        if self._due is None or self._due_at > due_at:
            if self._due:
                self._due.cancel()
            self._due, self._due_at = loop.call_later(wait_s, self._answer), due_at
        return answer

    def _answer(self) -> None:
        now, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        self._due, self._due_at = None, 0.0
        if self._waiting:
            self._due = asyncio.get_running_loop().call_soon(self._answer)
        wanted = [(asked, answer) for asked, answer in now if not answer.done()]  # a session may have been broken off
        try:
            probabilities = self._judge([asked for asked, _ in wanted]) if wanted else []
        except Exception:
            logger.exception("The VAD failed for %d sessions, each is asked alone", len(wanted))
            for asked, answer in wanted:
                self._answer_alone(asked, answer)
            return
        for (_, answer), probability in zip(wanted, probabilities, strict=True):
            answer.set_result(probability)

    def _answer_alone(self, asked: Asked, answer: "asyncio.Future[float]") -> None:
        vad, window = asked
        try:
            answer.set_result(vad(window))
        except Exception as error:
            answer.set_exception(error)
