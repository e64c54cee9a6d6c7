"""The seam between the worker and whatever turns audio into text.

An engine is built once a process. `prepare` runs in the task threads, several at a time; `decode` in the batcher's
lanes.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from transcription.core.jobs import Job
from transcription.core.protocol import Word


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


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What an engine heard."""

    text: str
    confidence: float
    """Mean token probability, 0 to 1; 0 for no text."""
    words: list[Word]
    """Times in seconds from the first sample of the request; empty unless asked for."""


class Engine(Protocol):
    """Audio in, text out."""

    max_batch: int
    """The most requests one `decode` takes."""
    device: str
    compute_type: str

    def prepare(self, job: Job, audio: NDArray[np.float32]) -> Request:
        """Whatever can be done before the model is free."""

    def decode(self, batch: list[Request]) -> list[Hypothesis | EngineError]:
        """One answer a request, in order; a request that fails does not spoil the others."""
