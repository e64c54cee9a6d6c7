"""One open segment: its audio on the way to Redis, its partials, its final.

Audio goes to Redis once, in pieces of `STORE_MS` or more; a job is always preceded by all audio it may need.
"""

from transcription.core.audio import samples_from_ms
from transcription.core.config import SessionConfig
from transcription.core.effects import Effect, StoreAudio, Submit
from transcription.core.jobs import Job, Kind, audio_key, group_name
from transcription.core.listener import pcm_samples

STORE_MS = 100


class Utterance:
    """A segment between its first sample and its endpoint."""

    def __init__(self, config: SessionConfig, session_uid: str, segment_id: str, start: int, now: float) -> None:
        self.segment_id = segment_id
        self.start = start
        """Position of the first sample in the session."""
        self._config = config
        self._uid = session_uid
        self._pending = bytearray()
        self._stored = 0
        self._partials = 0
        self._partial_sent_at = now
        self._partial_end = 0
        self._awaited: str | None = None

    @property
    def samples(self) -> int:
        """How long the segment is so far."""
        return self._stored + pcm_samples(self._pending)

    @property
    def pending(self) -> int:
        """Samples not yet asked to be stored."""
        return pcm_samples(self._pending)

    @property
    def partial_awaited(self) -> bool:
        """Whether a partial is outstanding."""
        return self._awaited is not None

    @property
    def partial_sent_at(self) -> float:
        """When the last partial was asked for (or the segment opened)."""
        return self._partial_sent_at

    def append(self, pcm: bytes) -> list[Effect]:
        """Take the segment's next samples."""
        self._pending += pcm
        return self._store() if self.pending >= samples_from_ms(STORE_MS) else []

    def partial(self, now: float) -> list[Effect]:
        """Ask for a partial when one is due: the interval is over, none is outstanding, there is new audio."""
        due = now - self._partial_sent_at >= self._config.partial_interval_ms / 1000
        if not due or self._awaited or self.samples <= self._partial_end:
            return []
        self._partials += 1
        self._partial_sent_at, self._partial_end = now, self.samples
        self._awaited = f"{self._uid}:{self.segment_id}:p{self._partials}"
        window = samples_from_ms(self._config.max_partial_window_s * 1000)
        job = self._job(Kind.PARTIAL, self._awaited, end=None, max_samples=window, beam_size=1, words=False)
        return [*self._store(), Submit(job)]

    def final(self, end: int) -> tuple[list[Effect], Job]:
        """Ask for the final of the segment that ends at `end`: the effects, and the job to expect an answer to.

        A cut at the maximum lies in the past, so the segment may be shorter than what it has been given.
        """
        samples = end - self.start
        words = self._config.word_timestamps
        job = self._job(
            Kind.FINAL,
            f"{self._uid}:{self.segment_id}:final",
            end=samples,
            max_samples=samples,
            beam_size=self._config.beam_size,
            words=words,
        )
        return [*self._store(), Submit(job)], job

    def answered(self, job_id: str) -> bool:
        """Whether this is the partial that was awaited; it no longer is."""
        if job_id != self._awaited:
            return False
        self._awaited = None
        return True

    def forget_partial(self) -> None:
        """Give up an outstanding partial: it is taken for lost."""
        self._awaited = None

    def _store(self) -> list[Effect]:
        if not self._pending:
            return []
        stored = StoreAudio(self.segment_id, self._stored, bytes(self._pending))
        self._stored += self.pending
        self._pending.clear()
        return [stored]

    def _job(self, kind: Kind, job_id: str, *, end: int | None, max_samples: int, beam_size: int, words: bool) -> Job:
        return Job(
            job_id=job_id,
            group=group_name(self._uid),
            segment_id=self.segment_id,
            kind=kind,
            audio_key=audio_key(self._uid, self.segment_id),
            end=end,
            max_samples=max_samples,
            language=self._config.language,
            beam_size=beam_size,
            word_timestamps=words,
        )
