"""What is said and when: utterances in real speech, as the service's own segmenter and VAD find them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.clips import FRAME, SAMPLE_RATE, Recording
from benchmarks.schedule import Script, conversations
from transcription.core.config import SessionConfig
from transcription.core.session.endpointing import Closed, Opened, Paused, Resumed, SilenceEndpointer
from transcription.core.session.segmenter import Segmenter
from transcription.ingress.vad import SileroVad


@dataclass(frozen=True, slots=True)
class Utterance:
    """One segment; times in seconds from the session's first sample."""

    start: float
    """Its first sample."""
    opened: float
    """When it was found to be speech."""
    pauses: tuple[tuple[float, float | None], ...]
    """When its final was worth decoding ahead, and when speech went on after all: never, of the last."""
    closed: float
    """The endpoint."""
    seconds: float
    """Its audio."""


@dataclass(frozen=True, slots=True)
class Speech:
    """One session."""

    seconds: float
    utterances: tuple[Utterance, ...]
    starts_after_s: float = 0.0
    """How long after the run's start it begins, where talkers come when they would come to the real service."""


def spoken(pool: Sequence[Recording], talkers: int, seconds: float, seed: int, config: SessionConfig) -> list[Speech]:
    """What so many talkers say, the same as in a run of `latency` with this seed."""
    return [heard(script, config) for script in conversations(pool, talkers, seconds, seed)]


def heard(script: Script, config: SessionConfig) -> Speech:
    """A script's utterances."""
    endpointer = SilenceEndpointer(config.vad, round(config.max_utterance_s * SAMPLE_RATE))
    segmenter = Segmenter(endpointer, SileroVad())
    found: list[Utterance] = []
    start = opened = 0.0
    pauses: list[tuple[float, float | None]] = []
    position = 0
    for frame in script.frames():
        position += FRAME
        now = position / SAMPLE_RATE
        for event in segmenter.feed(frame):
            match event:
                case Opened():
                    start, opened, pauses = event.start / SAMPLE_RATE, now, []
                case Paused():
                    pauses.append((now, None))
                case Resumed() if pauses:
                    pauses[-1] = (pauses[-1][0], now)
                case Closed():
                    found.append(Utterance(start, opened, tuple(pauses), now, event.end / SAMPLE_RATE - start))
    return Speech(script.seconds, tuple(found), script.starts_after_s)


def longest(speech: Sequence[Speech]) -> float:
    """Of the sessions (s)."""
    return max(one.seconds for one in speech)


def talking_share(speech: Sequence[Speech]) -> float:
    """Share of the time in which an utterance is open."""
    open_s = sum(u.closed - u.opened for one in speech for u in one.utterances)
    return open_s / float(np.sum([one.seconds for one in speech]))
