"""Deepgram's own SDK sends recordings: what is answered and refused, by the echo engine."""

import http.server
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
from deepgram.core.api_error import ApiError
from real_clients import PCM, recorded, sessions

from harness.audio import silence, speech, wav
from harness.stack import ECHO, Stack
from harness.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore:websockets.*:DeprecationWarning")  # the SDK's own

ONCE: Any = {"max_retries": 0}
LARGE = wav(bytes(2_200_000))
LARGE = LARGE[:24] + struct.pack("<II", 96_000, 192_000) + LARGE[32:]  # not long, for its rate is high
TWICE = speech("s13_pm_alex") + silence(2.5) + speech("s13_pm_alex") + silence(1.0)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """A service with bounds that can be reached, a key for it, and recordings fetched from this host."""
    settings = {
        "STT_AUTH": "required",
        "STT_MAX_SESSIONS": "1",
        "STT_MAX_UPLOAD_MB": "2",
        "STT_MAX_UPLOAD_S": "30",
        "STT_MAX_FRAME_BYTES": "2048",  # the least
        "STT_FETCH_URLS": "true",
        "STT_FETCH_NETWORKS": "127.0.0.1/32",
    }
    with Stack(tmp_path_factory.mktemp("small"), ECHO | settings) as stack:
        stack.start()
        yield stack, stack.manage("createapikey", "files")


def test_samples_without_a_container(echo_stack: Stack) -> None:
    """By the parameters that say what they are; the same as in a WAV."""
    raw = {"encoding": "linear16", "sample_rate": "16000"}
    of_samples = listen(echo_stack, PCM, **raw).json()
    of_wav = listen(echo_stack, wav(PCM), **raw).json()
    without = listen(echo_stack, PCM)

    assert of_samples["results"] == of_wav["results"]
    assert of_samples["results"]["channels"][0]["alternatives"][0]["transcript"]
    assert of_samples["metadata"]["sha256"] != of_wav["metadata"]["sha256"]
    assert without.status_code == 400


def listen(stack: Stack, body: Any, *, key: str = "", kind: str = "audio/wav", **query: str) -> requests.Response:
    headers = {"Content-Type": kind} | ({"Authorization": f"Token {key}"} if key else {})
    return requests.post(f"{stack.http_url}/v1/listen", data=body, params=query, headers=headers, timeout=30)


def test_what_is_said_apart_is_told_apart(echo_stack: Stack) -> None:
    told = listen(echo_stack, wav(TWICE), utterances="true", paragraphs="True").json()
    (alternative,) = told["results"]["channels"][0]["alternatives"]
    first, second = told["results"]["utterances"]

    assert alternative["transcript"] == f"{first['transcript']} {second['transcript']}"
    assert alternative["words"] == first["words"] + second["words"]
    assert first["end"] < second["start"]
    assert len(alternative["paragraphs"]["paragraphs"]) == 2


def test_silence_has_no_words(echo_stack: Stack) -> None:
    (alternative,) = listen(echo_stack, wav(silence(2.0))).json()["results"]["channels"][0]["alternatives"]

    assert alternative == {"transcript": "", "confidence": 0.0, "words": []}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"encoding": "speex"}, "encoding: expected one of linear16"),
        ({"sample_rate": "fast"}, "sample_rate: expected a number"),
        ({"callback": "http://x.example"}, "callback: not supported"),
        ({"multichannel": "true"}, "multichannel: expected a recording of 2 channels, got 1"),
    ],
)
def test_a_parameter_that_cannot_be_served_is_named(echo_stack: Stack, query: dict[str, str], message: str) -> None:
    with recorded(echo_stack) as client, pytest.raises(ApiError) as refused:
        client.transcribe_file(request=wav(PCM), request_options=ONCE | {"additional_query_parameters": query})

    assert refused.value.status_code == 400
    assert refused.value.body["err_code"] == "Bad Request"
    assert message in refused.value.body["err_msg"]
    assert refused.value.headers["dg-request-id"] == refused.value.body["request_id"]


@pytest.mark.parametrize("body", [b"", b"hello" * 1000, wav(PCM)[:40]], ids=["nothing", "text", "half a header"])
def test_what_is_no_recording_is_said_to_be_none(echo_stack: Stack, body: bytes) -> None:
    answer = listen(echo_stack, body)

    assert answer.status_code == 400
    assert "recording" in answer.json()["err_msg"]
    until(lambda: sessions(echo_stack) == 0, "the session's end")


def test_a_wrong_key_and_a_recording_too_large(small: tuple[Stack, str]) -> None:
    stack, key = small
    wrong, none = listen(stack, wav(PCM), key="wrong"), listen(stack, wav(PCM))
    large, long = listen(stack, LARGE, key=key), listen(stack, wav(silence(31.0)), key=key)

    assert [(one.status_code, one.json()["err_code"]) for one in (wrong, none)] == [(401, "INVALID_AUTH")] * 2
    assert [(one.status_code, one.json()["err_code"]) for one in (large, long)] == [(413, "PAYLOAD_TOO_LARGE")] * 2


def test_a_client_that_hangs_up_stops_the_work(small: tuple[Stack, str]) -> None:
    """Meanwhile others are told when to come back; its place is free after it."""
    stack, key = small
    goes = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield wav(silence(20.0))[:100_000]
        goes.wait(30)
        raise OSError("gone")

    def upload() -> None:
        with pytest.raises((OSError, requests.RequestException)):
            listen(stack, slowly(), key=key)

    uploading = threading.Thread(target=upload)
    uploading.start()
    until(lambda: sessions(stack) == 1, "the session")
    with recorded(stack, key) as client, pytest.raises(ApiError) as refused:
        client.transcribe_file(request=wav(PCM), request_options=ONCE)
    goes.set()
    uploading.join()
    until(lambda: sessions(stack) == 0, "the session's end")

    assert refused.value.status_code == 429
    assert refused.value.body["err_code"] == "TOO_MANY_REQUESTS"
    assert refused.value.headers["retry-after-ms"] == "1000"
    assert listen(stack, wav(PCM), key=key).ok


# From elsewhere


class Shelf(http.server.BaseHTTPRequestHandler):
    """Serves recordings by path, from what the test puts there."""

    things: dict[str, Callable[["Shelf"], None]] = {}
    waits = threading.Event()
    """A recording is only half sent."""
    ended = threading.Event()
    """And who asked for it is gone."""

    def do_GET(self) -> None:
        self.things[self.path](self)

    def gives(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def is_slow(self) -> None:
        self.gives(wav(silence(20.0))[:100_000])
        self.waits.set()
        with suppress(ConnectionError):
            assert not self.connection.recv(1)
        self.ended.set()

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def shelf() -> Iterator[str]:
    """Where recordings lie."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shelf) as server:
        here = f"http://127.0.0.1:{server.server_port}"
        Shelf.things = {
            "/a.wav": lambda shelf: shelf.gives(wav(PCM)),
            "/moved": lambda shelf: shelf.gives(b"", 302, Location="/a.wav"),
            "/round": lambda shelf: shelf.gives(b"", 302, Location="/round"),
            "/inside": lambda shelf: shelf.gives(b"", 302, Location="http://127.0.0.2/a.wav"),
            "/file": lambda shelf: shelf.gives(b"", 302, Location="file:///etc/passwd"),
            "/large": lambda shelf: shelf.gives(LARGE),
            "/slow": lambda shelf: shelf.is_slow(),
            "/text": lambda shelf: shelf.gives(b"hello" * 1000),
        }
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield here
        server.shutdown()


@pytest.mark.parametrize("path", ["/a.wav", "/moved"])
def test_a_recording_is_fetched(small: tuple[Stack, str], shelf: str, path: str) -> None:
    stack, key = small
    with recorded(stack, key) as client:
        told = client.transcribe_url(url=shelf + path, request_options=ONCE)
    here = listen(stack, wav(PCM), key=key).json()

    assert told.results.channels[0].alternatives[0].transcript
    assert told.metadata.sha256 == here["metadata"]["sha256"]
    assert (
        told.results.channels[0].alternatives[0].transcript
        == (here["results"]["channels"][0]["alternatives"][0]["transcript"])
    )


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        ("/none", 400, "REMOTE_CONTENT_ERROR", "broken off"),
        ("/round", 400, "REMOTE_CONTENT_ERROR", "at most 5 redirects"),
        ("/inside", 400, "REMOTE_CONTENT_ERROR", "expected a public address"),
        ("/file", 400, "REMOTE_CONTENT_ERROR", "http:// or https://"),
        ("/large", 413, "PAYLOAD_TOO_LARGE", "at most 2 MB"),
        ("/text", 400, "Bad Request", "recording"),
    ],
)
def test_what_cannot_be_fetched_is_told(
    small: tuple[Stack, str], shelf: str, path: str, status: int, code: str, message: str
) -> None:
    stack, key = small
    with recorded(stack, key) as client, pytest.raises(ApiError) as refused:
        client.transcribe_url(url=shelf + path, request_options=ONCE)

    assert (refused.value.status_code, refused.value.body["err_code"]) == (status, code)
    assert message in refused.value.body["err_msg"]
    until(lambda: sessions(stack) == 0, "the session's end")


def test_a_client_that_hangs_up_stops_what_is_fetched_for_it(small: tuple[Stack, str], shelf: str) -> None:
    stack, key = small
    headers = {"Authorization": f"Token {key}", "Content-Type": "application/json"}
    with socket.create_connection(("127.0.0.1", stack.ports[0])) as client:
        body = json.dumps({"url": f"{shelf}/slow"})
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        client.sendall(
            f"POST /v1/listen HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        assert Shelf.waits.wait(30)
        assert sessions(stack) == 1
    until(lambda: sessions(stack) == 0, "the session's end")
    assert Shelf.ended.wait(30)


def test_nothing_is_fetched_unless_the_server_is_told_to(echo_stack: Stack, shelf: str) -> None:
    with recorded(echo_stack) as client, pytest.raises(ApiError) as refused:
        client.transcribe_url(url=f"{shelf}/a.wav", request_options=ONCE)

    assert refused.value.status_code == 400
    assert "STT_FETCH_URLS" in refused.value.body["err_msg"]


@pytest.mark.parametrize("body", ["", "{}", '{"url": 1}', '{"url": "ftp://x/a"}', "x" * 20_000])
def test_a_body_that_names_no_recording(small: tuple[Stack, str], body: str) -> None:
    stack, key = small
    answer = listen(stack, body, key=key, kind="application/json; charset=utf-8")

    assert answer.status_code in (400, 413)
    assert "url" in answer.json()["err_msg"]
