"""Real Portuguese speech through the whole service and the real embedded model."""

import asyncio
import re

import numpy as np
import pytest
import soxr

from tests.system.stack import Stack
from tests.system.talker import Talker, silence, speech

pytestmark = pytest.mark.model


def words(text: str) -> list[str]:
    """Lower case, without punctuation."""
    return re.findall(r"\w+", text.lower())


async def test_a_spoken_sentence_comes_back_as_partials_and_a_final(model_stack: Stack) -> None:
    """ "Vire à direita na avenida Paulista e siga por oitocentos metros.", streamed in real time."""
    async with Talker(model_stack.ws_url) as talker:
        await talker.start(config={"lang_code": "pt-BR"})
        await talker.stream(silence(0.3) + speech("s13_pm_alex") + silence(0.8))
        await talker.say("end_session")
        await talker.until("session_ended")
    (final,) = talker.of("final_transcript")
    partials = talker.of("partial_transcript")

    assert words(final["text"])[-7:-3] == ["avenida", "paulista", "e", "siga"]
    assert {"direita", "metros"} <= set(words(final["text"]))
    assert partials
    assert "direita" in partials[-1]["text"]
    assert 0.5 < final["confidence"] <= 1
    times = [(word["start"], word["end"]) for word in final["words"]]
    assert [w for word in final["words"] for w in words(word["word"])] == words(final["text"])
    assert all(0 <= start <= end <= final["audio_duration_ms"] / 1000 for start, end in times)
    assert times == sorted(times)


async def test_two_sentences_are_two_segments(model_stack: Stack) -> None:
    """A pause ends the first; each final has its own words and place."""
    clips = [speech("s24_pf_dora"), speech("s04_pm_alex")]
    async with Talker(model_stack.ws_url) as talker:
        await talker.start(config={"partial_results": False, "word_timestamps": False})
        for clip in clips:
            await talker.stream(clip + silence(1.0))
        await talker.say("end_session")
        await talker.until("session_ended")
    first, second = talker.of("final_transcript")

    assert {"padaria", "farmácia"} <= set(words(first["text"]))
    assert {"reunião", "outubro"} <= set(words(second["text"]))
    assert first["words"] == second["words"] == []
    assert second["audio_start_ms"] >= first["audio_start_ms"] + first["audio_duration_ms"]


async def test_telephone_audio_is_understood(model_stack: Stack) -> None:
    """The same sentence at 8 kHz."""
    narrow = soxr.resample(np.frombuffer(speech("s24_pf_dora"), "<i2"), 16_000, 8_000).tobytes()
    async with Talker(model_stack.ws_url) as talker:
        await talker.start(config={"sample_rate": 8000, "partial_results": False})
        for i in range(0, len(narrow), 320):
            await talker.ws.send(narrow[i : i + 320])
            await asyncio.sleep(0.01)
        await talker.say("end_session")
        final = await talker.until("final_transcript")

    assert "padaria" in words(final["text"])


async def test_silence_says_nothing(model_stack: Stack) -> None:
    """No event, no segment, no hallucination."""
    async with Talker(model_stack.ws_url) as talker:
        await talker.start()
        await talker.stream(silence(3.0), pace=0.3)
        await talker.say("end_session")
        ended = await talker.until("session_ended")

    assert [message["type"] for message in talker.messages] == ["session_started", "session_ended"]
    assert ended["total_segments"] == 0
