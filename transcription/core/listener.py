"""From a stream of samples to utterances: cut into windows, ask the VAD, keep the audio a segment needs.

The listener turns 16 kHz PCM into what was heard, in order: a segment opened, its audio, its end. It holds no more
audio than a later endpoint may still claim (pre-roll, or the stretch in which a long utterance may be cut).
"""

from dataclasses import dataclass
from typing import Protocol

from transcription.core.audio import BYTES_PER_SAMPLE, SampleBuffer, mean_power, samples_from_ms
from transcription.core.config import SessionConfig, VadConfig
from transcription.core.endpointing import (
    WINDOW,
    Endpoint,
    Endpointer,
    Paused,
    Resumed,
    SpeechEnded,
    SpeechStarted,
    Split,
)


class Vad(Protocol):
    """Speech probability of a stream's next 512 samples; one instance a stream, it keeps state."""

    def __call__(self, pcm: bytes) -> float: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A segment begins at `start`; speech was first heard at `speech_at`."""

    start: int
    speech_at: int
    continues: bool
    """Whether it goes on from a segment that was cut at its maximum."""


@dataclass(frozen=True, slots=True)
class Audio:
    """The open segment's next samples; `position` is that of the first."""

    position: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The open segment ends before `end`; speech was last heard before `speech_end`."""

    end: int
    speech_end: int
    continues: bool
    """Whether the next segment begins right here, in the middle of speech."""


Heard = Opened | Audio | Closed | Paused | Resumed

DIGITAL_SILENCE = bytes(WINDOW * BYTES_PER_SAMPLE)
_WITHOUT_VAD = VadConfig(enabled=False, threshold=0.5, min_speech_ms=0, pre_roll_ms=0)


class Listener:
    """Where in the stream the utterances are."""

    def __init__(self, config: SessionConfig, vad: Vad | None, start: int = 0) -> None:
        """`vad` is `None` when the whole stream is one utterance until flush, end or the maximum.

        `start` is the position of the stream's first sample.
        """
        maximum = samples_from_ms(config.max_utterance_s * 1000)
        self._vad = vad
        self._endpointer = Endpointer(config.vad if vad else _WITHOUT_VAD, maximum, start)
        self._buffer = SampleBuffer(start)
        self._processed = start
        self._open = False
        self._emitted = 0

    @property
    def position(self) -> int:
        """How many samples have been heard."""
        return self._buffer.end

    def feed(self, pcm: bytes) -> list[Heard]:
        """Take the stream's next samples."""
        heard: list[Heard] = []
        self._buffer.append(pcm)
        while self._buffer.end - self._processed >= WINDOW:
            window = self._buffer.slice(self._processed, self._processed + WINDOW)
            self._processed += WINDOW
            probability = self._probability(window)
            for endpoint in self._endpointer.push(probability, mean_power(window)):
                heard += self._heard(endpoint)
        heard += self._emit(self._processed)
        self._buffer.discard_before(min(self._endpointer.keep_from, self._processed))
        return heard

    def flush(self) -> list[Heard]:
        """Declare an endpoint after the last sample; speech that has not lasted its minimum is discarded."""
        end = self._buffer.end
        self._endpointer.skip(end - self._processed)
        self._processed = end
        heard = [happening for endpoint in self._endpointer.end(end) for happening in self._heard(endpoint)]
        if not heard and not self._vad and end > self._buffer.start:
            start = self._buffer.start
            heard = [*self._open_at(start, start, continues=False), *self._close_at(end, end, continues=False)]
        self._buffer.discard_before(end)
        return heard

    def _probability(self, window: bytes) -> float:
        if self._vad is None:
            return 1.0
        # a muted microphone sends zeros, and most of a telephone call is silence: not worth the model
        muted = window == DIGITAL_SILENCE and not self._endpointer.in_speech
        return 0.0 if muted else self._vad(window)

    def _heard(self, endpoint: Endpoint) -> list[Heard]:
        match endpoint:
            case SpeechStarted(start=start, speech_at=speech_at):
                return self._open_at(start, speech_at, continues=False)
            case SpeechEnded(end=end, speech_end=speech_end):
                return self._close_at(end, speech_end, continues=False)
            case Split(at=at):
                return [*self._close_at(at, at, continues=True), *self._open_at(at, at, continues=True)]
            case Paused() | Resumed():
                return [*self._emit(self._processed), endpoint]

    def _open_at(self, start: int, speech_at: int, *, continues: bool) -> list[Heard]:
        self._open, self._emitted = True, start
        return [Opened(start, speech_at, continues)]

    def _close_at(self, end: int, speech_end: int, *, continues: bool) -> list[Heard]:
        audio = self._emit(end)
        self._open = False
        return [*audio, Closed(end, speech_end, continues)]

    def _emit(self, upto: int) -> list[Heard]:
        if not self._open or upto <= self._emitted:
            return []
        audio = Audio(self._emitted, self._buffer.slice(self._emitted, upto))
        self._emitted = upto
        return [audio]


def pcm_samples(pcm: bytes | bytearray) -> int:
    """How many samples `pcm` holds."""
    return len(pcm) // BYTES_PER_SAMPLE
