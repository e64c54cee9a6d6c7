"""Real Portuguese speech through the whole service and the real embedded model."""

import re

import numpy as np
import pytest

from harness.audio import frames, silence, speech
from harness.stack import Stack
from harness.talker import Talker
from harness.telephone import alaw, mulaw, narrow

pytestmark = pytest.mark.model


def words(text: str) -> list[str]:
    """Lower case, without punctuation."""
    return re.findall(r"\w+", text.lower())


async def test_a_spoken_sentence_comes_back_as_partials_and_a_final(model_stack: Stack) -> None:
    """ "Vire à direita na avenida Paulista e siga por oitocentos metros.", streamed in real time."""
    async with Talker(model_stack.ws_url) as talker:
        await talker.start(config={"lang_code": "pt-BR"})
        await talker.stream(silence(0.3) + speech("s13_pm_alex") + silence(0.8))
        await talker.end()
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
        await talker.end()
    first, second = talker.of("final_transcript")

    assert {"padaria", "farmácia"} <= set(words(first["text"]))
    assert {"reunião", "outubro"} <= set(words(second["text"]))
    assert first["words"] == second["words"] == []
    assert second["audio_start_ms"] >= first["audio_start_ms"] + first["audio_duration_ms"]


async def test_a_sentence_that_a_pause_cuts_is_heard_as_one(model_stack: Stack) -> None:
    """Its second part by itself is heard as something else: "e reputir mail, até manhã ao mail dia"."""
    clip, at = speech("s07_pm_alex"), 2 * int(1.48 * 16_000)
    async with Talker(model_stack.ws_url) as talker:
        await talker.start(config={"partial_results": False})
        await talker.stream(silence(0.3) + clip[:at] + silence(0.7) + clip[at:] + silence(0.8))
        await talker.end()
    first, second = talker.of("final_transcript")

    assert "relatório" in words(first["text"])
    assert "por email até amanhã" in " ".join(words(second["text"]))
    assert [w for word in second["words"] for w in words(word["word"])] == words(second["text"])
    assert second["words"][-1]["end"] <= second["audio_duration_ms"] / 1000


@pytest.mark.parametrize("encoding", ["pcm_s16le", "mulaw", "alaw"])
async def test_telephone_audio_is_understood(model_stack: Stack, encoding: str) -> None:
    """At 8 kHz, in each encoding: the same words, and where they are in the session's audio."""
    said = "s24_pf_dora"
    line = {"pcm_s16le": np.ndarray.tobytes, "mulaw": mulaw, "alaw": alaw}[encoding](
        narrow(silence(1.0) + speech(said) + silence(1.0))
    )
    speech_ms = len(speech(said)) / 32
    async with Talker(model_stack.ws_url) as talker:
        await talker.start(config={"encoding": encoding, "sample_rate": 8000, "partial_results": False})
        await talker.send_frames(frames(line, 320), pace=0)
        ended = await talker.end()
    (final,) = talker.of("final_transcript")
    start, end = talker.of("vad_event")

    assert {"padaria", "farmácia"} <= set(words(final["text"]))
    assert ended["total_audio_ms"] == pytest.approx(speech_ms + 2000, abs=1)
    assert start["t_ms"] == pytest.approx(1000, abs=300)
    assert end["t_ms"] == pytest.approx(1000 + speech_ms, abs=500)
    last = final["audio_start_ms"] + 1000 * final["words"][-1]["end"]
    assert last == pytest.approx(1000 + speech_ms, abs=700)


async def test_silence_says_nothing(model_stack: Stack) -> None:
    """No event, no segment, no hallucination."""
    async with Talker(model_stack.ws_url) as talker:
        await talker.start()
        await talker.stream(silence(3.0), pace=0.3)
        ended = await talker.end()

    assert [message["type"] for message in talker.messages] == ["session_started", "session_ended"]
    assert ended["total_segments"] == 0


async def test_formatted_text_is_there_if_asked(model_stack: Stack) -> None:
    """Whether the model wrote "oitocentos metros" or "800 metros"; in its place in the text and in time."""
    async with Talker(model_stack.ws_url) as talker:
        await talker.start(config={"lang_code": "pt-BR", "format": "pt-BR", "partial_results": False})
        await talker.stream(silence(0.3) + speech("s13_pm_alex") + silence(0.8))
        await talker.end()
    (final,) = talker.of("final_transcript")
    (entity,) = final["entities"]

    assert (entity["type"], entity["text"], entity["value"]) == ("number", "800", "800")
    assert final["text_formatted"][entity["start"] : entity["end"]] == "800"
    assert (
        final["text_formatted"].replace("800", final["text"][entity["spoken_start"] : entity["spoken_end"]])
        == final["text"]
    )
    assert entity["start_s"] in [word["start"] for word in final["words"]]
