"""A running web process, given anything over a real socket."""

import contextlib
import json

import psutil
import requests
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import connect

from harness.stack import Stack
from harness.waiting import until
from tests.fuzz.inputs import INPUTS, audio, texts

LEAST = 20
MIB = 2**20
frames = st.one_of(
    texts.map(lambda text: ("text", text.encode("utf-8", "replace"))),
    st.just(("text", b'{"type": "start_session", "config": {"vad_enabled": false}}')),
    audio.map(lambda pcm: ("binary", pcm)),
    st.binary(max_size=30).map(lambda raw: ("text", raw)),
)


def test_whatever_is_sent_the_process_goes_on_as_before(echo_stack: Stack) -> None:
    """No internal error; afterwards no session, place, channel or buffer is left, and memory is where it was."""
    web = echo_stack.webs[0]
    rss: list[float] = []
    inputs = 0

    @settings(max_examples=INPUTS // LEAST, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(frames, min_size=LEAST, max_size=2 * LEAST), st.sampled_from(["abort", "close", "read"]))
    def send(said: list[tuple[str, bytes]], leave: str) -> None:
        nonlocal inputs
        inputs += len(said)
        codes = []
        with connect(echo_stack.ws_url, compression=None, close_timeout=1) as ws:
            with contextlib.suppress(websockets.ConnectionClosed):
                for kind, frame in said:
                    ws.send(frame, text=kind == "text")
                if leave == "read":
                    ws.send('{"type": "end_session"}')
                    with contextlib.suppress(TimeoutError):
                        while True:
                            codes.append(json.loads(ws.recv(0.05)).get("code"))
            if leave == "abort":
                ws.socket.close()
        assert "INTERNAL_ERROR" not in codes
        rss.append(psutil.Process(web.pid).memory_info().rss / MIB)

    send()

    assert web.returncode is None
    assert 'code="INTERNAL_ERROR"' not in requests.get(f"{echo_stack.http_url}/metrics", timeout=5).text
    assert inputs >= INPUTS
    until(lambda: not echo_stack.redis.zcard("stt:sessions"), "places to be free")
    until(lambda: not echo_stack.redis.pubsub_channels("stt*"), "channels to be left")
    until(lambda: not echo_stack.redis.keys("stt:audio:*"), "buffers to be deleted")
    third = len(rss) // 3
    assert rss[-1] - rss[third] < 20, f"RSS grew from {rss[third]:.0f} to {rss[-1]:.0f} MiB"
