"""The finals a session has asked for, in order of speech, each answered once.

Results may be late, doubled, out of order or lost. They are released in order; those nobody waits for are ignored,
those overdue are asked for again, and a segment is given up after `MAX_ATTEMPTS`, or when it has waited `max_wait_s`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from transcription.core.contract.jobs import Failure, Job, Result, Transcript
from transcription.core.session.pieces import Piece, joined

MAX_ATTEMPTS = 3
"""Tries of a segment: enough for one that meets dying workers by chance, few for one that kills them."""
CHECK_AFTER_S = 1.5
"""A final not answered for so long is checked on, and again after as long: it may be in nobody's hands any more."""


PartialShown = tuple[float, float, int]
"""Of a partial: where in the session's audio it ends (ms), its latency (ms), its length (characters)."""


@dataclass(slots=True)
class PendingFinal:
    """A closed segment whose final is awaited. Made whole by the `Utterance`; written by `PendingFinals` alone."""

    job: Job
    start: int
    """Position of its first sample in the session."""
    samples: int
    """How long it is, in samples."""
    speech_at: int
    """Position where speech was first heard in it."""
    speech_end: int
    """Position after which no speech was heard."""
    asked_at: float
    """When its job was first sent."""
    closed_at: float
    """When the segment's endpoint was heard."""
    pcm: bytearray
    """The segment's audio, kept until it is answered: Redis may lose it."""
    partials: list[PartialShown] = field(default_factory=list)
    """The segment's partials, for the records."""
    flush_id: str | None = None
    """The client's name for the flush that closed the segment."""
    answer: Result | None = None
    """There from the first where it was decoded ahead of the endpoint, or where there is nothing to decode."""
    detected: bool = False
    """Whether its language was to be found out."""
    pieces: tuple[Piece, ...] = ()
    """What is known of its beginning already; the job is for the rest."""
    answered_at: float = 0.0
    attempts: int = 1
    sent_again_at: float = 0.0
    checked_at: float = 0.0

    @property
    def end(self) -> int:
        """Position after its last sample."""
        return self.start + self.samples

    @property
    def sent_at(self) -> float:
        """When its job was last sent."""
        return max(self.asked_at, self.sent_again_at)


@dataclass(slots=True)
class PendingFinals:
    """The finals a session waits for."""

    timeout_s: float
    max_wait_s: float
    _finals: dict[str, PendingFinal] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._finals)

    @property
    def segment_ids(self) -> tuple[str, ...]:
        """The segments awaited, in order of speech."""
        return tuple(self._finals)

    def expect(self, final: PendingFinal) -> None:
        """Wait for a final, which may have been answered already."""
        self._finals[final.job.segment_id] = final

    def audio_of(self, segment_id: str) -> bytearray:
        """A segment's audio; empty when it is not awaited."""
        final = self._finals.get(segment_id)
        return final.pcm if final else bytearray()

    def receive(self, result: Result, now: float) -> list[PendingFinal]:
        """Take an answer; returns the final to ask for again when it is worth another try."""
        final = self._finals.get(result.segment_id)
        if final is None or final.answer is not None or final.job.job_id != result.job_id:
            return []
        if isinstance(result, Failure) and result.retryable:
            return self._again(final, result.reason, now)
        final.answer, final.answered_at = result, now
        return []

    def unsure(self, now: float) -> tuple[str, ...]:
        """The jobs to check on now: neither answered nor checked on for `CHECK_AFTER_S`."""
        late = [
            final
            for final in self._finals.values()
            if final.answer is None and now >= max(final.sent_at, final.checked_at) + CHECK_AFTER_S
        ]
        for final in late:
            final.checked_at = now
        return tuple(final.job.job_id for final in late)

    def lost(self, job_ids: Collection[str], now: float, *, worker_died: bool) -> list[PendingFinal]:
        """The finals to ask for again, of jobs that nobody has any more.

        Only a worker's death counts as an attempt: the segment may be what killed it.
        """
        again = []
        for final in self._finals.values():
            if final.answer is not None or final.job.job_id not in job_ids:
                continue
            if worker_died:
                again += self._again(final, f"{final.attempts} workers failed on this segment", now)
            else:
                final.sent_again_at = now
                again.append(final)
        return again

    def overdue(self, now: float, queue_wait_s: float = 0.0) -> list[PendingFinal]:
        """The finals to ask for again; those out of attempts or time are answered with a failure instead.

        `queue_wait_s`: how long a job has to wait for its turn; so much later it is taken for lost.
        """
        again = []
        for final in self._finals.values():
            if final.answer is not None:
                continue
            if now >= final.asked_at + self.max_wait_s:
                reason = f"Queue full: no worker got to this segment within {self.max_wait_s:g} s"
                self._give_up(final, reason, now, queue_full=True)
            elif now >= final.sent_at + self.timeout_s + queue_wait_s:
                again += self._again(final, f"No answer from the workers after {final.attempts} tries", now)
        return again

    def release(self) -> list[tuple[PendingFinal, Transcript | Failure]]:
        """The answers whose turn has come, in order of speech."""
        ready = []
        while self._finals:
            segment_id, final = next(iter(self._finals.items()))
            if final.answer is None:
                break
            del self._finals[segment_id]
            whole = final.answer
            if isinstance(whole, Transcript):
                whole = joined(final.pieces, final.job.start, whole)
            ready.append((final, whole))
        return ready

    @staticmethod
    def _give_up(final: PendingFinal, reason: str, now: float, *, queue_full: bool = False) -> None:
        job = final.job
        final.answered_at = now
        final.answer = Failure(
            job_id=job.job_id,
            segment_id=job.segment_id,
            kind=job.kind,
            reason=reason,
            retryable=False,
            queue_full=queue_full,
        )

    def _again(self, final: PendingFinal, reason: str, now: float) -> list[PendingFinal]:
        """The final, to be asked for again; if it was tried often enough, the reason is its answer."""
        if final.attempts >= MAX_ATTEMPTS:
            self._give_up(final, reason, now)
            return []
        final.attempts += 1
        final.sent_again_at = now
        return [final]
