"""The seam between the worker and whatever turns audio into text.

An engine is built once a process. `prepare` runs in the task threads, several at a time; `decode` in the batcher's
lanes.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from transcription.core.contract.jobs import Job
from transcription.core.protocol import Dropped, Word


class EngineError(Exception):
    """The engine cannot do this job; the message is fit to be sent to a client."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Request:
    """A job with its audio, ready to decode."""

    job: Job
    audio: NDArray[np.float32]
    """Samples at 16 kHz, -1 to 1."""
    key: Hashable = None
    """Requests of equal keys may share a batch."""
    features: Any = None
    """What the engine made of the audio in `prepare`."""
    before: NDArray[np.float32] | None = None
    """The audio of the job's `before`; it may be that it is gone."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What an engine heard in a request's audio."""

    text: str
    confidence: float
    """Mean token probability, 0 to 1; 0 for no text."""
    words: list[Word]
    """Times in seconds from the first sample of the request; empty unless asked for."""
    dropped: Dropped | None = None
    """Why the text is empty although the model wrote one."""
    dropped_text: str = ""
    sure_words: int | None = None
    """Of a partial's words, how many from the first on the model is sure of; `None` where it does not say."""
    language: str = ""
    """What the text is in, if that was found out."""
    evidence: Mapping[str, float] = field(default_factory=dict)
    """What the audio says for each of the job's languages (`core/languages.py`); empty where none was found out."""


class Engine(Protocol):
    """Whatever turns requests into hypotheses; attributes are what the heartbeat says of it."""

    max_batch: int
    """The most requests one `decode` takes."""
    device: str
    compute_type: str

    def prepare(
        self, job: Job, audio: NDArray[np.float32], before: NDArray[np.float32] | None = None
    ) -> Request | Hypothesis:
        """Do what can be done before the model is free; the answer itself where the model is not needed.

        `audio` is samples at 16 kHz, -1 to 1, and so is that of the job's `before`, where it is there.
        """

    def decode(self, batch: list[Request]) -> list[Hypothesis | EngineError]:
        """One answer a request, in order; a request that fails does not spoil the others."""
