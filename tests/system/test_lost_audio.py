"""Redis forgets a segment's beginning, as one without persistence does when it is restarted."""

from tests.system.stack import Stack, until
from tests.system.talker import Talker, noise


async def test_half_an_utterance_is_an_error_not_a_transcript(echo_stack: Stack) -> None:
    """Its segment is named, and the session goes on."""
    async with Talker(echo_stack.ws_url) as talker:
        await talker.start(config={"vad_enabled": False, "partial_results": False})
        await talker.stream(noise(1.0, 1))
        until(lambda: echo_stack.redis.keys("stt:audio:*"), "the audio")
        echo_stack.redis.delete(*echo_stack.redis.keys("stt:audio:*"))
        await talker.stream(noise(1.0, 2))
        await talker.say("flush")
        error = await talker.until("error")
        await talker.stream(noise(0.5, 3))
        await talker.say("flush")
        final = await talker.until("final_transcript")

    assert error["code"] == "INFERENCE_ERROR"
    assert error["segment_id"]
    assert final["segment_id"] != error["segment_id"]
    assert final["audio_duration_ms"] == 500
