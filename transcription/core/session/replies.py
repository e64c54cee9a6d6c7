"""What a session says: that it begins and ends, of its segments (speech events, transcripts, failures), of the load.

Transcripts are made here and nowhere else, so that what is redacted here is in no message, record or log.
"""

from dataclasses import dataclass

import msgspec

from transcription.core.audio import ms_from_samples
from transcription.core.config import SAMPLE_RATE, SessionConfig
from transcription.core.contract.jobs import Failure, Transcript
from transcription.core.protocol import (
    EndReason,
    Error,
    ErrorCode,
    FinalTranscript,
    PartialTranscript,
    SessionEnded,
    SessionStarted,
    SpeechState,
    Status,
    Timing,
    VadEvent,
)
from transcription.core.resuming import Checkpoint
from transcription.core.session.effort import Effort
from transcription.core.session.pending_finals import PendingFinal
from transcription.core.session.utterance import Utterance
from transcription.core.session.word_times import bounded
from transcription.core.text.formatting import format_text
from transcription.core.text.redaction import Redaction


@dataclass(frozen=True, slots=True)
class Identity:
    """What a session, or one channel of it, is called."""

    uid: str
    """Inside the service: in keys and groups. The client's own name may be reused."""
    session_id: str
    channel: int | msgspec.UnsetType = msgspec.UNSET
    """Of several."""


def started(
    session_id: str, config: SessionConfig, language: str, resumed: Checkpoint | None, *, resume_asked: bool
) -> SessionStarted:
    """The session begins, or goes on from where it was when it is `resumed`."""
    return SessionStarted(
        session_id=session_id,
        resumed=resumed is not None if resume_asked else msgspec.UNSET,
        audio_received_ms=ms_from_samples(resumed.position) if resumed else msgspec.UNSET,
        language=language if config.detect else msgspec.UNSET,
        languages=list(config.languages) if config.detect else msgspec.UNSET,
    )


def ended(session_id: str, reason: EndReason, total_audio_ms: float, total_segments: int) -> SessionEnded:
    """The session is over, with all that it had."""
    return SessionEnded(
        session_id=session_id, reason=reason, total_audio_ms=total_audio_ms, total_segments=total_segments
    )


def vad_event(who: Identity, utterance: Utterance, state: SpeechState, position: int) -> VadEvent:
    """Speech began, or ended, at a position (samples at 16 kHz from the session's first)."""
    return VadEvent(
        session_id=who.session_id,
        channel=who.channel,
        state=state,
        t_ms=ms_from_samples(position),
        segment_id=utterance.segment_id,
    )


def partial(
    who: Identity, utterance: Utterance, answer: Transcript, text: str, total_s: float, redaction: Redaction
) -> PartialTranscript:
    """An open segment's text so far; `total_s` is how long its job took, from dispatch to answer."""
    shown, stable = redaction.partial(text, utterance.stable_text)
    return PartialTranscript(
        session_id=who.session_id,
        channel=who.channel,
        language=_told(answer, detected=utterance.language.detected),
        segment_id=utterance.segment_id,
        text=shown,
        confidence=round(answer.confidence, 3),
        stable_text=stable,
        speculative=utterance.speculative and shown == redaction.final(text, ())[0],
        audio_end_ms=ms_from_samples(utterance.start + answer.audio_end),
        timing=timing(answer, total_s),
    )


def final(
    who: Identity, pending: PendingFinal, answer: Transcript, redaction: Redaction, *, formats: bool
) -> FinalTranscript:
    """A segment's text for good; with `formats`, as Brazilians write it too."""
    heard = bounded(
        answer.words,
        (pending.speech_at - pending.start) / SAMPLE_RATE,
        (pending.speech_end - pending.start) / SAMPLE_RATE,
    )
    text, words = redaction.final(answer.text, heard)
    formatted = format_text(text, words) if formats else None
    return FinalTranscript(
        session_id=who.session_id,
        channel=who.channel,
        language=_told(answer, detected=pending.detected),
        segment_id=answer.segment_id,
        text=text,
        confidence=round(answer.confidence, 3),
        words=words,
        audio_duration_ms=ms_from_samples(pending.samples),
        audio_start_ms=ms_from_samples(pending.start),
        text_formatted=formatted.text if formatted else msgspec.UNSET,
        entities=formatted.entities if formatted else msgspec.UNSET,
        dropped=answer.dropped or msgspec.UNSET,
        flush_id=msgspec.UNSET if pending.flush_id is None else pending.flush_id,
        timing=timing(answer, pending.answered_at - pending.asked_at),
    )


def failure(who: Identity, pending: PendingFinal, answer: Failure) -> Error:
    """Why a segment has no text."""
    return Error(
        code=ErrorCode.QUEUE_FULL if answer.queue_full else ErrorCode.INFERENCE_ERROR,
        message=answer.reason,
        session_id=who.session_id,
        channel=who.channel,
        segment_id=answer.segment_id,
        flush_id=pending.flush_id,
    )


def status(session_id: str, step: int, effort: Effort) -> Status:
    """What a step means for a session."""
    return Status(
        session_id=session_id, step=step, partials=effort.partials, partial_interval_ms=effort.partial_interval_ms
    )


def _told(answer: Transcript, *, detected: bool) -> str | msgspec.UnsetType:
    """The language that an answer is in, where it is told."""
    return answer.language if detected and answer.language else msgspec.UNSET


def timing(answer: Transcript, total_s: float) -> Timing:
    """The latency receipt: the web process's own clock gives the total (s), the worker's durations its parts (ms).

    What is left over was waiting; rounded parts add up to the total exactly.
    """
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
