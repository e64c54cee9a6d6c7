"""A LiveKit agent that hears with Whisper STT and says back what it heard, as text in the room.

    pip install ./clients/livekit_plugin
    export LIVEKIT_URL=ws://localhost:7880 LIVEKIT_API_KEY=… LIVEKIT_API_SECRET=… STT_URL=ws://localhost:8000/ws/stt
    python examples/livekit_agent.py dev

With an `llm` and a `tts` in the `AgentSession` it answers by itself.
"""

import os

from livekit.agents import Agent, AgentSession, JobContext, StopResponse, WorkerOptions, cli, llm
from livekit.plugins.whisper_stt import WhisperSTT


class Echo(Agent):
    """Writes each of the user's turns into the room."""

    def __init__(self, context: JobContext) -> None:
        super().__init__(instructions="Você repete o que ouve.")
        self._room = context.room

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        """The user has finished: their END_OF_SPEECH came after the final."""
        await self._room.local_participant.send_text(new_message.text_content or "", topic="lk.chat")
        raise StopResponse


async def entrypoint(context: JobContext) -> None:
    """One room."""
    stt = WhisperSTT(os.environ.get("STT_URL", "ws://localhost:8000/ws/stt"), language="pt")
    session: AgentSession = AgentSession(stt=stt, turn_handling={"turn_detection": "stt"})
    await session.start(Echo(context), room=context.room)


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
