"""Utterances that end by what was said, with real processes and the real embedded model."""

import pytest

from harness.audio import silence, speech
from harness.stack import Stack
from harness.talker import Talker

pytestmark = pytest.mark.model

SILENCE_MS = 5_000
"""Time enough for any machine to have the text before."""


async def test_a_turn_ends_by_its_text_once_the_session_is_configured_so(model_stack: Stack) -> None:
    """Long before the fixed silence is over; refused options change nothing."""
    sentence = speech("s13_pm_alex")
    async with Talker(model_stack.ws_url) as talker:
        await talker.start(config={"min_silence_ms": SILENCE_MS})
        await talker.say("configure", turn_mode="hasty", max_hold_ms=-1)
        error = await talker.until("error")
        await talker.say("configure", turn_mode="short")
        configured = await talker.until("configured")
        await talker.stream(silence(0.3) + sentence + silence(SILENCE_MS / 1000 + 1))
        await talker.end()

    assert "turn_mode" in error["message"]
    assert "max_hold_ms" in error["message"]
    assert (configured["turn_mode"], configured["min_silence_ms"], configured["max_hold_ms"]) == ("short", 5000, 2500)
    (final,) = talker.of("final_transcript")
    assert "metros" in final["text"]
    assert final["audio_duration_ms"] < len(sentence) / 32 + SILENCE_MS - 500
