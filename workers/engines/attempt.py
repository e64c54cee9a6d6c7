"""What one decode is given, and what it gives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.engines import windows
from workers.engines.engine import Hypothesis


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request's part of a batch."""

    features: NDArray[np.float32]
    """Log-mel spectrogram, shape (mels, frames), of what is encoded."""
    window: int
    """What is decoded in, in seconds; what is not encoded of it is known (`remainder.py`)."""
    prompt: list[int]
    is_whole: bool
    """Whether all of the window is encoded."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one decode of a request gave."""

    hypothesis: Hypothesis
    logprob: float
    """Mean log probability of the tokens."""
    no_speech: float = 0.0
    """The model's probability that nobody speaks."""
    said: str = ""
    """The text as the model wrote it, without the terms that are put in place."""
    loops: bool = False
    """Whether it cannot have been said; its probability says nothing."""
    doubtful: bool = False
    """Whether another decode, with the whole window, is worth its time."""

    @property
    def silent(self) -> bool:
        """Whether the model itself thinks that nobody spoke."""
        return windows.is_silence(self.logprob, self.no_speech)
