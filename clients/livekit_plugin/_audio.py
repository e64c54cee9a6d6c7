"""Audio on its way to the service: mono, in chunks, kept until it is transcribed."""

import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from livekit import rtc
from livekit.agents.utils.audio import AudioBuffer, AudioByteStream

Part = bytes | str
"""What is sent: audio, or the id of a flush."""

CHUNK_MS = 40
SILENCE_KEPT_S = 5.0
"""Sent so long ago, with no word of speech since: it was silence."""
SPEECH_KEPT_S = 60.0
"""More audio than this is not kept, transcribed or not."""


class Chunk(NamedTuple):
    """A stretch of the stream."""

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
        self._kept: deque[Chunk] = deque()
        self._flushes: dict[str, int] = {}
        """Those without an answer, with their positions."""
        self._end = 0

    @property
    def end(self) -> int:
        """Position after the last sample that is in a part."""
        return self._end

    def push(self, pcm: bytes, *, speaking: bool) -> list[Part]:
        """Take audio; returns the parts to send. While nobody is `speaking`, only the newest audio is kept."""
        parts: list[Part] = [self._keep(_bytes(chunk)) for chunk in self._chunks.push(pcm)]
        self._forget(speaking)
        return parts

    def flush(self, flush_id: str) -> list[Part]:
        """Returns the parts to send: what no chunk was made of yet, and the flush."""
        parts: list[Part] = [self._keep(_bytes(chunk)) for chunk in self._chunks.flush()]
        self._flushes[flush_id] = self._end
        return [*parts, flush_id]

    def confirm(self, position: int) -> None:
        """Audio before `position` is transcribed: forget it."""
        while self._kept and self._kept[0].end <= position:
            self._kept.popleft()
        if self._kept and (known := position - self._kept[0].start) > 0:
            first = self._kept[0]
            self._kept[0] = Chunk(position, first.pcm[2 * known :], first.sent_at)

    def answered(self, flush_id: str) -> bool:
        """A flush has its answer; whether it was awaited."""
        return self._flushes.pop(flush_id, None) is not None

    def replay(self, position: int = 0) -> tuple[int, list[Part]]:
        """The parts a new connection begins with: those after `position`, and the position of their first sample."""
        now = time.monotonic()
        self._kept = deque(chunk._replace(sent_at=now) for chunk in self._kept)
        chunks = [chunk for chunk in self._kept if chunk.end > position]
        start = max(chunks[0].start, position) if chunks else self._end
        parts: list[tuple[int, bool, Part]] = [
            (at, False, name) for name, at in self._flushes.items() if at >= position
        ]
        parts += [(chunk.start, True, chunk.pcm[2 * max(position - chunk.start, 0) :]) for chunk in chunks]
        return start, [part for _, _, part in sorted(parts, key=lambda part: part[:2])]

    def _keep(self, pcm: bytes) -> bytes:
        chunk = Chunk(self._end, pcm, time.monotonic())
        self._kept.append(chunk)
        self._end = chunk.end
        return pcm

    def _forget(self, speaking: bool) -> None:
        oldest = self._end - SPEECH_KEPT_S * self._sample_rate
        recent = time.monotonic() - SILENCE_KEPT_S
        while self._kept and (self._kept[0].end <= oldest or (not speaking and self._kept[0].sent_at < recent)):
            self._kept.popleft()


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
