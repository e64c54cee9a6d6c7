"""What a test says that lacks a program."""

import pytest

from harness import audio
from harness.programs import MissingProgram, needed
from tests.browser import chromium


def test_a_program_is_found_by_any_of_its_names() -> None:
    assert needed("coreutils", "no-such-program", "env").endswith("/env")


def test_one_that_is_not_there_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recordings and browsers fail so; nothing is skipped."""
    monkeypatch.setenv("PATH", "")

    with pytest.raises(MissingProgram, match="ffmpeg is not installed: apt-get install ffmpeg"):
        audio.encoded(b"", "-f", "flac")
    with pytest.raises(MissingProgram, match="chromium is not installed: apt-get install chromium"):
        chromium.executable()
