"""Lines of the log in JSON, and what is said in them of jobs and sessions."""

import io
import json
import logging
import sys
from typing import Any

import msgspec
import pytest
from pytest_django.fixtures import Settings

from transcription.core.contract.jobs import Kind, job_by_itself
from transcription.core.session.effects import StoreAudio, Submit
from transcription.ingress.json_lines import JsonLine
from transcription.ingress.server import AccessLog
from transcription.ingress.tracing import Traces

TRACE = "0af7651916cd43dd8448eb211c80319c"
ABOUT = {"uid": "u1", "session_id": "call-1", "key": "crm", "traceparent": f"00-{TRACE}-b7ad6b7169203331-03"}
JOB = msgspec.structs.replace(job_by_itself("u1:seg-0001:f1", Kind.FINAL, language="pt", beam_size=1), about=ABOUT)


def line(message: str, *arguments: object, **options: Any) -> dict[str, Any]:
    record = logging.LogRecord("a.b", logging.WARNING, __file__, 1, message, arguments, options.pop("exc_info", None))
    record.__dict__ |= options
    written = JsonLine().format(record)
    assert "\n" not in written
    return json.loads(written)


def test_a_line_is_an_object_without_secrets() -> None:
    found = line("refused %s\nand more", "stt_0123456789ab_secret", client="10.0.0.1", request=object())

    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "WARNING",
        "logger": "a.b",
        "message": "refused stt_0123456789ab_***\nand more",
        "client": "10.0.0.1",
    }


def test_a_traceback_is_in_its_line_without_secrets() -> None:
    try:
        raise ValueError("stt_0123456789ab_secret")  # noqa: TRY301 - a traceback is wanted
    except ValueError:
        found = line("failed", exc_info=sys.exc_info())

    assert "Traceback" in found["error"]
    assert "stt_0123456789ab_***" in found["error"]


def test_a_job_says_whom_it_is_about() -> None:
    """Web process and worker log the same of it."""
    found = line("failed", **JOB.log_context())

    assert {name: found[name] for name in ("uid", "session_id", "key", "trace_id", "segment_id", "job_id")} == {
        "uid": "u1",
        "session_id": "call-1",
        "key": "crm",
        "trace_id": TRACE,
        "segment_id": "u1:seg-0001:f1",
        "job_id": "u1:seg-0001:f1",
    }
    assert "traceparent" not in found


def test_a_trace_that_is_not_sampled_is_not_named() -> None:
    unsampled = msgspec.structs.replace(JOB, about=ABOUT | {"traceparent": ABOUT["traceparent"][:-1] + "2"})

    assert "trace_id" not in unsampled.log_context()


@pytest.mark.parametrize(("log_format", "told"), [("text", {}), ("json", {"uid": "u1", "key": "crm"})])
def test_jobs_take_along_what_somebody_wants_to_know_and_nothing_else(
    settings: Settings, log_format: str, told: dict[str, str]
) -> None:
    settings.STT = settings.STT.model_copy(update={"log_format": log_format})
    traces = Traces("u1", "crm")
    traces.mark(StoreAudio("seg-0001", 0, b""))
    plain = Submit(msgspec.structs.replace(JOB, about={}))
    marked = traces.mark(plain)

    assert isinstance(marked, Submit)
    assert marked.job.about == told
    assert (marked is plain) is (log_format == "text")
    assert traces.exemplar("seg-0001") is None


def test_the_access_log_is_json_too(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.STT = settings.STT.model_copy(update={"log_format": "json"})
    stream = io.StringIO()
    caplog.set_level(logging.INFO)
    asked = {"client": "10.0.0.1:5", "method": "GET", "path": "/?token=abc", "status": 200, "size": 5}
    AccessLog(stream)("http", "complete", asked)
    found = json.loads(JsonLine().format(caplog.records[-1]))

    assert stream.getvalue() == ""
    assert {name: found[name] for name in ("client", "request", "status", "length")} == {
        "client": "10.0.0.1:5",
        "request": "GET /?token=***",
        "status": 200,
        "length": 5,
    }
