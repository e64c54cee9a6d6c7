"""LiveKit's own `AgentSession` with our STT and an audio input that is no room: no LiveKit server, no LLM, no TTS."""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from listening import frames, noise
from livekit import rtc
from livekit.agents import Agent, AgentSession, StopResponse, UserInputTranscribedEvent, llm, utils
from livekit.agents.voice import io
from scripted_service import Peer, ScriptedService, one_utterance, settle

from clients.livekit_plugin import WhisperSTT


class FakeInput(io.AudioInput):
    """Frames that a test pushes."""

    def __init__(self) -> None:
        super().__init__(label="test")
        self.frames: utils.aio.Chan[rtc.AudioFrame] = utils.aio.Chan()

    async def __anext__(self) -> rtc.AudioFrame:
        return await self.frames.__anext__()

    def push(self, seconds: float) -> None:
        for frame in frames(noise(seconds, 48_000), 48_000, ms=20):
            self.frames.send_nowait(frame)


class Listener(Agent):
    """Notes what the user said in each turn, and says nothing."""

    def __init__(self, instructions: str) -> None:
        super().__init__(instructions=instructions)
        self.turns: list[str | None] = []

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        self.turns.append(new_message.text_content)
        raise StopResponse


Conversation = Callable[[str], tuple[AgentSession, FakeInput, list[UserInputTranscribedEvent]]]


@pytest.fixture
async def converse(service: ScriptedService, http: aiohttp.ClientSession) -> AsyncIterator[Conversation]:
    """A session with a given turn detection, its input, and what it took the user to say."""
    whisper = WhisperSTT(service.url, http_session=http)
    sessions: list[AgentSession] = []

    def begin(turn_detection: str) -> tuple[AgentSession, FakeInput, list[UserInputTranscribedEvent]]:
        session: AgentSession = AgentSession(stt=whisper, vad=None, turn_handling={"turn_detection": turn_detection})
        sessions.append(session)
        heard: list[UserInputTranscribedEvent] = []
        session.on("user_input_transcribed", heard.append)
        microphone = FakeInput()
        session.input.audio = microphone
        return session, microphone, heard

    before = asyncio.all_tasks()
    yield begin
    for session in sessions:
        await session.aclose()
    await whisper.aclose()
    await settle(lambda: asyncio.all_tasks() - {asyncio.current_task()} <= before)
    assert all(peer.ws.state.name == "CLOSED" for peer in service.peers)


async def test_session_hears_the_user(service: ScriptedService, converse: Conversation) -> None:
    service.scripts = [one_utterance()]
    session, microphone, heard = converse("stt")
    agent = Listener(instructions="…")
    await session.start(agent)
    microphone.push(1.5)
    await settle(lambda: any(event.is_final for event in heard), 5)

    assert [(event.transcript, event.is_final) for event in heard] == [("olá", False), ("olá mundo", True)]
    await settle(lambda: bool(agent.turns), 5)
    assert agent.turns == ["olá mundo"]


async def test_manual_commit_is_answered_at_once(service: ScriptedService, converse: Conversation) -> None:
    """By a flush that is always answered, in silence too, instead of seconds of silence and a time-out."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=900)
        await peer.speech("start", 0)
        await peer.hear(until="flush")
        await peer.speech("end", 900)
        await peer.final("vire à direita", 0, len(peer.audio) / 32, flush_id=peer.flush_ids[0])
        await peer.ws.wait_closed()

    service.scripts = [script]
    session, microphone, heard = converse("manual")
    await session.start(Agent(instructions="…"))
    microphone.push(1.0)
    await settle(lambda: bool(service.peers) and len(service.peers[0].audio) >= 900 * 32, 5)
    session.input.set_audio_enabled(False)
    committed = session.commit_user_turn(transcript_timeout=30.0)
    async with asyncio.timeout(10):
        assert await committed == "vire à direita"
    assert [event.transcript for event in heard if event.is_final] == ["vire à direita"]
    assert len(service.peers[0].audio) <= 1_100 * 32, "no silence was pushed to end the turn"


async def test_cleared_turns_open_new_streams_and_leave_none(service: ScriptedService, converse: Conversation) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="cancel")
        await peer.end("cancelled")

    service.scripts = [script]
    session, microphone, _ = converse("manual")
    await session.start(Agent(instructions="…"))
    for n in range(1, 21):
        microphone.push(0.2)
        await settle(lambda n=n: len([peer for peer in service.peers if peer.start]) == n, 5)
        session.clear_user_turn()
        await settle(lambda n=n: "cancel" in service.peers[n - 1].received, 5)
