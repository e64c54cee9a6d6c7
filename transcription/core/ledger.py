"""What a session waits for: the finals it has asked for, in order of speech, each answered once.

Results may be late, doubled, out of order or lost. The ledger releases them in order, ignores what it does not wait
for, says which are overdue, and gives up on a segment after `MAX_ATTEMPTS`, or when it has waited `max_wait_s`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from transcription.core.jobs import Failure, Job, Result, Transcript

MAX_ATTEMPTS = 3
INQUIRE_AFTER_S = 1.5
"""A final not answered for so long is asked after, and again after as long: it may be in nobody's hands any more."""


@dataclass(slots=True)
class Entry:
    """A segment whose final is awaited."""

    job: Job
    start: int
    """Position of its first sample in the session."""
    samples: int
    submitted_at: float
    """When its job was last sent."""
    asked_at: float
    """When its job was first sent."""
    pcm: bytearray
    """The segment's audio, kept until it is answered: Redis may lose it."""
    inquired_at: float = 0.0
    speech_end: int = 0
    """Position after which no speech was heard."""
    closed_at: float = 0.0
    """When the segment's endpoint was heard."""
    partials: list[tuple[float, float, int]] = field(default_factory=list)
    """The segment's partials, for the records; see `core/trace.py`."""
    flush_id: str | None = None
    """The client's name for the flush that closed the segment."""
    attempts: int = 1
    answer: Result | None = None
    answered_at: float = 0.0


@dataclass(slots=True)
class Ledger:
    """The finals a session waits for."""

    timeout_s: float
    max_wait_s: float
    _entries: dict[str, Entry] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def segment_ids(self) -> tuple[str, ...]:
        """The segments awaited, in order of speech."""
        return tuple(self._entries)

    def expect(self, entry: Entry) -> None:
        """Wait for a final, which may have been answered already."""
        self._entries[entry.job.segment_id] = entry

    def audio_of(self, segment_id: str) -> bytearray:
        """A segment's audio; empty when it is not awaited."""
        entry = self._entries.get(segment_id)
        return entry.pcm if entry else bytearray()

    def receive(self, result: Result, now: float) -> list[Entry]:
        """Take an answer; returns the entry when it is worth another try."""
        entry = self._entries.get(result.segment_id)
        if entry is None or entry.answer is not None or entry.job.job_id != result.job_id:
            return []
        if isinstance(result, Failure) and result.retryable:
            return self._again(entry, result.reason, now)
        entry.answer, entry.answered_at = result, now
        return []

    def unsure(self, now: float) -> tuple[str, ...]:
        """The jobs to ask after."""
        late = [
            entry
            for entry in self._entries.values()
            if entry.answer is None and now >= max(entry.submitted_at, entry.inquired_at) + INQUIRE_AFTER_S
        ]
        for entry in late:
            entry.inquired_at = now
        return tuple(entry.job.job_id for entry in late)

    def lost(self, job_ids: Collection[str], now: float, *, worker_died: bool) -> list[Entry]:
        """The entries to send again, of jobs that nobody has any more.

        Only a worker's death counts as an attempt: the segment may be what killed it.
        """
        again = []
        for entry in self._entries.values():
            if entry.answer is not None or entry.job.job_id not in job_ids:
                continue
            if worker_died:
                again += self._again(entry, f"{entry.attempts} workers failed on this segment", now)
            else:
                entry.submitted_at = now
                again.append(entry)
        return again

    def overdue(self, now: float, backlog_s: float = 0.0) -> list[Entry]:
        """The entries to send again; those out of attempts or time are answered with a failure instead.

        `backlog_s`: how long a job has to wait for its turn; so much later it is taken for lost.
        """
        again = []
        for entry in self._entries.values():
            if entry.answer is not None:
                continue
            if now >= entry.asked_at + self.max_wait_s:
                reason = f"Queue full: no worker got to this segment within {self.max_wait_s:g} s"
                self._give_up(entry, reason, now, queue_full=True)
            elif now >= entry.submitted_at + self.timeout_s + backlog_s:
                again += self._again(entry, f"No answer from the workers after {entry.attempts} tries", now)
        return again

    def release(self) -> list[tuple[Entry, Transcript | Failure]]:
        """The answers whose turn has come, in order of speech."""
        ready = []
        while self._entries:
            segment_id, entry = next(iter(self._entries.items()))
            if entry.answer is None:
                break
            del self._entries[segment_id]
            ready.append((entry, entry.answer))
        return ready

    @staticmethod
    def _give_up(entry: Entry, reason: str, now: float, *, queue_full: bool = False) -> None:
        job = entry.job
        entry.answered_at = now
        entry.answer = Failure(
            job_id=job.job_id,
            segment_id=job.segment_id,
            kind=job.kind,
            reason=reason,
            retryable=False,
            queue_full=queue_full,
        )

    def _again(self, entry: Entry, reason: str, now: float) -> list[Entry]:
        """The entry, to be sent again; if it was tried often enough, the reason is its answer."""
        if entry.attempts >= MAX_ATTEMPTS:
            self._give_up(entry, reason, now)
            return []
        entry.attempts += 1
        entry.submitted_at = now
        return [entry]
