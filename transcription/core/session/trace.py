"""What the audit records keep of how a segment and a session went: times, stages, partials, events. No transcripts."""

import re

import msgspec

from transcription.core.audio import ms_from_samples
from transcription.core.config import SAMPLE_RATE
from transcription.core.contract.jobs import Failure, Transcript
from transcription.core.session.pending_finals import PartialShown, PendingFinal

MAX_EVENTS = 256
MAX_EVENT_CHARS = 200
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, which PostgreSQL refuses or nobody can see, and halves of characters: a client's words may be quoted."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """From the end of speech to the final's message; the stages follow each other and add up (ms)."""

    vad_wait: float
    """Until the final was asked for: the silence that speech was taken to be over after."""
    queue: float
    """Waiting for a worker, transport and repeated tries included."""
    batch_wait: float
    """Waiting inside the worker for the model."""
    model: float
    """Fetching the audio, features, decoding, making text of it."""
    delivery: float
    """Held back after the answer: for the endpoint, when decoded ahead of it, and for earlier finals."""


class SegmentTrace(msgspec.Struct, frozen=True, kw_only=True):
    """How a segment's final, or its failure, came about. Clock times are ms since the session opened."""

    speech_end_ms: float
    """Where in the session's audio speech was last heard."""
    asked_ms: float
    answered_ms: float
    sent_ms: float
    attempts: int
    batch_size: int
    latency: Latency
    partials: list[PartialShown]

    @property
    def latency_ms(self) -> float:
        """From the end of speech to the message."""
        split = self.latency
        return round(split.vad_wait + split.queue + split.batch_wait + split.model + split.delivery, 2)


def trace(final: PendingFinal, answer: Transcript | Failure, opened_at: float, now: float) -> SegmentTrace:
    """A released answer's trace; `opened_at` and `now` are on the session's clock (seconds)."""
    # speech ended that much before the endpoint was heard, by the audio's own clock
    silence_s = max(final.end - final.speech_end, 0) / SAMPLE_RATE
    vad_wait_s = max(final.asked_at - (final.closed_at - silence_s), 0.0)
    total_ms = (final.answered_at - final.asked_at) * 1000
    worked_ms = batch_wait_ms = 0.0
    batch_size = 0
    if isinstance(answer, Transcript):
        worked_ms = answer.preprocess_ms + answer.inference_ms + answer.postprocess_ms
        batch_wait_ms, batch_size = answer.batch_wait_ms, answer.batch_size
    return SegmentTrace(
        speech_end_ms=ms_from_samples(final.speech_end),
        asked_ms=_ms(final.asked_at - opened_at),
        answered_ms=_ms(final.answered_at - opened_at),
        sent_ms=_ms(now - opened_at),
        attempts=final.attempts,
        batch_size=batch_size,
        latency=Latency(
            vad_wait=_ms(vad_wait_s),
            queue=round(max(total_ms - worked_ms - batch_wait_ms, 0.0), 2),
            batch_wait=round(batch_wait_ms, 2),
            model=round(worked_ms, 2),
            delivery=_ms(max(now - final.answered_at, 0.0)),
        ),
        partials=final.partials,
    )


class Event(msgspec.Struct, kw_only=True):
    """Something an operator should know of a session."""

    t_ms: float
    """How much audio had come in."""
    what: str
    times: int = 1
    """How often in a row."""


class EventLog:
    """A session's events, of more than `MAX_EVENTS` the last standing for the rest, and how many errors it was sent."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.errors = 0

    def error(self, t_ms: float, code: str, message: str, segment_id: str | None = None) -> None:
        """Count an error that the client is sent, and note it."""
        self.errors += 1
        self.note(t_ms, f"{code}: {message}" if segment_id is None else f"{code} ({segment_id}): {message}")

    def note(self, t_ms: float, what: str) -> None:
        """Add an event; the same again only counts."""
        what = _UNPRINTABLE.sub("\ufffd", what[:MAX_EVENT_CHARS])
        if len(self.events) >= MAX_EVENTS:
            what = "more than can be kept"
        if self.events and self.events[-1].what == what:
            self.events[-1].times += 1
        else:
            self.events.append(Event(t_ms=t_ms, what=what))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
