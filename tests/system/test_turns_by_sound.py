"""Utterances that end by how they were said, with real processes and Smart Turn."""

import pytest

from harness.audio import silence, speech
from harness.stack import ECHO, Stack
from harness.talker import Talker

pytestmark = pytest.mark.model

SETTINGS = {
    "STT_TURN_MODE": "auto",
    "STT_TURN_MODEL": "smart-turn",
    "STT_VAD_MIN_SILENCE_MS": "500",
    "STT_ECHO_DECODE_MS": "1000",  # the judge's time on any machine
    "STT_MAX_AUDIO_GAP_MS": "0",
}
CUT = 0.6
"""How much of the sentence is said where it is broken off."""


async def test_a_sentence_that_is_broken_off_is_held(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The text says nothing of it; the whole one ends as ever."""
    sentence = speech("s13_pm_alex")
    said = {"whole": sentence, "broken off": sentence[: int(len(sentence) * CUT) // 2 * 2]}
    silent_ms = {}
    with Stack(tmp_path_factory.mktemp("stack"), ECHO | SETTINGS) as stack:
        stack.start(webs=1)
        for name, pcm in said.items():
            async with Talker(stack.ws_url) as talker:
                await talker.start(config={"partial_results": True})
                await talker.stream(silence(0.3) + pcm + silence(0.3), pace=4.0)
                while not (await talker.until("partial_transcript"))["speculative"]:
                    pass
                await talker.stream(silence(2.5), pace=4.0)
                await talker.end()
            silent_ms[name] = talker.of("final_transcript")[-1]["audio_duration_ms"] - len(pcm) / 32

    assert silent_ms["whole"] < 900 < 1400 < silent_ms["broken off"]
