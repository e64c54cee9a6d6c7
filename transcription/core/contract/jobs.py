"""The contract between web and worker: what a job is, and what answers it.

Audio never travels in a job. It lies in Redis under `Job.audio_key`, 16 kHz 16-bit PCM from the segment's first
sample on, and a job names a stretch of it.
"""

from enum import StrEnum

import msgspec

from transcription.core.config import Task
from transcription.core.contract.keyspace import FINAL_PRIORITY, PARTIAL_PRIORITY, RECORDED_PRIORITY
from transcription.core.contract.tracing import About, log_context
from transcription.core.protocol import Dropped, Word

TASK_NAME = "workers.transcribe"


class Kind(StrEnum):
    """What a job is for."""

    PARTIAL = "partial"
    FINAL = "final"


RECORDED = "recorded"
"""What metrics call a final of a recording, beside the kinds."""
RECORDED_TURN_S = 4.0
"""A worker begins with a final of a recording so long after the last one, whatever partials wait."""


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """The segment before a job's, in the same breath; the decoder is held to its text, and goes on from there."""

    audio_key: str
    text: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One decode that a session asks for, as it travels in a Celery message (JSON)."""

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
    before: Before | None = None
    """What it may be decoded together with."""
    believed: str = ""
    """What a final of less of this audio said; a text that begins with the same words is believed, too."""
    task: Task = "transcribe"
    """What is written: what was said, or that in English."""
    endpointed: bool = True
    """Whether an endpointer has found speech in the segment; where none has looked, the worker does."""
    recorded: bool = False
    """Whether its audio was all there before: nobody is waiting while they speak, so it yields to those who are."""
    keyterms: tuple[str, ...] = ()
    """Names that may be said, as they are written."""
    turn: bool = False
    """Whether it matters how likely the turn is over with its audio."""
    about: About = {}
    """For logs and traces; in the message's headers."""
    languages: dict[str, float] = {}
    """Those that it may be in, with what speaks for each (`core/languages.py`); empty: it is in `language`."""

    @property
    def priority(self) -> int:
        """Celery priority: finals before partials, always; those of recordings after both."""
        return RECORDED_PRIORITY if self.recorded else FINAL_PRIORITY if self.kind is Kind.FINAL else PARTIAL_PRIORITY

    @property
    def label(self) -> str:
        """What metrics call it."""
        return RECORDED if self.recorded else self.kind

    def log_context(self) -> dict[str, object]:
        """What may be logged of a job."""
        told: dict[str, object] = {"job_id": self.job_id, "segment_id": self.segment_id, "kind": self.kind}
        return told | {"uid": self.job_id.partition(":")[0]} | log_context(self.about)


def job_by_itself(
    name: str,
    kind: Kind,
    *,
    language: str,
    beam_size: int,
    word_timestamps: bool = False,
    keyterms: tuple[str, ...] = (),
) -> Job:
    """A decode that no session asks for: its audio is given to the engine together with it."""
    return Job(
        job_id=name,
        group=name,
        segment_id=name,
        kind=kind,
        audio_key="",
        overtaken_key="",
        number=0,
        start=0,
        end=None,
        language=language,
        beam_size=beam_size,
        word_timestamps=word_timestamps,
        keyterms=keyterms,
    )


class Transcript(msgspec.Struct, frozen=True, kw_only=True, tag="transcript"):
    """The answer to a job: what its audio says, and what that cost."""

    job_id: str
    segment_id: str
    kind: Kind
    text: str
    confidence: float
    """Mean token probability, 0 to 1; 0 for no text."""
    words: list[Word]
    audio_end: int
    """Position in the segment after the last sample decoded."""
    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float
    batch_wait_ms: float = 0.0
    """Waiting inside the worker for the model."""
    batch_size: int = 1
    """How many requests were decoded together."""
    dropped: Dropped | None = None
    """Why the text is empty although the model wrote one."""
    dropped_text: str = ""
    """What it wrote; for the audit alone."""
    sure_words: int | None = None
    """Of a partial's words, how many from the first on the model was sure of; `None` where it does not say."""
    language: str = ""
    """What the text is in, if that was to be found out."""
    evidence: dict[str, float] = {}
    """What the audio says for each of the job's `languages`; empty where none was found out."""
    turn_probability: float | None = None
    """How likely the turn is over with the audio, 0 to 1; `None` where nobody can say or was asked to."""


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


def nothing(job: Job) -> Transcript:
    """The answer to a job without audio, which nobody has to do."""
    return Transcript(
        job_id=job.job_id,
        segment_id=job.segment_id,
        kind=job.kind,
        text="",
        confidence=0.0,
        words=[],
        audio_end=0,
        preprocess_ms=0.0,
        inference_ms=0.0,
        postprocess_ms=0.0,
    )


_result_decoder: msgspec.msgpack.Decoder[Result] = msgspec.msgpack.Decoder(Result)


def encode_result(result: Result) -> bytes:
    """A result as it travels to its session and lies in Redis (MessagePack)."""
    return msgspec.msgpack.encode(result)


def decode_result(raw: bytes) -> Result:
    """What `encode_result` wrote. Raises `msgspec.DecodeError` for anything else."""
    return _result_decoder.decode(raw)
