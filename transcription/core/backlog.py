"""How much of a session's audio is on its way to Redis, and when that is too much."""

from collections.abc import Sequence

from transcription.core.audio import ms_from_samples, samples_from_ms
from transcription.core.effects import Effect, StoreAudio
from transcription.core.listener import pcm_samples


class Backlog:
    """Bounds the audio that is accepted but not yet stored; tells once an episode."""

    def __init__(self, max_ms: int) -> None:
        self._max_ms = max_ms
        self._unstored = 0
        self._told = False

    def add(self, effects: Sequence[Effect]) -> None:
        """Note the audio that effects put on its way."""
        self._unstored += sum(pcm_samples(e.pcm) for e in effects if isinstance(e, StoreAudio))

    def stored(self, samples: int) -> None:
        """So many samples are safe."""
        self._unstored -= samples

    def overflows(self, pcm: bytes) -> bool:
        """Whether too much audio is on its way to accept more."""
        overflows = bool(self._unstored) and self._unstored + pcm_samples(pcm) > samples_from_ms(self._max_ms)
        self._told = self._told and overflows
        return overflows

    def complaint(self) -> str | None:
        """What to tell the client; `None` when it has been told of this episode."""
        if self._told:
            return None
        self._told = True
        held = ms_from_samples(self._unstored)
        return f"Audio buffer full: {held:.0f}/{self._max_ms} ms; frames are dropped until it drains"
