"""A cluster in memory: what `Capacity`, `Outbox` and `Recovery` are to a consumer, without Redis, Celery or workers.

For tests of what stands before it, and for looking at what a session asks for. It admits by the same rules, keeps audio
and checkpoints, and holds jobs until somebody answers them.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from transcription.cluster.outbox import Outgoing, Sender
from transcription.cluster.recovery import JobStates
from transcription.core.audio import BYTES_PER_SAMPLE, pcm_samples
from transcription.core.capacity.admission import (
    Admission,
    Admitted,
    Principal,
    decide,
    decide_on_recording,
    session_exists,
)
from transcription.core.capacity.load import ClusterLoad
from transcription.core.config import Limits
from transcription.core.contract.jobs import Job
from transcription.core.contract.keyspace import audio_key, before_key
from transcription.core.resuming import Checkpoint
from transcription.core.session.effects import (
    CancelPartials,
    DiscardAudio,
    Resend,
    SaveCheckpoint,
    StoreAudio,
    StoreBefore,
    Submit,
)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has a session's place: the owner's uid, and the id of its API key or an empty one."""

    owner: str
    key_id: str
    places: int = 1


class MemoryCluster:
    """All three at once; its attributes are there to be looked at and changed."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.load = ClusterLoad(workers=1, lanes=1, threads=1)
        self.stuck = False
        self.leases: dict[str, Lease] = {}
        """By session id."""
        self.checkpoints: dict[str, tuple[str, Checkpoint]] = {}
        """By session id: whose it is, and what is settled."""
        self.audio: defaultdict[str, bytearray] = defaultdict(bytearray)
        """By the key it would have in Redis."""
        self.jobs: list[Job] = []
        """Those sent, in order."""
        self.cancelled: dict[str, int] = {}
        """By segment: the last partial that need not be decoded any more."""
        self.asked: list[tuple[tuple[str, ...], Callable[[JobStates], None]]] = []
        """What was asked of `Recovery`, and whom to tell."""

    # Capacity

    async def admit(
        self,
        session_id: str,
        owner: str,
        principal: Principal | None = None,
        resume_window_s: float = 0,
        *,
        recorded: bool = False,
        places: int = 1,
    ) -> Admission:
        """Decide by the rules of the cluster (`core/capacity/admission.py`), with the leases and checkpoints here."""
        key_id = principal.key_id if principal else ""
        lease = self.leases.get(session_id)
        before, checkpoint = self.checkpoints.get(session_id, ("", None))
        resumes = resume_window_s > 0 and checkpoint is not None and (lease is None or lease.key_id == key_id)
        if lease and not resumes:
            return session_exists(session_id)
        if not lease:
            load = replace(self.load, sessions=sum(lease.places for lease in self.leases.values()))
            refusal = decide(load, self.limits, places) or (
                decide_on_recording(load, self.limits) if recorded else None
            )
            if refusal:
                return refusal
        self.leases[session_id] = Lease(owner, key_id, places)
        if not resumes or checkpoint is None:
            return Admitted()
        self.checkpoints[session_id] = owner, checkpoint
        return Admitted(checkpoint, before)

    async def release(self, owner: str, *, resumable: bool = False) -> None:
        """Give the place of `owner` back; its checkpoint goes with it unless it is `resumable`."""
        self.leases = {name: lease for name, lease in self.leases.items() if lease.owner != owner}
        if not resumable:
            self.checkpoints = {name: kept for name, kept in self.checkpoints.items() if kept[0] != owner}

    # Outbox

    def put(self, effect: Outgoing, sender: Sender) -> None:
        """Carry the effect out at once, unless the cluster is `stuck`: then it is dropped."""
        if self.stuck:
            return
        match effect:
            case StoreAudio(segment_id=segment_id, offset=offset, pcm=pcm):
                buffer = self.audio[audio_key(sender.uid, segment_id)]
                buffer[offset * BYTES_PER_SAMPLE :] = pcm
                sender.audio_stored(segment_id, pcm_samples(pcm))
            case StoreBefore(segment_id=segment_id, pcm=pcm):
                self.audio[before_key(sender.uid, segment_id)][:] = pcm
            case Submit(job=job):
                self.jobs.append(job)
            case Resend(job=job, pcm=pcm):
                self.audio[job.audio_key][:] = pcm
                self.jobs.append(job)
            case CancelPartials(segment_id=segment_id, number=number):
                self.cancelled[segment_id] = number
            case DiscardAudio(segment_ids=segment_ids):
                for segment_id in segment_ids:
                    for key in (audio_key, before_key):
                        self.audio.pop(key(sender.uid, segment_id), None)
            case SaveCheckpoint(session_id=session_id, checkpoint=checkpoint):
                self.checkpoints[session_id] = sender.uid, checkpoint

    # Recovery

    def ask(self, job_ids: tuple[str, ...], tell: Callable[[JobStates], None]) -> None:
        """Note the question; whoever looks at `asked` answers it."""
        self.asked.append((job_ids, tell))
