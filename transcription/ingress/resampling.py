"""Any sample rate to 16 kHz, as a stream, by the SoX resampler."""

import numpy as np
import soxr

from transcription.core.config import SAMPLE_RATE

LEAST, MOST = -32768, 32767


class StreamResampler:
    """16-bit PCM of one rate in, 16-bit PCM at 16 kHz out; up to 70 ms stay inside until it is drained.

    Inside it is floats: to 16 bits SoX adds noise of its own (dither), another one each time. Then a muted telephone
    is not silent any more, and the same call has not the same text.
    """

    def __init__(self, rate: int) -> None:
        self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")

    def __call__(self, pcm: bytes) -> bytes:
        """Resample the stream's next samples."""
        return self._resample(pcm, last=False)

    def drain(self) -> bytes:
        """Resample what is still inside, as if nothing followed; the next samples begin anew."""
        rest = self._resample(b"", last=True)
        self._stream.clear()
        return rest

    def _resample(self, pcm: bytes, *, last: bool) -> bytes:
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        return np.rint(self._stream.resample_chunk(samples, last=last)).clip(LEAST, MOST).astype("<i2").tobytes()
