"""What a session asks its shell to do, in order."""

from dataclasses import dataclass
from typing import Literal

from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Job
from transcription.core.metadata import NOTHING, Metadata
from transcription.core.protocol import CloseCode, EndReason, FinalTranscript, ServerMessage
from transcription.core.resuming import Checkpoint
from transcription.core.session.trace import Event, SegmentTrace


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to the client."""

    message: ServerMessage
    again: bool = False
    """Whether the client was sent it before, over the connection that the session goes on from."""


@dataclass(frozen=True, slots=True)
class Admit:
    """Ask admission for a place; answer with `Session.receive_admission`."""

    session_id: str
    resume_window_s: float = 0.0
    """For how long it may be resumed, and whether to go on with the session of that name, should it be there."""


@dataclass(frozen=True, slots=True)
class StoreAudio:
    """Put samples into the segment's buffer in Redis; answer with `Session.audio_stored`."""

    segment_id: str
    offset: int
    """Where in the segment they belong, in samples."""
    pcm: bytes


@dataclass(frozen=True, slots=True)
class StoreBefore:
    """Put the audio of the segment before it beside a segment's own, for a job that names it."""

    segment_id: str
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
    """All of the segment's audio, from its first sample on."""


@dataclass(frozen=True, slots=True)
class CheckJobs:
    """Find out what has become of finals; answer with `Session.receive_result` or `Session.receive_loss`."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CancelPartials:
    """Let a segment's partials up to `number` not be decoded any more: its final has been asked for."""

    segment_id: str
    number: int


@dataclass(frozen=True, slots=True)
class CountSpeculation:
    """A final decoded ahead of its endpoint was used, or kept as the beginning of a longer one, or neither."""

    outcome: Literal["hit", "kept", "miss"]


@dataclass(frozen=True, slots=True)
class DiscardAudio:
    """Delete segments' Redis buffers; jobs that still wait for them are not run."""

    segment_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SaveCheckpoint:
    """Note how far the session's answers go, for another connection to go on with it."""

    session_id: str
    checkpoint: Checkpoint
    ttl_s: int
    """How long it is good for, unless it is written again."""


@dataclass(frozen=True, slots=True)
class RecordOpened:
    """Note the session in the audit records."""

    session_id: str
    config: SessionConfig
    metadata: Metadata = NOTHING


@dataclass(frozen=True, slots=True)
class RecordSegment:
    """Note a final in the audit records."""

    final: FinalTranscript
    trace: SegmentTrace
    dropped_text: str = ""
    """What the model wrote and nobody said."""


@dataclass(frozen=True, slots=True)
class RecordFailedSegment:
    """Note in the audit records a segment that will get no final."""

    segment_id: str
    start_ms: float
    duration_ms: float
    reason: str
    trace: SegmentTrace
    channel: int | None = None
    """Of several."""


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
    language: str = ""
    """What was spoken, as far as was known in the end."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; the session is over."""

    code: CloseCode


Effect = (
    Send
    | Admit
    | StoreAudio
    | StoreBefore
    | Submit
    | Resend
    | CheckJobs
    | CancelPartials
    | CountSpeculation
    | DiscardAudio
    | SaveCheckpoint
    | RecordOpened
    | RecordSegment
    | RecordFailedSegment
    | RecordClosed
    | Close
)
