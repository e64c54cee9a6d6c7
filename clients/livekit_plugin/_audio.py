"""Audio on its way to the service: mono, in chunks, kept until it is transcribed."""

import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from livekit import rtc
from livekit.agents.utils.audio import AudioBuffer, AudioByteStream

from clients.livekit_plugin._wire import FLUSH

CHUNK_MS = 40
SILENCE_KEPT_S = 5.0
"""Sent so long ago, with no word of speech since: it was silence."""
SPEECH_KEPT_S = 60.0
"""More audio than this is not kept, transcribed or not."""


class Part(NamedTuple):
    """A stretch of the stream, or a `FLUSH` at its position."""

    start: int
    pcm: bytes
    sent_at: float

    @property
    def end(self) -> int:
        """The sample after the last."""
        return self.start + len(self.pcm) // 2


class Backlog:
    """What of a stream is not known to be transcribed, so that a lost connection loses no words.

    Positions are samples of the stream's audio from its first.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._chunks = AudioByteStream(sample_rate, 1, sample_rate * CHUNK_MS // 1000)
        self._parts: deque[Part] = deque()
        self._end = 0

    def push(self, pcm: bytes, *, speaking: bool) -> list[bytes]:
        """Take audio; returns the parts to send. While nobody is `speaking`, only the newest audio is kept."""
        parts = [self._keep(_bytes(chunk)) for chunk in self._chunks.push(pcm)]
        self._forget(speaking)
        return parts

    def flush(self) -> list[bytes]:
        """Returns the parts to send: what no chunk was made of yet, and a `FLUSH`."""
        return [self._keep(pcm) for pcm in (*map(_bytes, self._chunks.flush()), FLUSH)]

    def confirm(self, position: int) -> None:
        """Audio before `position` is transcribed: forget it."""
        while self._parts and self._parts[0].end <= position:
            self._parts.popleft()
        if self._parts and (known := position - self._parts[0].start) > 0:
            first = self._parts[0]
            self._parts[0] = Part(position, first.pcm[2 * known :], first.sent_at)

    def replay(self) -> tuple[int, list[bytes]]:
        """The parts a new connection begins with, and the position of their first sample."""
        now = time.monotonic()
        self._parts = deque(part._replace(sent_at=now) for part in self._parts)
        return (self._parts[0].start if self._parts else self._end), [part.pcm for part in self._parts]

    def _keep(self, pcm: bytes) -> bytes:
        part = Part(self._end, pcm, time.monotonic())
        self._parts.append(part)
        self._end = part.end
        return pcm

    def _forget(self, speaking: bool) -> None:
        oldest = self._end - SPEECH_KEPT_S * self._sample_rate
        recent = time.monotonic() - SILENCE_KEPT_S
        while self._parts and (self._parts[0].end <= oldest or (not speaking and self._parts[0].sent_at < recent)):
            self._parts.popleft()


def mono(frame: rtc.AudioFrame) -> rtc.AudioFrame:
    """The frame with its channels mixed into one."""
    if frame.num_channels == 1:
        return frame
    samples = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels).mean(axis=1).astype(np.int16)
    return rtc.AudioFrame(samples.tobytes(), frame.sample_rate, 1, frame.samples_per_channel)


def chunks(buffer: AudioBuffer, sample_rate: int) -> Iterator[bytes]:
    """A whole buffer, at `sample_rate`, as parts to send."""
    frames = [mono(frame) for frame in (buffer if isinstance(buffer, list) else [buffer])]
    if frames and frames[0].sample_rate != sample_rate:
        resampler = rtc.AudioResampler(frames[0].sample_rate, sample_rate, quality=rtc.AudioResamplerQuality.HIGH)
        frames = [out for frame in frames for out in resampler.push(frame)] + resampler.flush()
    stream = AudioByteStream(sample_rate, 1, sample_rate * CHUNK_MS // 1000)
    for frame in frames:
        yield from map(_bytes, stream.push(_bytes(frame)))
    yield from map(_bytes, stream.flush())


def _bytes(frame: rtc.AudioFrame) -> bytes:
    return frame.data.tobytes()
