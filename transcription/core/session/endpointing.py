"""From speech probabilities to utterances: where speech starts, where it ends, where a long one is cut.

Hysteresis as in Silero's `VADIterator` (silero-vad, utils_vad.py): speech starts at `threshold` and lasts while the
probability stays above `threshold - 0.15`. Added here: minimum speech, pre-roll, maximum utterance. Positions are
absolute sample counts.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from transcription.core.audio import samples_from_ms
from transcription.core.config import SAMPLE_RATE, VadConfig

WINDOW = 512
"""Samples a probability stands for: 32 ms, what Silero takes at 16 kHz."""

HYSTERESIS = 0.15
"""Silero's own (`VADIterator`): between words the probability dips without speech being over."""
BRIEF = 1 / 3
"""Speech that is over before it has lasted its minimum is an utterance all the same if it has lasted this share of it:
a "sim" lasts 100 to 250 ms, an "a" that is spelt 220. Whether anybody spoke is told better by the final's text."""
CUT_SEARCH_S = 5.0
"""A too long utterance is cut at the quietest place of its last seconds."""
DIP = 3
"""Windows, about 100 ms: a pause between words that is worth cutting in; shorter ones are inside words."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A segment begins: speech has lasted its minimum, or less and is over."""

    start: int
    """Its first sample, pre-roll included."""
    speech_at: int
    """Where speech was first heard."""
    continues: bool = False
    """Whether it goes on from a segment that was cut at its maximum."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The open segment is over: the endpoint."""

    end: int
    """The position after its last sample."""
    speech_end: int
    """The position after which no speech was heard."""
    continues: bool = False
    """Whether it was cut at its maximum, and the next segment begins right here, in the middle of speech."""


@dataclass(frozen=True, slots=True)
class Paused:
    """It has been silent for a moment (`speculate_ms`): speech may be over, and its final is worth decoding ahead."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Speech goes on after `Paused`: it was not over."""


Endpoint = Opened | Closed | Paused | Resumed


class Endpointer(Protocol):
    """Decides where the segments of a stream are; positions are samples from the stream's first."""

    @property
    def in_speech(self) -> bool:
        """Whether a segment is open."""

    @property
    def active(self) -> bool:
        """Whether speech is heard that is not over; it may be too short yet for a segment."""

    @property
    def silent_for(self) -> int:
        """For how many samples no speech has been heard."""

    @property
    def keep_from(self) -> int:
        """The oldest sample that a later endpoint may still claim."""

    @property
    def waits_longer(self) -> int:
        """For how many samples more than ever the pause that lasts now may last; less than none: for fewer."""

    def push(self, probability: float, power: float) -> list[Endpoint]:
        """Take the next window's speech probability (0 to 1) and mean power (full scale 1.0)."""

    def wait(self, silence: int) -> None:
        """Let the pause that lasts now end the utterance after so many samples of silence, instead of as ever."""

    def configure(self, config: VadConfig) -> None:
        """Go by another silence from now on; what else is in the options stays as it was."""

    def skip(self, samples: int) -> None:
        """Move on over samples that were never a window (the rest before a flush)."""

    def end(self, position: int) -> list[Endpoint]:
        """Declare the endpoint now (flush, end of session); empty when nothing was said."""


class _State(Enum):
    SILENCE = auto()
    CANDIDATE = auto()
    SPEECH = auto()


class SilenceEndpointer:
    """An utterance lasts until it has been silent for `min_silence_ms`, or for `max_utterance` samples.

    A pause may be given another silence while it lasts. What comes later than the fixed one is too late: the utterance
    is over by then, so that nobody waits for it.
    """

    def __init__(self, config: VadConfig, max_utterance: int, start: int = 0) -> None:
        """`max_utterance` in samples; `start` is the position of the first."""
        self._on = config.threshold
        self._off = max(config.threshold - HYSTERESIS, 0.01)
        self._min_speech = samples_from_ms(config.min_speech_ms)
        self._min_silence = self._wait = samples_from_ms(config.min_silence_ms)
        self._pre_roll = samples_from_ms(config.pre_roll_ms)
        self._speculate = samples_from_ms(config.speculate_ms)
        self._max_utterance = max(max_utterance, 2 * WINDOW)
        self._cut_search = min(int(CUT_SEARCH_S * SAMPLE_RATE), self._max_utterance // 2)
        self._state = _State.SILENCE
        self._position = self._floor = start
        self._start = 0
        self._speech_at = 0
        self._voiced = 0
        self._last_voiced = start
        self._paused = False
        self._powers: deque[float] = deque(maxlen=self._cut_search // WINDOW)

    @property
    def in_speech(self) -> bool:
        """Whether an utterance is open."""
        return self._state is _State.SPEECH

    @property
    def active(self) -> bool:
        """Whether speech is heard that is not over; it may be too short yet for an utterance."""
        return self._state is not _State.SILENCE

    @property
    def silent_for(self) -> int:
        """For how many samples no speech has been heard."""
        return self._position - self._last_voiced

    @property
    def waits_longer(self) -> int:
        """For how many samples more than ever the pause that lasts now may last; less than none: for fewer."""
        return self._wait - self._min_silence

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
            self._wait = self._min_silence
        match self._state:
            case _State.CANDIDATE if self._voiced >= self._min_speech:
                return self._open()
            case _State.CANDIDATE if self._is_brief and self.silent_for >= (self._speculate or self._min_silence):
                return [*self._open(), *self._in_speech(voiced)]
            case _State.CANDIDATE if self.silent_for >= self._min_silence:
                self._state = _State.SILENCE
            case _State.SPEECH:
                return self._in_speech(voiced)
        return []

    def end(self, position: int) -> list[Endpoint]:
        """Declare the endpoint now (flush, end of session); empty when nothing was said.

        Who asks for it knows that somebody has spoken: what is heard then may be as short as it likes.
        """
        found: list[Endpoint] = self._open() if self._state is _State.CANDIDATE else []
        if self._state is _State.SPEECH:
            found.append(Closed(position, min(self._last_voiced, position)))
        self._state, self._floor, self._wait = _State.SILENCE, position, self._min_silence
        return found

    def skip(self, samples: int) -> None:
        """Move on over samples that were never a window (the rest before a flush)."""
        self._position += samples

    def wait(self, silence: int) -> None:
        """Let the pause that lasts now end the utterance after so many samples of silence, instead of as ever."""
        self._wait = silence

    def configure(self, config: VadConfig) -> None:
        """Go by another silence from now on; what else is in the options stays as it was."""
        self._min_silence = self._wait = samples_from_ms(config.min_silence_ms)

    @property
    def _is_brief(self) -> bool:
        """Whether a candidate that is over is speech, though it has not lasted its minimum."""
        return self._voiced >= BRIEF * self._min_speech

    def _open(self) -> list[Endpoint]:
        self._state, self._start, self._paused = _State.SPEECH, self._segment_start(), False
        return [Opened(self._start, self._speech_at)]

    def _in_speech(self, voiced: bool) -> list[Endpoint]:
        found: list[Endpoint] = []
        if self.silent_for >= self._wait:
            return self.end(self._position)
        if voiced and self._paused:
            self._paused = False
            found.append(Resumed())
        if not self._paused and 0 < self._speculate <= self.silent_for:
            self._paused = True
            found.append(Paused())
        if self._position - self._start >= self._max_utterance:
            # in a pause that lasts there is no better place, and its final may have been shown already
            found += self.end(self._position) if self._paused else self._split()
        return found

    def _segment_start(self) -> int:
        return max(self._floor, self._speech_at - self._pre_roll)

    def _split(self) -> list[Endpoint]:
        """Cut in the middle of the quietest dip of the search stretch; of equally quiet ones in the last."""
        powers = list(self._powers)
        dips = [sum(powers[i : i + DIP]) for i in range(len(powers) - DIP + 1)] or [0.0]
        quietest = min(range(len(dips)), key=lambda i: (dips[i], -i))
        # the stretch ends at the position; the dip's middle is half its length after its first window begins
        middle = self._position - (len(powers) - quietest) * WINDOW + DIP * WINDOW // 2
        at = max(middle, self._start + WINDOW)
        self._start = self._floor = at
        self._paused = False
        self._powers.clear()
        return [Closed(at, at, continues=True), Opened(at, at, continues=True)]
