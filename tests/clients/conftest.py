"""Fixtures of the client tests."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from scripted_service import ScriptedService, settle

from clients.livekit_plugin import WhisperSTT


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    async with ScriptedService() as service:
        yield service


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
