"""The launched service as an operator has it: its log in JSON, its traces, exemplars that lead to them."""

import gzip
import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness.audio import noise
from harness.launched import Launched
from harness.processes import bare_environment, free_port
from harness.stack import ECHO
from harness.talker import Talker
from harness.waiting import until

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}


@dataclass
class Collector:
    """A real server that takes OTLP, and what it was sent."""

    port: int = field(default_factory=free_port)
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    raw: list[bytes] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {a.value.string_value for a in resource.resource.attributes if a.key == "service.name"}
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", collector.port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield collector
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def service(tmp_path: Path, collector: Collector) -> Iterator[Launched]:
    """Everything there is to start, each logging JSON and tracing."""
    settings = ECHO | {
        "STT_LOG_FORMAT": "json",
        "STT_WEBHOOK_HOSTS": "hooks.example.com",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with Launched(tmp_path, bare_environment(), **settings) as service:
        service.until(lambda: "Whisper STT is ready" in service.output())
        yield service


def lines(service: Launched) -> list[dict]:
    """Its log: a line that is no JSON fails."""
    return [json.loads(line) for line in service.output().splitlines()]


def attributes(span: Span) -> dict[str, str]:
    return {attribute.key: attribute.value.string_value for attribute in span.attributes}


async def test_a_segment_is_one_trace_and_every_line_of_the_log_an_object(
    service: Launched, collector: Collector
) -> None:
    """From the web process over the broker to the worker; exemplars name the trace; nothing quotes what was said."""
    async with Talker(service.ws_url) as talker:
        await talker.start(session_id="call-1", config={"vad_enabled": False, "partial_results": False})
        await talker.stream(noise(0.5), pace=0)
        await talker.say("flush")
        final = await talker.until("final_transcript")
        await talker.end()
    until(lambda: collector.named("segment") and collector.named("decode"), "the spans")
    (segment,) = collector.named("segment")
    page = service.ws_url.replace("ws:", "http:").replace("/ws/stt", "/metrics")
    openmetrics = requests.get(page, headers=OPENMETRICS, timeout=10)
    plain = requests.get(page, timeout=10)
    (worker,) = (child for child in service.children() if "celery" in child.cmdline())
    senders = [child for child in service.children() if "webhooks" in child.cmdline()]
    worker.terminate()
    service.until(lambda: "Warm shutdown" in service.output() or service.process.poll() is not None)
    service.process.send_signal(signal.SIGTERM)
    service.ended()

    assert len(senders) == 1

    about = attributes(segment)
    published = {span.span_id: span for span in collector.named("publish")}
    assert (about["session_id"], about["segment_id"], about["outcome"]) == ("call-1", final["segment_id"], "final")
    assert {span.parent_span_id for span in published.values()} == {segment.span_id}
    assert {span.parent_span_id for span in collector.named("decode")} == set(published)
    assert {span.trace_id for span in collector.spans} == {segment.trace_id}
    assert {attributes(span)["outcome"] for span in collector.named("decode")} == {"done"}
    assert collector.services == {"whisper-stt"}
    assert final["text"].encode() not in b"".join(collector.raw)

    exemplars = {
        sample.exemplar.labels["trace_id"]
        for family in text_string_to_metric_families(openmetrics.text)
        if family.name in ("stt_stage_seconds", "stt_final_actual_seconds")
        for sample in family.samples
        if sample.exemplar
    }
    assert exemplars == {segment.trace_id.hex()}
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert "trace_id" not in plain.text

    log = lines(service)
    opened, closed = (line for line in log if line.get("action") in ("session_opened", "session_closed"))
    assert opened["session_id"] == closed["session_id"] == "call-1"
    assert opened["uid"] == closed["uid"] == about["uid"]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in log))
    assert {line["logger"].partition(".")[0] for line in log} >= {"launcher", "workers", "transcription"}
    assert any("Warm shutdown" in line["message"] for line in log)
    assert final["text"] not in service.output()
