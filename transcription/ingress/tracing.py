"""What logs and traces are told of a session: its segments' spans, and what their jobs take along."""

from dataclasses import replace

import msgspec
from django.conf import settings
from opentelemetry.trace import Span

from transcription.cluster.outbox import Outgoing
from transcription.core.contract import tracing
from transcription.core.contract.tracing import About
from transcription.core.session.effects import RecordFailedSegment, RecordSegment, Resend, StoreAudio, Submit


class Traces:
    """One session's; a segment's span lasts from its first audio to its final, or the error in its place."""

    def __init__(self, uid: str, key: str | None) -> None:
        self.about: About = {"uid": uid} | ({"key": key} if key else {})
        self._wanted = bool(settings.STT.otlp_endpoint) or settings.STT.log_format == "json"
        self._spans: dict[str, Span] = {}

    def admitted(self, session_id: str) -> None:
        """The client has named its session."""
        self.about["session_id"] = session_id

    def mark(self, effect: Outgoing) -> Outgoing:
        """An effect, its job knowing whom it is about, if anybody wants to know; a segment's first audio begins it."""
        if not self._wanted:
            return effect
        match effect:
            case StoreAudio(segment_id=segment_id, offset=0) if segment_id not in self._spans:
                span = tracing.begin("segment", {}, segment_id=segment_id, **self.about)
                self._spans[segment_id] = span
            case Submit(job=job) | Resend(job=job):
                return replace(effect, job=msgspec.structs.replace(job, about=self._of(job.segment_id)))
        return effect

    def exemplar(self, segment_id: str) -> dict[str, str] | None:
        """Of a histogram's observation: the segment's trace, if it has one."""
        found = tracing.trace_id(self._of(segment_id)) if segment_id in self._spans else ""
        return {"trace_id": found} if found else None

    def end(self, record: RecordSegment | RecordFailedSegment) -> None:
        """The segment has what it will get."""
        segment_id = record.final.segment_id if isinstance(record, RecordSegment) else record.segment_id
        if span := self._spans.pop(segment_id, None):
            span.set_attributes({"latency_ms": record.trace.latency_ms, "attempts": record.trace.attempts})
            span.set_attribute("outcome", "final" if isinstance(record, RecordSegment) else "failed")
            span.end()

    def close(self) -> None:
        """The session is over: what is still open was given up."""
        for span in self._spans.values():
            span.set_attribute("outcome", "given up")
            span.end()
        self._spans.clear()

    def log_context(self) -> dict[str, str]:
        """What lines of the log say of the session."""
        return tracing.log_context(self.about)

    def _of(self, segment_id: str) -> About:
        span = self._spans.get(segment_id)
        return self.about if span is None else tracing.beneath(span, self.about)
