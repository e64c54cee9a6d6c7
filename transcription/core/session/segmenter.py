"""From a stream of samples to segments: cut into windows, ask the VAD, keep the audio that a segment needs.

The segmenter turns 16 kHz PCM into segments, in order: one opens, its audio, its end. It holds no more audio than a
later endpoint may still claim (pre-roll, or the stretch in which a long utterance may be cut).
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from transcription.core.audio import BYTES_PER_SAMPLE, SampleBuffer, mean_power
from transcription.core.config import VadConfig
from transcription.core.session.endpointing import WINDOW, Closed, Endpoint, Endpointer, Opened


class Vad(Protocol):
    """Speech probability of a stream's next 512 samples; one instance a stream, it keeps state."""

    def __call__(self, pcm: bytes) -> float: ...


Heard = TypeVar("Heard")
Hearing = Generator[tuple[Vad, bytes], float, Heard]
"""Gives whom to ask and of which samples, wants the probability sent, and returns what was heard."""


def heard(hearing: Hearing[Heard]) -> Heard:
    """What a hearing returns, each question answered at once."""
    try:
        vad, window = next(hearing)
        while True:
            vad, window = hearing.send(vad(window))
    except StopIteration as over:
        result: Heard = over.value
        return result


@dataclass(frozen=True, slots=True)
class Audio:
    """The open segment's next samples; `position` is that of the first."""

    position: int
    pcm: bytes


SegmentEvent = Endpoint | Audio

DIGITAL_SILENCE = bytes(WINDOW * BYTES_PER_SAMPLE)


class Segmenter:
    """Finds the segments of one stream, and gives each its audio."""

    def __init__(self, endpointer: Endpointer, vad: Vad | None, start: int = 0) -> None:
        """`vad` is `None` when the whole stream is one utterance until flush, end or the maximum.

        `start` is the position of the stream's first sample.
        """
        self._vad = vad
        self._endpointer = endpointer
        self._buffer = SampleBuffer(start)
        self._processed = start
        self._open = False
        self._emitted = 0

    @property
    def position(self) -> int:
        """The position after the last sample taken."""
        return self._buffer.end

    @property
    def active(self) -> bool:
        """Whether speech is heard that is not over."""
        return self._endpointer.active

    @property
    def silent_for(self) -> int:
        """For how many samples no speech has been heard."""
        return self._endpointer.silent_for

    @property
    def waits_longer(self) -> int:
        """For how many samples more than ever the pause that lasts now may last; less than none: for fewer."""
        return self._endpointer.waits_longer

    def wait(self, silence: int) -> None:
        """Let the pause that lasts now be an endpoint after so many samples of silence, instead of as ever."""
        self._endpointer.wait(silence)

    def configure(self, config: VadConfig) -> None:
        """Go by another silence from now on."""
        self._endpointer.configure(config)

    def feed(self, pcm: bytes) -> list[SegmentEvent]:
        """Take the stream's next samples, however many; what was found in them, in order."""
        return heard(self.hear(pcm))

    def hear(self, pcm: bytes) -> Hearing[list[SegmentEvent]]:
        """As `feed`, for one who asks the VAD himself."""
        events: list[SegmentEvent] = []
        self._buffer.append(pcm)
        while self._buffer.end - self._processed >= WINDOW:
            window = self._buffer.slice(self._processed, self._processed + WINDOW)
            self._processed += WINDOW
            probability = (yield self._vad, window) if self._vad and self._is_worth(window) else float(not self._vad)
            for endpoint in self._endpointer.push(probability, mean_power(window)):
                events += self._with_audio(endpoint)
        events += self._emit(self._processed)
        self._buffer.discard_before(min(self._endpointer.keep_from, self._processed))
        return events

    def flush(self) -> list[SegmentEvent]:
        """Declare an endpoint after the last sample."""
        end = self._buffer.end
        self._endpointer.skip(end - self._processed)
        self._processed = end
        endpoints = self._endpointer.end(end)
        if not endpoints and not self._vad and end > self._buffer.start:
            # less than a window, of which no VAD will ever say that it is not speech
            start = self._buffer.start
            endpoints = [Opened(start, start), Closed(end, end)]
        events = [event for endpoint in endpoints for event in self._with_audio(endpoint)]
        self._buffer.discard_before(end)
        return events

    def _is_worth(self, window: bytes) -> bool:
        """Whether the model is asked: a muted microphone sends zeros, and most of a telephone call is silence."""
        return self._endpointer.in_speech or window != DIGITAL_SILENCE

    def _with_audio(self, endpoint: Endpoint) -> list[SegmentEvent]:
        """The endpoint after the audio that belongs before it."""
        match endpoint:
            case Opened(start=start):
                self._open, self._emitted = True, start
                return [endpoint]
            case Closed(end=end):
                audio = self._emit(end)
                self._open = False
                return [*audio, endpoint]
        return [*self._emit(self._processed), endpoint]

    def _emit(self, upto: int) -> list[SegmentEvent]:
        if not self._open or upto <= self._emitted:
            return []
        audio = Audio(self._emitted, self._buffer.slice(self._emitted, upto))
        self._emitted = upto
        return [audio]
