"""What a session asks its shell to do, in order."""

from dataclasses import dataclass

from transcription.core.config import SessionConfig
from transcription.core.jobs import Job
from transcription.core.protocol import CloseCode, EndReason, FinalTranscript, ServerMessage
from transcription.core.resuming import Settled
from transcription.core.trace import Event, SegmentTrace


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to the client."""

    message: ServerMessage
    again: bool = False
    """Whether another connection was sent it, too."""


@dataclass(frozen=True, slots=True)
class Admit:
    """Ask admission for a place; answer with `Session.receive_admission`."""

    session_id: str
    resume: bool = False
    """Whether to go on with that session, should it be there."""


@dataclass(frozen=True, slots=True)
class StoreAudio:
    """Put samples into the segment's Redis buffer; answer with `Session.audio_stored`."""

    segment_id: str
    offset: int
    """Where in the segment they belong, in samples."""
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Submit:
    """Send a job to the workers, after all audio asked to be stored before it."""

    job: Job


@dataclass(frozen=True, slots=True)
class Resend:
    """Send a final's job again, after its segment's audio: whatever lost the one may have lost the other."""

    job: Job
    pcm: bytes
    """All of it."""


@dataclass(frozen=True, slots=True)
class Inquire:
    """Ask what has become of finals; answer with `Session.receive_result` or `Session.receive_loss`."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overtake:
    """Let a segment's partials up to `number` not be decoded any more."""

    segment_id: str
    number: int


@dataclass(frozen=True, slots=True)
class CountSpeculation:
    """A final decoded ahead of its endpoint was used, or was not."""

    hit: bool


@dataclass(frozen=True, slots=True)
class DiscardAudio:
    """Delete segments' Redis buffers; jobs that still wait for them are not run."""

    segment_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keep:
    """Note how far the session's answers go, for another connection to go on with it."""

    settled: Settled


@dataclass(frozen=True, slots=True)
class RecordOpened:
    """Note the session in the audit records."""

    session_id: str
    config: SessionConfig


@dataclass(frozen=True, slots=True)
class RecordSegment:
    """Note a final in the audit records."""

    final: FinalTranscript
    trace: SegmentTrace


@dataclass(frozen=True, slots=True)
class RecordFailedSegment:
    """Note in the audit records a segment that will get no final."""

    segment_id: str
    start_ms: float
    duration_ms: float
    reason: str
    trace: SegmentTrace


@dataclass(frozen=True, slots=True)
class RecordClosed:
    """Note the session's end in the audit records, and give its place back."""

    reason: EndReason
    total_audio_ms: float
    total_segments: int
    errors: int
    events: tuple[Event, ...]
    resumable: bool
    """Whether another connection may still go on with it."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; the session is over."""

    code: CloseCode


Effect = (
    Send
    | Admit
    | StoreAudio
    | Submit
    | Resend
    | Inquire
    | Overtake
    | CountSpeculation
    | DiscardAudio
    | Keep
    | RecordOpened
    | RecordSegment
    | RecordFailedSegment
    | RecordClosed
    | Close
)
