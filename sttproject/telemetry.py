"""What is behind OpenTelemetry's interface: an exporter of traces, where OTEL_EXPORTER_OTLP_ENDPOINT says where to.

The SDK reads its other variables itself (OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES …).
"""

from importlib.util import find_spec

from sttproject import env


def is_installed() -> bool:
    """Whether requirements/otel.txt is."""
    return bool(find_spec("opentelemetry.sdk") and find_spec("opentelemetry.exporter"))


def start(stt: env.Env) -> None:
    """Export this process's spans from now on, in a thread, if that is asked for and can be done."""
    if not stt.otlp_endpoint or not is_installed():
        return
    from opentelemetry import trace  # the SDK and requests are heavy, and not part of every installation
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    ours = Resource.create({"service.name": "whisper-stt"})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    exporter = OTLPSpanExporter(endpoint=f"{stt.otlp_endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
