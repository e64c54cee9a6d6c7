"""Fixtures of the client tests."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import av
import numpy as np
import pytest
from scripted_service import ScriptedService, settle

from clients.livekit_plugin import WhisperSTT


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    async with ScriptedService() as service:
        yield service


@pytest.fixture
async def no_task_is_left(service: ScriptedService) -> AsyncIterator[None]:
    """When a test is over all that its client began is, too."""
    before = asyncio.all_tasks()
    yield
    await settle(lambda: asyncio.all_tasks() - {asyncio.current_task()} <= before)
    assert all(peer.ws.state.name == "CLOSED" for peer in service.peers)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """1.2 s at 48 kHz stereo, which needs decoding."""
    path = tmp_path / "gravação.flac"
    samples = np.random.default_rng(1).integers(-9_000, 9_000, (1, 2 * 57_600)).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = 48_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def whisper(service: ScriptedService, http: aiohttp.ClientSession) -> AsyncIterator[WhisperSTT]:
    """The LiveKit plugin; after the test, none of its tasks and sockets may be left."""
    before = asyncio.all_tasks()
    async with WhisperSTT(service.url, http_session=http) as whisper:
        yield whisper
    await settle(lambda: asyncio.all_tasks() - {asyncio.current_task()} <= before)
    assert all(peer.ws.state.name == "CLOSED" for peer in service.peers)
