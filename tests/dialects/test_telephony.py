"""Telephone switches and those who listen to their calls, by the service as it runs; the engine echoes."""

import asyncio
import json
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests
import websockets
from switches import (
    CHUNK,
    TWILIO_CONNECTED,
    address,
    finals,
    listened,
    rest,
    twilio_media,
    twilio_says,
    twilio_start,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.audio import frames, silence, speech
from harness.stack import ECHO, Stack
from harness.telephone import alaw, mulaw, narrow
from transcription.core.contract import keyspace

SAID = silence(0.4) + speech("s13_pm_alex") + silence(0.6)
LASTS_MS = 1000 * len(SAID) / 32_000
PATHS = ["/v1/jambonz", "/v1/twilio", "/v1/asterisk", "/v1/calls/CA1"]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """Two web processes that ask for keys, and one of them."""
    settings = {"STT_AUTH": "required", "STT_MAX_SESSIONS": "2", "STT_IDLE_TIMEOUT_S": "2"}
    with Stack(tmp_path_factory.mktemp("telephony"), ECHO | settings) as stack:
        stack.start(webs=2)
        yield stack, stack.manage("createapikey", "switch")


def as_password(key: str) -> dict[str, str]:
    """As Asterisk gives it: the user is nobody."""
    return {"Authorization": "Basic " + b64encode(f"asterisk:{key}".encode()).decode()}


async def test_a_call_of_twilio_s_is_heard_by_its_listeners(keyed: tuple[Stack, str]) -> None:
    """Early and late, at any web process, whatever was lost on the way; times are the call's."""
    stack, key = keyed
    media = twilio_media(SAID)
    whole = len(media)
    del media[60:63]  # 60 ms of it are lost
    media[10], media[11] = media[11], media[10]
    early = asyncio.create_task(listened(stack, "CA1", key, web=1))
    await asyncio.sleep(0.1)
    ws = await twilio_says(stack, twilio_start("CA1", api_key=key, agent="ana"), media)
    told, late = await early, await listened(stack, "CA1", key)

    assert ws.close_code == 1000
    assert [message["type"] for message in told[:2]] == ["stream_started", "session_started"]
    assert told[0]["parameters"] == {"agent": "ana"}
    assert [message["type"] for message in told[-2:]] == ["session_ended", "stream_ended"]
    assert told[-2]["total_audio_ms"] == pytest.approx(20 * whole, abs=20)
    assert finals(told)
    assert finals(late) == finals(told)
    assert [message for message in late if message["type"] == "partial_transcript"] == []
    assert {message["session_id"] for message in told} == {"CA1/MZ1"}
    (record,) = _sessions(stack, "CA1/MZ1")
    assert record == ("switch", "completed")


async def test_both_tracks_are_two_streams_of_one_call(keyed: tuple[Stack, str]) -> None:
    """Each says which it is; one socket hears both."""
    stack, key = keyed
    both = ["inbound", "outbound"]
    media = [each for pair in zip(twilio_media(SAID), twilio_media(SAID, "outbound"), strict=True) for each in pair]
    listening = asyncio.create_task(listened(stack, "CA2", key))
    await asyncio.gather(
        twilio_says(stack, twilio_start("CA2", "MZ1", both, api_key=key), media),
        twilio_says(stack, twilio_start("CA2", "MZ2", both, api_key=key, track="outbound"), media),
    )
    told = await listening
    started = {message["stream"]: message["track"] for message in told if message["type"] == "stream_started"}

    assert started == {"MZ1": "inbound", "MZ2": "outbound"}
    assert {final["session_id"] for final in finals(told)} == {"CA2/MZ1", "CA2/MZ2"}
    ended = [message["total_audio_ms"] for message in told if message["type"] == "session_ended"]
    assert ended == pytest.approx([LASTS_MS, LASTS_MS], abs=20)


async def test_what_was_said_before_a_line_is_cut_is_still_heard(keyed: tuple[Stack, str]) -> None:
    """Twilio's socket goes in mid-word."""
    stack, key = keyed
    listening = asyncio.create_task(listened(stack, "CA3", key))
    await twilio_says(stack, twilio_start("CA3", api_key=key), twilio_media(SAID)[:90], stops=False)
    told = await listening

    assert len(finals(told)) == 1
    assert [message["type"] for message in told[-2:]] == ["session_ended", "stream_ended"]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [({}, "Expected an API key: the stream's parameter api_key"), ({"api_key": "stt_0"}, "The API key is not valid")],
)
async def test_twilio_without_a_good_key_is_closed_before_audio_is_taken(
    keyed: tuple[Stack, str], parameters: dict[str, str], reason: str
) -> None:
    stack, _ = keyed
    async with websockets.connect(address(stack, "/v1/twilio")) as ws:
        await ws.send(TWILIO_CONNECTED)
        await ws.send(twilio_start("CA4", **parameters))
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, reason)
    assert _sessions(stack, "CA4/MZ1") == []


async def test_another_key_s_listener_waits_for_nothing(keyed: tuple[Stack, str]) -> None:
    """Of a call that is there, under another key, it is told as of one that is not."""
    stack, key = keyed
    other = stack.manage("createapikey", "other")
    await twilio_says(stack, twilio_start("CA5", api_key=key), twilio_media(SAID))
    headers = {"Authorization": f"Bearer {other}"}
    async with websockets.connect(address(stack, "/v1/calls/CA5"), additional_headers=headers) as ws:
        assert await rest(ws) == []

    assert (ws.close_code, ws.close_reason) == (1013, "Nobody has started this call")


MEDIA_START = "MEDIA_START connection_id:stt channel:WebSocket/stt/0x7f01 channel_id:1699.{call} format:{form}"


@pytest.mark.parametrize(
    ("frame", "audio", "call"),
    [
        (MEDIA_START.format(call=1, form="ulaw"), mulaw(narrow(SAID)), "1699.1"),
        (MEDIA_START.format(call=2, form="alaw"), alaw(narrow(SAID)), "1699.2"),
        (json.dumps({"event": "MEDIA_START", "channel_id": "1699.3", "format": "slin16", "ptime": 20}), SAID, "1699.3"),
        (MEDIA_START.format(call=4, form="slin"), narrow(SAID).tobytes(), "ana@example"),
    ],
)
async def test_a_channel_of_asterisk_s_is_heard_by_its_listeners(
    keyed: tuple[Stack, str], frame: str, audio: bytes, call: str
) -> None:
    """In either form of its messages, in any codec, until it hangs up; nothing is said to the channel."""
    stack, key = keyed
    path = "/v1/asterisk?call=ana@example" if call.startswith("ana") else "/v1/asterisk"
    listening = asyncio.create_task(listened(stack, call, key))
    async with websockets.connect(
        address(stack, path), additional_headers=as_password(key), subprotocols=["media"]
    ) as ws:
        assert ws.subprotocol == "media"
        await ws.send(frame)
        for piece in frames(audio, CHUNK):
            await ws.send(piece)
        await ws.send("DTMF_END digit:5 channel_id:1699")
    told = await listening

    assert finals(told)
    assert [message["digit"] for message in told if message["type"] == "dtmf"] == ["5"]
    assert told[-2]["total_audio_ms"] == pytest.approx(LASTS_MS, abs=20)


async def test_a_recogniser_of_jambonz_(keyed: tuple[Stack, str]) -> None:
    """Transcripts come back on its own socket, the last of them after `stop`; then the server closes."""
    stack, key = keyed
    start = {"type": "start", "language": "pt-BR", "format": "raw", "encoding": "LINEAR16", "interimResults": True,
             "sampleRateHz": 8000, "options": {}}  # fmt: skip
    headers = {"Authorization": f"Bearer {key}"}
    async with asyncio.timeout(30), websockets.connect(address(stack, PATHS[0]), additional_headers=headers) as ws:
        await ws.send(json.dumps(start))
        for piece in frames(narrow(SAID).tobytes(), 2 * CHUNK):
            await ws.send(piece)
        await ws.send('{"type": "stop"}')
        told = [json.loads(message) async for message in ws]

    assert ws.close_code == 1000
    assert {message["type"] for message in told} == {"transcription"}
    assert told[-1]["is_final"]
    assert told[-1]["language"] == "pt-BR"
    assert all(message["alternatives"][0]["transcript"] for message in told)


async def test_a_service_that_is_full_says_so_as_each_has_it(keyed: tuple[Stack, str]) -> None:
    """jambonz: an error; Asterisk: a hang-up; Twilio: a close. Listeners: the native error."""
    stack, key = keyed
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        asyncio.timeout(30),
        websockets.connect(stack.ws_url, additional_headers=headers) as one,
        websockets.connect(stack.ws_url, additional_headers=headers) as two,
    ):
        for inside in (one, two):
            await inside.send('{"type": "start_session"}')
            assert json.loads(await inside.recv())["type"] == "session_started"
        async with websockets.connect(address(stack, "/v1/jambonz"), additional_headers=headers) as jambonz:
            await jambonz.send('{"type": "start", "sampleRateHz": 8000}')
            (error,) = map(json.loads, await rest(jambonz))
        async with websockets.connect(address(stack, "/v1/asterisk"), additional_headers=headers) as asterisk:
            await asterisk.send(MEDIA_START.format(call=9, form="ulaw"))
            commands = await rest(asterisk)
        twilio = await twilio_says(stack, twilio_start("CA9", api_key=key), [])
        told = await listened(stack, "CA9", key)

    assert error["type"] == "error"
    assert commands == ["HANGUP"]
    assert [ws.close_code for ws in (jambonz, asterisk, twilio)] == [1013] * 3
    assert [message["type"] for message in told] == ["stream_started", "error", "stream_ended"]
    assert told[1]["code"] == "MAX_SESSIONS_REACHED"
    assert twilio.close_reason == told[1]["message"]


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/v1/twilio"])
async def test_without_a_key(keyed: tuple[Stack, str], path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(address(keyed[0], path))

    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("path", PATHS)
def test_http_without_an_upgrade(keyed: tuple[Stack, str], path: str) -> None:
    assert requests.get(keyed[0].http_url + path, timeout=5).status_code == 426


def test_what_it_leaves(keyed: tuple[Stack, str]) -> None:
    """Keys with a life that the code knows of; who came, by dialect."""
    stack, _ = keyed
    left = [key.decode() for key in stack.redis.scan_iter("stt:call:*")]
    counted = "".join(requests.get(f"{url}/metrics", timeout=5).text for url in _http_urls(stack))

    assert left
    assert all(keyspace.family(key) for key in left)
    assert all(0 < stack.redis.ttl(key) <= keyspace.CALL_TTL_S for key in left)
    for dialect in ("twilio", "asterisk", "jambonz"):
        assert f'stt_dialect_connections_total{{dialect="{dialect}"}}' in counted


def _http_urls(stack: Stack) -> list[str]:
    return [f"http://127.0.0.1:{port}" for port in stack.ports]


def _sessions(stack: Stack, session_id: str) -> list[tuple[str, str]]:
    """The API key's name and the reason of each session that is on record under a name."""
    with closing(sqlite3.connect(stack.database, timeout=10)) as database:
        query = "SELECT api_key_name, reason FROM transcription_session WHERE session_id = ?"
        return list(database.execute(query, (session_id,)))
