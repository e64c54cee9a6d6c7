"""Recordings give way to people who speak, and end with whoever sent them: a slow echo engine with one lane."""

import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from harness.audio import noise, silence, speech, wav
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import until
from tests.cluster.workers import announce
from transcription.cluster.capacity import read_cluster
from transcription.core.capacity.load import ClusterLoad
from transcription.core.config import RECORDING_FINALS

UPLOADS, SEGMENTS = 6, 3
FORM = [
    ("model", (None, "m")),
    ("language", (None, "pt")),
    ("file", ("a.wav", wav((speech("s13_pm_alex") + silence(1.0)) * SEGMENTS))),
]


class Upload:
    """A recording that was sent, whole, and is not answered yet."""

    def __init__(self, stack: Stack) -> None:
        url = f"{stack.http_url}/v1/audio/transcriptions"
        asked = requests.Request("POST", url, files=FORM).prepare()
        assert isinstance(asked.body, bytes)
        headers = ["Content-Type: " + str(asked.headers["Content-Type"]), f"Content-Length: {len(asked.body)}"]
        head = "\r\n".join(["POST /v1/audio/transcriptions HTTP/1.1", "Host: stt", *headers, "", ""])
        self._socket = socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=60)
        self._socket.sendall(head.encode() + asked.body)

    def answer(self) -> int:
        """Its status, once it is there."""
        with self._socket, HTTPResponse(self._socket) as response:
            response.begin()
            return response.status

    def hang_up(self) -> None:
        self._socket.close()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """With one lane that takes 200 ms for whatever it is given."""
    with Stack(tmp_path, ECHO | {"STT_LANES": "1", "STT_ECHO_DECODE_MS": "200"}) as stack:
        yield stack


def load(stack: Stack) -> ClusterLoad:
    """The cluster's, now."""
    return read_cluster(stack.redis).load


async def test_a_final_of_somebody_who_speaks_overtakes_those_of_recordings(stack: Stack) -> None:
    """Six uploads have queued before it, and are all answered after it; they are neither sent twice nor refused."""
    stack.start()
    uploads = [Upload(stack) for _ in range(UPLOADS)]
    until(lambda: load(stack).waiting_recorded >= UPLOADS, "a queue of recordings")
    async with Talker(stack.ws_url) as talker:
        await talker.start(config={"vad_enabled": False, "partial_results": False})
        await talker.stream(noise(0.5), pace=0)
        await talker.end()
        left = load(stack).waiting_recorded

    assert len(talker.of("final_transcript")) == 1
    assert left >= UPLOADS
    assert {upload.answer() for upload in uploads} == {200}
    counted = requests.get(f"{stack.http_url}/metrics", timeout=5).text
    assert f'stt_jobs_total{{kind="recorded",outcome="sent"}} {float(UPLOADS * SEGMENTS)}' in counted
    assert 'stt_jobs_total{kind="recorded",outcome="resent"} 0.0' in counted


def test_what_a_client_that_hangs_up_has_sent_is_not_decoded(stack: Stack) -> None:
    """Its session ends at once, though it is owed as many finals as it may be, and takes its audio with it.

    The worker that it waits for is only heard of; the one that comes finds nothing to decode.
    """
    announce(stack.redis)
    stack.start(workers=0)
    upload = Upload(stack)
    until(lambda: load(stack).waiting_recorded == RECORDING_FINALS, "finals that are owed")
    assert stack.redis.keys("stt:audio:*")
    upload.hang_up()
    until(lambda: not load(stack).sessions, "the session's end")
    assert not stack.redis.keys("stt:audio:*")

    stack.start_worker()
    failed = f'stt_worker_jobs_total{{kind="recorded",outcome="failed"}} {float(RECORDING_FINALS)}'
    until(lambda: any(failed in worker.metrics for worker in read_cluster(stack.redis).workers), "the jobs' answers")
    assert not any("stt_worker_audio_seconds_total{" in worker.metrics for worker in read_cluster(stack.redis).workers)
