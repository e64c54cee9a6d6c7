"""How much of a session's audio is on its way to Redis, and when that is too much."""

from collections.abc import Sequence

from transcription.core.audio import pcm_samples, samples_from_ms
from transcription.core.session.effects import Effect, StoreAudio


class UnstoredAudio:
    """Counts the audio that is accepted but not yet stored. No more is read while it is `full`."""

    def __init__(self, max_ms: int) -> None:
        self._most = samples_from_ms(max_ms)
        self._samples = 0

    @property
    def full(self) -> bool:
        """Whether there is as much as may be, or more by the last frame."""
        return self._samples >= self._most

    def add(self, effects: Sequence[Effect]) -> None:
        """Note the audio that effects put on its way."""
        self._samples += sum(pcm_samples(e.pcm) for e in effects if isinstance(e, StoreAudio))

    def stored(self, samples: int) -> None:
        """So many samples are in Redis."""
        self._samples -= samples
