"""From speech probabilities to utterances: where speech starts, where it ends, where a long one is cut.

Hysteresis as in Silero's `VADIterator` (silero-vad, utils_vad.py): speech starts at `threshold` and lasts while the
probability stays above `threshold - 0.15`. Added here: minimum speech, pre-roll, maximum utterance. Positions are
absolute sample counts.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from transcription.core.audio import samples_from_ms
from transcription.core.config import SAMPLE_RATE, VadConfig

WINDOW = 512
"""Samples a probability stands for: 32 ms, what Silero takes at 16 kHz."""

HYSTERESIS = 0.15
CUT_SEARCH_S = 5.0
"""A too long utterance is cut at the quietest place of its last seconds."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """An utterance is open."""

    start: int
    """Its first sample, pre-roll included."""
    speech_at: int
    """Where speech was first heard."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The utterance is over: the endpoint."""

    end: int
    """The position after its last sample."""
    speech_end: int
    """Where speech was last heard."""


@dataclass(frozen=True, slots=True)
class Split:
    """The utterance has reached its maximum: one segment ends here and the next begins, speech goes on."""

    at: int


@dataclass(frozen=True, slots=True)
class Paused:
    """Speech has been silent for a moment: it may be over, and its final is worth decoding ahead."""

    at: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """It was not over."""


Endpoint = SpeechStarted | SpeechEnded | Split | Paused | Resumed


class _State(Enum):
    SILENCE = auto()
    CANDIDATE = auto()
    SPEECH = auto()


class Endpointer:
    """Feed it one probability a window; it tells when an utterance opens, closes or is cut."""

    def __init__(self, config: VadConfig, max_utterance: int, start: int = 0) -> None:
        """`max_utterance` in samples; `start` is the position of the first."""
        self._on = config.threshold
        self._off = max(config.threshold - HYSTERESIS, 0.01)
        self._min_speech = samples_from_ms(config.min_speech_ms)
        self._min_silence = samples_from_ms(config.min_silence_ms)
        self._pre_roll = samples_from_ms(config.pre_roll_ms)
        self._speculate = samples_from_ms(config.speculate_ms)
        self._max_utterance = max(max_utterance, 2 * WINDOW)
        self._cut_search = min(int(CUT_SEARCH_S * SAMPLE_RATE), self._max_utterance // 2)
        self._state = _State.SILENCE
        self._position = self._floor = start
        self._start = 0
        self._speech_at = 0
        self._voiced = 0
        self._last_voiced = 0
        self._paused = False
        self._powers: deque[float] = deque(maxlen=self._cut_search // WINDOW)

    @property
    def in_speech(self) -> bool:
        """Whether an utterance is open."""
        return self._state is _State.SPEECH

    @property
    def keep_from(self) -> int:
        """The oldest sample that a later endpoint may still claim."""
        match self._state:
            case _State.SPEECH:
                return max(self._start, self._position - self._cut_search)
            case _State.CANDIDATE:
                return self._segment_start()
            case _State.SILENCE:
                return max(self._floor, self._position - self._pre_roll)

    def push(self, probability: float, power: float) -> list[Endpoint]:
        """Take the next window's speech probability and mean power."""
        begin, self._position = self._position, self._position + WINDOW
        self._powers.append(power)
        voiced = probability >= (self._on if self._state is _State.SILENCE else self._off)
        if voiced:
            if self._state is _State.SILENCE:
                self._state, self._speech_at, self._voiced = _State.CANDIDATE, begin, 0
            self._voiced += WINDOW
            self._last_voiced = self._position
        silent_for = self._position - self._last_voiced
        if self._state is _State.CANDIDATE:
            if self._voiced >= self._min_speech:
                self._state, self._start, self._paused = _State.SPEECH, self._segment_start(), False
                return [SpeechStarted(self._start, self._speech_at)]
            if silent_for >= self._min_silence:
                self._state = _State.SILENCE
            return []
        return self._in_speech(voiced, silent_for) if self._state is _State.SPEECH else []

    def end(self, position: int) -> list[Endpoint]:
        """Declare the endpoint now (flush, end of session); empty when no utterance is open."""
        was_speech = self._state is _State.SPEECH
        self._state, self._floor = _State.SILENCE, position
        return [SpeechEnded(position, min(self._last_voiced, position))] if was_speech else []

    def skip(self, samples: int) -> None:
        """Move on over samples that were never a window (the rest before a flush)."""
        self._position += samples

    def _in_speech(self, voiced: bool, silent_for: int) -> list[Endpoint]:
        found: list[Endpoint] = []
        if silent_for >= self._min_silence:
            return self.end(self._position)
        if voiced and self._paused:
            self._paused = False
            found.append(Resumed())
        if not self._paused and 0 < self._speculate <= silent_for:
            self._paused = True
            found.append(Paused(self._position))
        if self._position - self._start >= self._max_utterance:
            found.append(self._split())
        return found

    def _segment_start(self) -> int:
        return max(self._floor, self._speech_at - self._pre_roll)

    def _split(self) -> Split:
        """Cut in the middle of the quietest three windows (about 100 ms) of the search stretch."""
        powers = list(self._powers)
        sums = [sum(powers[i : i + 3]) for i in range(len(powers) - 2)] or [0.0]
        quietest = min(range(len(sums)), key=lambda i: (sums[i], -i))
        middle = self._position - (len(powers) - quietest) * WINDOW + WINDOW + WINDOW // 2
        at = max(middle, self._start + WINDOW)
        self._start = self._floor = at
        self._paused = False
        self._powers.clear()
        return Split(at)
