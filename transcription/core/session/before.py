"""The segment before: what a short final that follows it in the same breath is decoded together with.

A pause in a sentence is an endpoint, too, and what comes after it is heard better with what came before
(docs/quality.md, "The sentence before"). Its audio is kept here for a moment, and stored again only for a job that
wants it: nothing in Redis outlives its segment.
"""

from dataclasses import dataclass

from transcription.core.audio import BYTES_PER_SAMPLE, samples_from_ms
from transcription.core.contract.jobs import Before, Failure, Transcript
from transcription.core.session.pending_finals import PendingFinal

SHORT_MS = 5_000
"""How long a segment is at most that is decoded so; longer ones gain nothing."""
BREATH_MS = 1_500
"""From one's speech to the other's: a pause in a sentence; who answers a question takes longer."""
TOGETHER_MS = 28_000
"""How long both are at most: a window of Whisper's, with silence behind them."""
KEPT_S = 8.0
"""How long it is kept: by then whatever follows in the same breath is over, or too long."""


@dataclass(frozen=True, slots=True)
class SegmentBefore:
    """The last segment of a stream, answered."""

    final: PendingFinal
    answer: Transcript
    answered_at: float

    @staticmethod
    def of(final: PendingFinal, answer: Transcript | Failure, now: float) -> "SegmentBefore | None":
        """A final that has its answer; `None` where that helps nobody."""
        if not isinstance(answer, Transcript) or not answer.text or final.samples > samples_from_ms(TOGETHER_MS):
            return None
        return SegmentBefore(final, answer, now)

    @property
    def pcm(self) -> bytes:
        """16 kHz PCM, all of it."""
        return bytes(self.final.pcm[: self.final.samples * BYTES_PER_SAMPLE])

    def lasts(self, now: float) -> bool:
        """Whether something may still follow it."""
        return now <= self.answered_at + KEPT_S

    def is_followed_by(self, speech_at: int, opened_at: float, samples: int, language: str) -> bool:
        """Whether so many samples, in which speech begins at a position, are heard better together with it.

        Samples know nothing of a client that sent none for a while; the clock does.
        """
        return (
            language == (self.answer.language or self.final.job.language)
            and opened_at - self.final.closed_at <= BREATH_MS / 1000
            and samples <= samples_from_ms(SHORT_MS)
            and speech_at - self.final.speech_end <= samples_from_ms(BREATH_MS)
            and self.final.samples + samples <= samples_from_ms(TOGETHER_MS)
        )

    def told(self, audio_key: str) -> Before:
        """For a job, its audio being under that key."""
        return Before(audio_key=audio_key, text=self.answer.text)
