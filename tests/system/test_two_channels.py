"""An agent and a caller on two channels, with the real model: the words of each are on its own side, everywhere."""

import json
import re
import sqlite3
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from harness.audio import SAMPLE_RATE, frames, silence, speech
from harness.processes import ROOT
from harness.stack import Stack
from harness.talker import Talker
from harness.waiting import until
from transcription.core.subtitles import Said, srt

pytestmark = pytest.mark.model

AGENT, CALLER = "s13_pm_alex", "s24_pf_dora"
"""Avenida Paulista and metres; bakery and chemist's."""
CONFIG = {"channels": 2, "channel_names": ["agent", "caller"], "lang_code": "auto", "languages": ["en", "pt"]}


def conversation() -> bytes:
    """The caller begins while the agent speaks: a sample of each in turn."""
    sides = [silence(0.3) + speech(AGENT), silence(1.5) + speech(CALLER)]
    longest = max(map(len, sides)) + len(silence(1.0))
    return np.stack([np.frombuffer(side.ljust(longest, b"\0"), "<i2") for side in sides], axis=1).tobytes()


def words(text: str) -> set[str]:
    """Lower case, without punctuation."""
    return set(re.findall(r"\w+", text.lower()))


async def test_the_words_of_each_side_are_on_its_side(model_stack: Stack) -> None:
    """In finals, partials and events; each with the language it was found to be in; records and exports likewise."""
    async with Talker(model_stack.ws_url) as talker:
        started = await talker.start(session_id="two-sides", config=CONFIG)
        await talker.send_frames(frames(conversation(), 2560), pace=0.5)
        ended = await talker.end()
    finals = talker.of("final_transcript")
    said = [words(" ".join(final["text"] for final in finals if final["channel"] == n)) for n in (0, 1)]

    assert (started["language"], started["languages"]) == ("pt", ["en", "pt"])
    assert {"avenida", "paulista", "metros"} <= said[0]
    assert {"padaria", "farmácia"} <= said[1]
    assert not said[0] & {"padaria", "farmácia"} and not said[1] & {"avenida", "paulista", "metros"}
    assert {final["language"] for final in finals} == {"pt"}
    assert {event["channel"] for event in talker.of("vad_event")} == {0, 1}
    assert {partial["channel"] for partial in talker.of("partial_transcript")} <= {0, 1}
    assert ended["total_audio_ms"] == round(len(conversation()) / 64, 2)

    query = "select channel, language, text, start_ms, duration_ms from transcription_segment where session_id = "
    query += "(select id from transcription_session where session_id = 'two-sides' and ended_at is not null)"
    rows: list[tuple] = []

    def recorded() -> bool:
        with sqlite3.connect(model_stack.database) as database:
            rows[:] = database.execute(query).fetchall()
        return len(rows) == len(finals)

    until(recorded, "the records")
    assert {(channel, language) for channel, language, *_ in rows} == {(0, "pt"), (1, "pt")}
    names = CONFIG["channel_names"]
    shown = srt([Said(start / 1000, length / 1000, text, speaker=names[n]) for n, _, text, start, length in rows])
    assert "agent: " in shown and "caller: " in shown


def test_the_command_tells_the_sides_of_a_file_apart(model_stack: Stack, tmp_path: Path) -> None:
    """As text, subtitles and JSON, with the names it was given."""
    file = tmp_path / "call.wav"
    with wave.open(str(file), "wb") as recording:
        recording.setnchannels(2)
        recording.setsampwidth(2)
        recording.setframerate(SAMPLE_RATE)
        recording.writeframes(conversation())
    command = [sys.executable, "-m", "whisper_stt.cli", "transcribe", "--url", model_stack.ws_url, "--quiet"]
    command += ["--channels", "2", "--channel-names", "agent,caller", "--format", "json", str(file)]
    env = model_stack.env | {"PYTHONPATH": str(ROOT / "clients/python/src")}
    done = subprocess.run(command, env=env, cwd=tmp_path, check=True, capture_output=True, text=True)
    said: dict[str, str] = {}
    for segment in json.loads(done.stdout)["segments"]:
        said[segment["speaker"]] = said.get(segment["speaker"], "") + " " + segment["text"]

    assert {"paulista", "metros"} <= words(said["agent"])
    assert {"padaria", "farmácia"} <= words(said["caller"])
    assert not words(said["agent"]) & words("padaria farmácia")
