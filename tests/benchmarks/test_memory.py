"""An upload's memory: the file, its form, and what is seen of the web process."""

import io

import pytest
import soundfile

from benchmarks import memory
from benchmarks.clips import load, read_manifest
from benchmarks.options import Options

POOL = [load(clip) for clip in read_manifest(Options().manifest)[:2]]


def test_a_recording_is_as_long_as_asked_for() -> None:
    """Clips one behind the other, with pauses, as often as it takes."""
    info = soundfile.info(io.BytesIO(memory.recording(POOL, 60)))

    assert 60 <= info.duration < 60 + max(clip.seconds for clip in POOL) + 1
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")


@pytest.mark.parametrize("behind", [False, True])
def test_fields_are_before_the_file_or_behind_it(behind: bool) -> None:
    """And the file is whole."""
    audio = memory.recording(POOL, 5)
    body = b"".join(memory.form(audio, {"model": "m"}, behind=behind))

    assert audio in body
    assert (body.index(b'name="model"') > body.index(audio)) is behind


def test_a_table_has_a_row_for_each_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With a real service for each, which answers: all at once and as it comes."""
    monkeypatch.setattr(memory, "CASES", memory.CASES[1::2])
    assert memory.main(["--minutes", "0.1"]) == 0
    told = capsys.readouterr().out

    assert len(told.splitlines()) == 2 + len(memory.CASES)
