"""What a session waits for: the finals it has asked for, in order of speech, each answered once.

Results may be late, doubled, out of order or lost. The ledger releases them in order, ignores what it does not wait
for, says which are overdue, and gives up on a segment after `MAX_ATTEMPTS`, or when it has waited `max_wait_s`.
"""

from dataclasses import dataclass, field

from transcription.core.jobs import Failure, Job, Result, Transcript

MAX_ATTEMPTS = 3


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

    def receive(self, result: Result, now: float) -> Job | None:
        """Take an answer; returns the job when it is worth another try."""
        entry = self._entries.get(result.segment_id)
        if entry is None or entry.answer is not None or entry.job.job_id != result.job_id:
            return None
        if isinstance(result, Failure) and result.retryable and entry.attempts < MAX_ATTEMPTS:
            return self._again(entry, now)
        entry.answer, entry.answered_at = result, now
        return None

    def overdue(self, now: float, backlog_s: float = 0.0) -> list[Job]:
        """The jobs to send again; those out of attempts or time are answered with a failure instead.

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
                if entry.attempts < MAX_ATTEMPTS:
                    again.append(self._again(entry, now))
                else:
                    self._give_up(entry, f"No answer from the workers after {entry.attempts} tries", now)
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

    @staticmethod
    def _again(entry: Entry, now: float) -> Job:
        entry.attempts += 1
        entry.submitted_at = now
        return entry.job
