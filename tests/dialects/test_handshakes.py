"""How a dialect's handshake is answered, by the service as it runs."""

import asyncio
import json
from collections.abc import Iterator

import pytest
import requests
import websockets
from websockets.exceptions import InvalidStatus

from harness.audio import frames, noise, silence, speech
from harness.stack import ECHO, Stack

PATHS = ["/v1/listen?encoding=linear16&sample_rate=16000", "/v2/listen?encoding=linear16&sample_rate=16000"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """A service with room for one session, and a key for it."""
    settings = {"STT_AUTH": "required", "STT_MAX_SESSIONS": "1", "STT_PATH_PREFIX": "/stt"}
    with Stack(tmp_path_factory.mktemp("small"), ECHO | settings) as stack:
        stack.start()
        yield stack, stack.manage("createapikey", "dialect")


def address(stack: Stack, path: str) -> str:
    return stack.ws_url.removesuffix("/ws/stt") + path


@pytest.mark.parametrize("path", PATHS)
async def test_a_service_that_is_full_says_so_before_the_upgrade(small: tuple[Stack, str], path: str) -> None:
    """And has room again once the one inside has gone."""
    stack, key = small
    headers = {"Authorization": f"Token {key}"}
    async with websockets.connect(address(stack, path), additional_headers=headers) as inside:
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(address(stack, path), additional_headers=headers)
        await inside.send('{"type": "CloseStream"}')
        assert [message async for message in inside], "and the stream ends well"

    response = refused.value.response
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert response.headers["dg-request-id"]
    assert json.loads(response.body)["err_code"] == "MAX_SESSIONS_REACHED"
    assert inside.close_code == 1000
    async with websockets.connect(address(stack, path), additional_headers=headers):
        pass


@pytest.mark.parametrize("path", PATHS)
async def test_a_browser_gives_its_key_by_subprotocol(small: tuple[Stack, str], path: str) -> None:
    """Which is answered, without the key."""
    stack, key = small
    async with websockets.connect(address(stack, path), subprotocols=["token", key]) as ws:
        assert ws.subprotocol == "token"


@pytest.mark.parametrize(("path", "status"), [(path, 401) for path in PATHS])
async def test_without_a_key(small: tuple[Stack, str], path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(address(small[0], path))

    assert refused.value.response.status_code == status


@pytest.mark.parametrize("path", ["/v1/listen", "/v2/listen"])
async def test_parameters_that_cannot_be_served(echo_stack: Stack, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(address(echo_stack, f"{path}?encoding=g729"))

    assert refused.value.response.status_code == 400
    assert "encoding" in json.loads(refused.value.response.body)["err_msg"]


@pytest.mark.parametrize("path", ["/v1/listen", "/v2/listen"])
def test_http_without_an_upgrade(echo_stack: Stack, path: str) -> None:
    assert requests.get(echo_stack.http_url + path, timeout=5).status_code == 426


async def test_a_client_that_goes_in_mid_sentence_is_recorded(echo_stack: Stack) -> None:
    """And its session ends; the next one is served."""
    for _ in range(2):
        async with websockets.connect(address(echo_stack, PATHS[0])) as ws:
            for frame in frames(speech("s13_pm_alex")[:64_000], 3200):
                await ws.send(frame)
    counted = requests.get(f"{echo_stack.http_url}/metrics", timeout=5).text
    assert 'stt_dialect_connections_total{dialect="deepgram"}' in counted


async def test_every_sample_arrives(echo_stack: Stack) -> None:
    """The echo tells how much, whatever the frames: Finalize closes what is open, at once."""
    said = noise(1.0, 7)
    async with asyncio.timeout(20), websockets.connect(address(echo_stack, PATHS[0] + "&vad_events=true")) as ws:
        for frame in frames(speech("s13_pm_alex") + silence(1.0) + said, 333):
            await ws.send(frame)
        await ws.send('{"type": "CloseStream"}')
        told = [json.loads(message) async for message in ws]

    finals = [message for message in told if message.get("is_final")]
    assert finals
    assert all(final["channel"]["alternatives"][0]["transcript"].split()[0].isdigit() for final in finals)
    assert told[-1]["duration"] == pytest.approx(len(speech("s13_pm_alex") + silence(1.0) + said) / 32_000, abs=0.01)
