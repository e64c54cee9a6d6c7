"""What the server says of itself."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from benchmarks.observe import http_url, increments, parse_counters, status

EXPOSITION = """\
# HELP stt_jobs_total Jobs
# TYPE stt_jobs_total counter
stt_jobs_total{kind="partial",outcome="shed",worker="a"} 2.0
stt_jobs_total{kind="partial",outcome="shed",worker="b"} 3.0
# TYPE stt_jobs_created gauge
stt_jobs_created{kind="partial",outcome="shed",worker="a"} 1.7e9
# TYPE stt_sessions_active gauge
stt_sessions_active 4.0
# TYPE django_http_requests_total counter
django_http_requests_total 9.0
"""


def test_the_services_counters_are_summed_over_workers() -> None:
    """Gauges and other people's counters are left out."""
    assert parse_counters(EXPOSITION) == {"stt_jobs_total{kind=partial,outcome=shed}": 5.0}


def test_only_counters_that_moved_are_told() -> None:
    """New ones have moved from nothing."""
    assert increments({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 5.0, "c": 1.0}) == {"b": 3.0, "c": 1.0}


@pytest.mark.parametrize(("token", "sent"), [("t0ken", "Bearer t0ken"), ("", None)])
def test_the_status_token_of_the_environment_is_sent(
    monkeypatch: pytest.MonkeyPatch, token: str, sent: str | None
) -> None:
    """If the environment has one; a server that wants it tells nothing otherwise."""
    asked: list[str | None] = []

    class Status(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "ready"}')

    monkeypatch.setenv("STT_STATUS_TOKEN", token)
    with HTTPServer(("127.0.0.1", 0), Status) as server:
        Thread(target=server.handle_request, daemon=True).start()
        found = status(f"ws://127.0.0.1:{server.server_port}/ws/stt")

    assert (found, asked) == ({"status": "ready"}, [sent])


@pytest.mark.parametrize(
    ("url", "http"),
    [
        ("ws://host:8000/ws/stt", "http://host:8000/metrics"),
        ("wss://host/ws/stt?key=1", "https://host/metrics"),
    ],
)
def test_http_lives_beside_the_websocket(url: str, http: str) -> None:
    """Same host, same security."""
    assert http_url(url, "/metrics") == http
