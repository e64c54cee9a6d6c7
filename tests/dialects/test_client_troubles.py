"""What other services' clients in Python make of a wrong key, a full service, one that is restarted in mid-sentence."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.core import ApiError
from deepgram.core.events import EventType
from livekit import rtc
from livekit.agents import APIConnectOptions, APIStatusError
from livekit.agents.stt import STT, SpeechEventType
from livekit.plugins import deepgram
from livekit.plugins import openai as livekit_openai
from openai import AsyncOpenAI
from real_clients import OPTIONS, PCM, at_rate, environment, heard_by_livekit, paced
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from harness.audio import SAMPLE_RATE
from harness.cutter import Cutter
from harness.stack import ECHO, Stack
from harness.talker import Talker

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the SDKs' own
]
SHORT = PCM[:16_000]
RAW = {"encoding": "linear16", "sample_rate": str(SAMPLE_RATE)}

Attempt = Callable[[str, str, aiohttp.ClientSession], Awaitable[object]]
"""With an address (host and port) and a key: speaks, and raises what the client makes of the answer."""


def livekit(make: Callable[[str, str, aiohttp.ClientSession], STT[Any]]) -> Attempt:
    async def attempt(address: str, key: str, http: aiohttp.ClientSession) -> object:
        stt = make(address, key, http)
        try:
            return await heard_by_livekit(stt, SHORT)
        finally:
            await stt.aclose()

    return attempt


def live(address: str, key: str, http: aiohttp.ClientSession) -> STT[Any]:
    return deepgram.STT(base_url=f"http://{address}/v1/listen", api_key=key, language="pt-BR", http_session=http)


def flux(address: str, key: str, http: aiohttp.ClientSession) -> STT[Any]:
    return deepgram.STTv2(base_url=f"ws://{address}/v2/listen", api_key=key, http_session=http)


def realtime(address: str, key: str, http: aiohttp.ClientSession) -> STT[Any]:
    stt = livekit_openai.STT(base_url=f"http://{address}/v1", api_key=key, model="whisper", use_realtime=True)
    stt._session = http
    return stt


async def files(address: str, key: str, http: aiohttp.ClientSession) -> object:
    frame = rtc.AudioFrame(SHORT, SAMPLE_RATE, 1, len(SHORT) // 2)
    async with AsyncOpenAI(base_url=f"http://{address}/v1", api_key=key, max_retries=0) as client:
        stt = livekit_openai.STT(client=client, model="whisper-1", language="pt")
        return await stt.recognize([frame], conn_options=OPTIONS)


async def sdk_live(address: str, key: str, http: aiohttp.ClientSession) -> object:
    client = AsyncDeepgramClient(api_key=key, environment=environment(address))
    async with client.listen.v1.connect(model="nova-3", **RAW) as connection:
        return await connection.recv()


async def sdk_flux(address: str, key: str, http: aiohttp.ClientSession) -> object:
    client = AsyncDeepgramClient(api_key=key, environment=environment(address))
    async with client.listen.v2.connect(model="flux-general-multi", **RAW) as connection:
        return await connection.recv()


async def sdk_realtime(address: str, key: str, http: aiohttp.ClientSession) -> object:
    client = AsyncOpenAI(base_url=f"http://{address}/v1", api_key=key, max_retries=0)
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        await connection.session.update(session={"type": "transcription"})
        while True:
            await connection.recv()


@pytest.mark.parametrize(
    ("attempt", "refused", "status"),
    [
        pytest.param(livekit(live), APIStatusError, "status_code", id="livekit deepgram.STT"),
        pytest.param(livekit(flux), APIStatusError, "status_code", id="livekit deepgram.STTv2"),
        pytest.param(livekit(realtime), aiohttp.WSServerHandshakeError, "status", id="livekit openai.STT realtime"),
        pytest.param(files, APIStatusError, "status_code", id="livekit openai.STT"),
        pytest.param(sdk_live, ApiError, "status_code", id="deepgram-sdk live"),
        pytest.param(sdk_flux, ApiError, "status_code", id="deepgram-sdk Flux"),
        pytest.param(sdk_realtime, InvalidStatus, "response.status_code", id="openai realtime"),
    ],
)
async def test_a_wrong_key(
    full: tuple[Stack, str], http: aiohttp.ClientSession, attempt: Attempt, refused: type[Exception], status: str
) -> None:
    """Is an error that the client does not try again with."""
    with pytest.raises(refused) as raised:
        await attempt(f"127.0.0.1:{full[0].ports[0]}", "wrong", http)

    told: Any = raised.value
    for name in status.split("."):
        told = getattr(told, name)
    assert told == 401
    assert not getattr(raised.value, "retryable", False)


@pytest.mark.parametrize(
    ("attempt", "refused", "status"),
    [
        pytest.param(livekit(live), APIStatusError, 429, id="livekit deepgram.STT"),
        pytest.param(livekit(flux), APIStatusError, 429, id="livekit deepgram.STTv2"),
        pytest.param(livekit(realtime), APIStatusError, 1013, id="livekit openai.STT realtime"),
        pytest.param(files, APIStatusError, 429, id="livekit openai.STT"),
        pytest.param(sdk_live, ApiError, 429, id="deepgram-sdk live"),
        pytest.param(sdk_flux, ApiError, 429, id="deepgram-sdk Flux"),
        pytest.param(sdk_realtime, ConnectionClosedError, 1013, id="openai realtime"),
    ],
)
async def test_a_service_that_is_full(
    full: tuple[Stack, str], http: aiohttp.ClientSession, attempt: Attempt, refused: type[Exception], status: int
) -> None:
    """Is an error that the client may try again with, where it knows of any; the session inside goes on."""
    stack, key = full
    async with Talker(stack.ws_url, key) as inside:
        await inside.start()
        with pytest.raises(refused) as raised:
            await attempt(f"127.0.0.1:{stack.ports[0]}", key, http)
        ended = await inside.end()

    assert ended["reason"] == "completed"
    match raised.value:
        case APIStatusError() as error:
            assert (error.status_code, error.retryable) == (status, True)
        case ApiError() as error:
            assert error.status_code == status
        case ConnectionClosedError(rcvd=close):
            assert (close.code, close.reason) == (status, "Maximum sessions reached: 1")


class Restart:
    """A web process that ends once everybody is in mid-sentence; new connections are led to another."""

    def __init__(self, stack: Stack, cutter: Cutter, clients: int) -> None:
        self.began = asyncio.Event()
        self._stack, self._cutter = stack, cutter
        self._speaking, self._clients = set[str](), clients

    def speaks(self, client: str) -> None:
        """It was told that speech began."""
        self._speaking.add(client)
        if len(self._speaking) == self._clients and not self.began.is_set():
            self._cutter.lead_to(self._stack.ports[1])
            self._stack.terminate(self._stack.webs[0])
            self.began.set()


async def goes_on(name: str, stt: STT[Any], restart: Restart) -> list[bool]:
    """A LiveKit stream, until a sentence is final after the restart; for each error: whether it was to be retried."""
    errors: list[bool] = []
    stt.on("error", lambda error: errors.append(error.recoverable))
    async with stt.stream(conn_options=APIConnectOptions(max_retry=3, timeout=10.0)) as stream:

        async def push(frame: bytes) -> None:
            stream.push_frame(rtc.AudioFrame(frame, SAMPLE_RATE, 1, len(frame) // 2))

        async def speak() -> None:
            while True:
                await paced(PCM, push)

        speaking = asyncio.create_task(speak())
        async for event in stream:
            if event.type is SpeechEventType.START_OF_SPEECH:
                restart.speaks(name)
            if event.type is SpeechEventType.FINAL_TRANSCRIPT and errors:
                break
        speaking.cancel()
    await stt.aclose()  # or the socket it keeps for its next stream stays open
    return errors


async def until_closed(pcm: bytes, rate: int, send: Callable[[bytes], Awaitable[object]]) -> None:
    with suppress(ConnectionClosed):
        while True:
            await paced(pcm, send, rate)


async def sdk_told(address: str, version: str, restart: Restart) -> tuple[list[str], Exception]:
    """Deepgram's SDK: the types of its messages, and the error it raises in the end."""
    listen = AsyncDeepgramClient(api_key="none", environment=environment(address)).listen
    connect: Any = {
        "v1": lambda: listen.v1.connect(model="nova-3", vad_events="true", **RAW),
        "v2": lambda: listen.v2.connect(model="flux-general-multi", **RAW),
    }[version]
    types: list[str] = []
    errors: list[Exception] = []

    def heard(message: Any) -> None:
        types.append(message.type)
        if message.type in ("SpeechStarted", "TurnInfo"):
            restart.speaks(version)

    async with connect() as connection:
        connection.on(EventType.MESSAGE, heard)
        connection.on(EventType.ERROR, errors.append)
        speaking = asyncio.create_task(until_closed(PCM, SAMPLE_RATE, connection.send_media))
        await connection.start_listening()
        await speaking
    return types, errors[0]


async def openai_told(address: str, restart: Restart) -> tuple[list[str], Exception]:
    """OpenAI's SDK, in the same way."""
    client = AsyncOpenAI(base_url=f"http://{address}/v1", api_key="none")
    types: list[str] = []
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:

        async def send(frame: bytes) -> None:
            await connection.input_audio_buffer.append(audio=base64.b64encode(frame).decode())

        speaking = asyncio.create_task(until_closed(at_rate(24_000), 24_000, send))
        try:
            while True:
                types.append((await connection.recv()).type)
                if types[-1] == "input_audio_buffer.speech_started":
                    restart.speaks("openai")
        except ConnectionClosedError as closed:
            await speaking
            return types, closed


async def test_a_restart_in_mid_sentence(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """LiveKit's streams connect again and go on; the SDKs, which leave that to their users, are told by the close."""
    with Stack(tmp_path, ECHO | {"STT_DRAIN_S": "0"}) as stack:
        stack.start(webs=2)
        cutter = Cutter(stack)
        cutter.lead_to(stack.ports[0])
        async with asyncio.timeout(60), cutter.open() as url:
            address, restart = url.removeprefix("ws://").removesuffix("/ws/stt"), Restart(stack, cutter, 6)
            *retried, deepgram_live, deepgram_flux, openai = await asyncio.gather(
                *(goes_on(made.__name__, made(address, "none", http), restart) for made in (live, flux, realtime)),
                sdk_told(address, "v1", restart),
                sdk_told(address, "v2", restart),
                openai_told(address, restart),
            )
        assert stack.webs[0].wait(20)

    assert retried == [[True]] * 3
    assert [told[1].rcvd.code for told in (deepgram_live, deepgram_flux, openai)] == [1012] * 3
    assert deepgram_live[0][-2:] == ["Error", "Metadata"]
    assert deepgram_flux[0][-1] == "Warning"
    assert "error" not in openai[0]
