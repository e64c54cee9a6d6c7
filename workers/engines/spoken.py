"""Which language a request is in, of those that it may be: what Whisper thinks of its audio, and what was known before.

It costs one step of the decoder, on what is encoded for the transcript anyway.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ctranslate2

from transcription.core.config import SAMPLE_RATE
from transcription.core.languages import evidence, likeliest
from workers.engines.engine import Hypothesis, Request


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out of a request's language; empty where nothing was asked."""

    language: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)

    def told(self, hypothesis: Hypothesis) -> Hypothesis:
        """The hypothesis with it."""
        return replace(hypothesis, language=self.language, evidence=self.evidence)


def found(model: ctranslate2.models.Whisper, batch: Sequence[Request], encode: Callable[[], Any]) -> list[Found]:
    """The languages of requests that are encoded together, in order; `encode` is called if any is asked for.

    A model that knows one language is asked nothing.
    """
    if not model.is_multilingual or not any(request.job.languages for request in batch):
        return [Found()] * len(batch)
    told = model.detect_language(encode())
    return [
        _judged(request, {token[2:-2]: share for token, share in each})
        for request, each in zip(batch, told, strict=True)
    ]


def _judged(request: Request, shares: Mapping[str, float]) -> Found:
    """The likeliest of those that the request may be in."""
    if not (known := request.job.languages):
        return Found()
    heard = evidence({code: shares.get(code, 0.0) for code in known}, request.audio.size / SAMPLE_RATE)
    return Found(likeliest(known, heard), heard)
