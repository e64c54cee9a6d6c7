"""How often a language is found out: with the real model, on the test speech."""

from pathlib import Path

import pytest
import soundfile

from benchmarks.languages import Decided, languages, languages_markdown, recorded
from harness.audio import AUDIO
from workers.engines.model_store import resolve


@pytest.mark.model
def test_portuguese_is_portuguese_and_a_wrong_folder_shows(tmp_path: Path) -> None:
    """One clip is where it belongs, the same one is not."""
    for code in ("pt", "en"):
        (tmp_path / code).mkdir()
        pcm, rate = soundfile.read(AUDIO / "s13_pm_alex.wav", dtype="int16")
        soundfile.write(tmp_path / code / "clip.wav", pcm, rate)
    right, wrong = languages(recorded(tmp_path, None), resolve("base", None, "~/.cache/whisper-stt"), "cpu", "int8")

    assert (right.language, right.first, right.without_prior, right.session) == ("pt", 1, 1, 1)
    assert (wrong.language, wrong.first, wrong.session, wrong.wrong) == ("en", 0, 0, ["en/clip.wav: pt"])


def test_the_table_has_a_row_a_language() -> None:
    """And names what was wrong."""
    told = languages_markdown([Decided("es", 4, 8.0, 3, 2, 4, ["es/1.wav: pt"])])

    assert "| es | 4 | 2.0 s | 3 of 4 (75%) | 2 of 4 (50%) | 4 of 4 (100%) |" in told
    assert "- es/1.wav: pt" in told


def test_a_folder_without_speech_is_said(tmp_path: Path) -> None:
    """With what was expected."""
    with pytest.raises(SystemExit, match="expected folders pt, es, en"):
        recorded(tmp_path, None)
