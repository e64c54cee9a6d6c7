"""Traces: a segment's spans in the web process, on its way through the broker, in the worker.

Only OpenTelemetry's interface is used here, which does nothing unless `sttproject/telemetry.py` has put something
behind it. What a job is about travels in its message's headers; a parent span is W3C's `traceparent` among it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

HEADER = "stt"
"""The header of a Celery message that holds an `About`."""

SAMPLED = 0x01
"""The flag of a `traceparent` that says that its trace is kept."""

About = dict[str, str]
"""`uid`, `session_id`, `key` (the API key's name) and `traceparent`, those there are."""

_W3C = TraceContextTextMapPropagator()


def begin(name: str, about: About, kind: SpanKind = SpanKind.INTERNAL, /, **attributes: str | float) -> Span:
    """Begin a span, beneath the one that `about` names if it names one."""
    return trace.get_tracer("whisper-stt").start_span(name, _W3C.extract(about), kind, attributes)


def beneath(span: Span, about: About) -> About:
    """The same, with a span as the parent of what comes; unchanged where nothing is traced."""
    if not span.get_span_context().is_valid:
        return about
    told = dict(about)
    _W3C.inject(told, trace.set_span_in_context(span))
    return told


@contextmanager
def spanning(name: str, about: About, kind: SpanKind, /, **attributes: str | float) -> Iterator[About]:
    """A span that lasts as long as the context, and is the current one in it; for what is beneath it.

    There is none where nothing is said of whom it would be about: nobody wants to know.
    """
    if not about:
        yield about
        return
    span = begin(name, about, kind, **attributes)
    with trace.use_span(span, end_on_exit=True):
        yield beneath(span, about)


def note(**attributes: str | float) -> None:
    """Add attributes to the current span."""
    trace.get_current_span().set_attributes(attributes)


def trace_id(about: About) -> str:
    """As logs and exemplars name it (32 hexadecimal digits); empty where there is none, or it is not sampled."""
    parts = about.get("traceparent", "").split("-")
    return parts[1] if len(parts) == 4 and int(parts[3], 16) & SAMPLED else ""


def log_context(about: About) -> dict[str, str]:
    """What may be logged of it."""
    told = {name: value for name, value in about.items() if name != "traceparent"}
    return told | ({"trace_id": found} if (found := trace_id(about)) else {})
