"""Sample arithmetic, and the sliding buffer a session listens through. All audio is 16-bit little-endian mono PCM."""

import numpy as np

from transcription.core.config import SAMPLE_RATE

BYTES_PER_SAMPLE = 2


def samples_from_ms(milliseconds: float, rate: int = SAMPLE_RATE) -> int:
    """How many whole samples last `milliseconds`."""
    return int(milliseconds * rate / 1000)


def ms_from_samples(samples: int, rate: int = SAMPLE_RATE) -> float:
    """How long `samples` last, in milliseconds, to a hundredth."""
    return round(samples * 1000 / rate, 2)


def pcm_samples(pcm: bytes | bytearray) -> int:
    """How many samples `pcm` holds."""
    return len(pcm) // BYTES_PER_SAMPLE


def mean_power(pcm: bytes) -> float:
    """Mean square of the samples (full scale = 1.0); 0.0 for no samples."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
    return float(np.dot(samples, samples) / (samples.size * 32768.0**2)) if samples.size else 0.0


class SampleBuffer:
    """A sliding stretch of the session's audio, addressed by absolute sample position."""

    def __init__(self, start: int = 0) -> None:
        self._pcm = bytearray()
        self.start = start
        """Position of the oldest sample still held."""

    @property
    def end(self) -> int:
        """Position after the newest sample."""
        return self.start + pcm_samples(self._pcm)

    def append(self, pcm: bytes) -> None:
        """Add samples at the end."""
        self._pcm += pcm

    def slice(self, start: int, end: int) -> bytes:
        """The samples of `[start, end)`, all of which must still be held."""
        assert self.start <= start <= end <= self.end, (self.start, start, end, self.end)
        first = (start - self.start) * BYTES_PER_SAMPLE
        return bytes(self._pcm[first : first + (end - start) * BYTES_PER_SAMPLE])

    def discard_before(self, position: int) -> None:
        """Forget samples older than `position`."""
        drop = min(position, self.end) - self.start
        if drop > 0:
            del self._pcm[: drop * BYTES_PER_SAMPLE]
            self.start += drop
