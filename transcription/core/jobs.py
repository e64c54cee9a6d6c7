"""The contract between web and worker: what a job is, what answers it, and what they are called in Redis.

Audio never travels in a job. It lies in Redis under `Job.audio_key`, 16 kHz 16-bit PCM from the segment's first
sample on, and a job names a stretch of it.
"""

from enum import StrEnum

import msgspec

from transcription.core.protocol import Word

TASK_NAME = "workers.transcribe"
QUEUE = "stt"
MESSAGE_TYPE = "stt.result"
"""Type of the channel-layer message that carries a result."""

PRIORITY_STEPS = (0, 3, 6, 9)
"""Celery's priority buckets on Redis, 0 first."""

AUDIO_TTL_S = 300
"""How long a segment's audio outlives its last append."""
RESULT_TTL_S = 60
"""How long a result's stored copy may be fetched."""


class Kind(StrEnum):
    """What a job is for."""

    PARTIAL = "partial"
    FINAL = "final"

    @property
    def priority(self) -> int:
        """Celery priority: finals before partials, always."""
        return 0 if self is Kind.FINAL else 6


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One decode asked for."""

    job_id: str
    """Unique; the same when a final is sent again, so that its answers can be told apart from others'."""
    group: str
    """Channel-layer group that awaits the result."""
    segment_id: str
    kind: Kind
    audio_key: str
    overtaken_key: str
    """Where Redis holds the number of the segment's last partial that need not be decoded any more."""
    number: int
    """A partial's number within its segment."""
    start: int
    """Decode from this sample of the segment on."""
    end: int | None
    """Decode up to this sample; `None`: all there is when the worker starts."""
    language: str
    beam_size: int
    word_timestamps: bool
    prefix: str = ""
    """Words known to begin the text, which the decoder is held to."""

    def log_context(self) -> dict[str, object]:
        """What may be logged of a job."""
        return {"job_id": self.job_id, "segment_id": self.segment_id, "kind": self.kind}


class Transcript(msgspec.Struct, frozen=True, kw_only=True, tag="transcript"):
    """A job's answer."""

    job_id: str
    segment_id: str
    kind: Kind
    text: str
    confidence: float
    """Mean token probability, 0 to 1; 0 for no text."""
    words: list[Word]
    audio_end: int
    """The position, in the segment, after the last sample decoded."""
    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float
    batch_wait_ms: float = 0.0
    """Waiting inside the worker for the model."""
    batch_size: int = 1
    """How many requests were decoded together."""


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failure"):
    """Why a job has no transcript."""

    job_id: str
    segment_id: str
    kind: Kind
    reason: str
    """Fit to be sent to a client."""
    retryable: bool
    queue_full: bool = False
    """Whether the job was never begun, for want of a worker."""


Result = Transcript | Failure

_result_decoder: msgspec.msgpack.Decoder[Result] = msgspec.msgpack.Decoder(Result)


def encode_result(result: Result) -> bytes:
    """A result as bytes for Redis."""
    return msgspec.msgpack.encode(result)


def decode_result(raw: bytes) -> Result:
    """What `encode_result` wrote."""
    return _result_decoder.decode(raw)


def group_name(session_uid: str) -> str:
    """The channel-layer group of a session."""
    return f"stt.session.{session_uid}"


def audio_key(session_uid: str, segment_id: str) -> str:
    """Where a segment's audio lies in Redis."""
    return f"stt:audio:{session_uid}:{segment_id}"


def overtaken_key(session_uid: str, segment_id: str) -> str:
    """Where the number of a segment's last overtaken partial lies in Redis."""
    return f"stt:overtaken:{session_uid}:{segment_id}"


def claim_key(job_id: str) -> str:
    """Where the id of the worker that took a final lies in Redis."""
    return f"stt:claim:{job_id}"


def result_key(job_id: str) -> str:
    """Where a result's copy lies in Redis."""
    return f"stt:result:{job_id}"
