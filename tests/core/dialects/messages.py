"""What a session says, in short."""

from transcription.core.protocol import (
    EndReason,
    Error,
    ErrorCode,
    FinalTranscript,
    PartialTranscript,
    SessionEnded,
    SessionStarted,
    SpeechState,
    Timing,
    VadEvent,
    Word,
)

TIMING = Timing(preprocess_ms=0, queue_wait_ms=0, inference_ms=0, postprocess_ms=0, server_total_ms=0)
STARTED = SessionStarted(session_id="s")
ENDED = SessionEnded(session_id="s", reason=EndReason.COMPLETED, total_audio_ms=2500, total_segments=1)


def speech(state: SpeechState, t_ms: float, segment: int = 1) -> VadEvent:
    return VadEvent(session_id="s", state=state, t_ms=t_ms, segment_id=f"seg-{segment:04d}")


def partial(text: str, *, speculative: bool = False, end_ms: float = 1500.0) -> PartialTranscript:
    return PartialTranscript(
        session_id="s",
        segment_id="seg-0001",
        text=text,
        confidence=0.8,
        stable_text="",
        speculative=speculative,
        audio_end_ms=end_ms,
        timing=TIMING,
    )


def final(text: str, *, segment: int = 1, start_ms: float = 1000.0, flush_id: str | None = None) -> FinalTranscript:
    """A second long, its words a tenth of a second each."""
    words = [
        Word(word=word, start=n / 10, end=n / 10 + 0.1, probability=0.9) for n, word in enumerate(text.split(), start=1)
    ]
    named = {} if flush_id is None else {"flush_id": flush_id}
    return FinalTranscript(
        session_id="s",
        segment_id=f"seg-{segment:04d}",
        text=text,
        confidence=0.9,
        words=words,
        audio_duration_ms=1000.0,
        audio_start_ms=start_ms,
        timing=TIMING,
        **named,
    )


def failed(code: ErrorCode = ErrorCode.INFERENCE_ERROR, **fields: object) -> Error:
    return Error(code=code, message="No luck", session_id="s", **fields)
