"""What a session says: the transcript messages, with their latency receipt, and how much it is given to do."""

from transcription.core.audio import ms_from_samples
from transcription.core.jobs import Transcript
from transcription.core.ledger import Entry
from transcription.core.protocol import FinalTranscript, PartialTranscript, Status, Timing
from transcription.core.shedding import Effort
from transcription.core.utterance import Utterance


def partial(session_id: str, utterance: Utterance, answer: Transcript, text: str, total_s: float) -> PartialTranscript:
    """An open segment's text so far."""
    return PartialTranscript(
        session_id=session_id,
        segment_id=utterance.segment_id,
        text=text,
        confidence=round(answer.confidence, 3),
        stable_text=utterance.stable_text,
        speculative=utterance.speculation is not None,
        audio_end_ms=ms_from_samples(utterance.start + answer.audio_end),
        timing=timing(answer, total_s),
    )


def final(session_id: str, entry: Entry, answer: Transcript) -> FinalTranscript:
    """A segment's text for good."""
    return FinalTranscript(
        session_id=session_id,
        segment_id=answer.segment_id,
        text=answer.text,
        confidence=round(answer.confidence, 3),
        words=answer.words,
        audio_duration_ms=ms_from_samples(entry.samples),
        audio_start_ms=ms_from_samples(entry.start),
        timing=timing(answer, entry.answered_at - entry.asked_at),
    )


def status(session_id: str, step: int, effort: Effort) -> Status:
    """What a step means for a session."""
    return Status(
        session_id=session_id, step=step, partials=effort.partials, partial_interval_ms=effort.partial_interval_ms
    )


def timing(answer: Transcript, total_s: float) -> Timing:
    """The web process's own clock gives the total, the worker's durations its parts; the rest was waiting."""
    worked = [answer.preprocess_ms, answer.inference_ms, answer.postprocess_ms]
    waited = max(total_s * 1000 - sum(worked), 0.0)
    preprocess, inference, postprocess, waited = (round(part, 2) for part in (*worked, waited))
    return Timing(
        preprocess_ms=preprocess,
        queue_wait_ms=waited,
        inference_ms=inference,
        postprocess_ms=postprocess,
        server_total_ms=round(preprocess + waited + inference + postprocess, 2),
    )
