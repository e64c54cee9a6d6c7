"""The manifest and the choice of clips."""

import json
from pathlib import Path

import pytest
import soundfile

from benchmarks.clips import load, read_manifest, recording, select
from tests.benchmarks.material import clip, sound

CLIPS = [clip(name=f"real/{speaker}{i}.flac", speaker=speaker) for speaker in ("ana", "bia", "caio") for i in range(4)]


def chosen(seed: int, limit: int | None) -> list[str]:
    """Names of a choice."""
    return [c.name for c in select(CLIPS, folder="real", refs={"published"}, limit=limit, seed=seed)]


def test_a_choice_is_spread_over_speakers() -> None:
    """Each speaker once before any speaks twice."""
    speakers = [name.removeprefix("real/")[:-6] for name in chosen(seed=1, limit=6)]

    assert sorted(speakers[:3]) == sorted(speakers[3:]) == ["ana", "bia", "caio"]


def test_a_choice_depends_on_the_seed_alone() -> None:
    """The same seed chooses the same, another something else."""
    assert chosen(seed=1, limit=6) == chosen(seed=1, limit=6)
    assert chosen(seed=1, limit=6) != chosen(seed=2, limit=6)


def test_without_a_limit_all_fitting_clips_are_chosen() -> None:
    """Each once."""
    assert sorted(chosen(seed=0, limit=None)) == sorted(c.name for c in CLIPS)


def test_folder_and_reference_filter() -> None:
    """Both must fit; no folder is any folder."""
    clips = [clip(name="real/a.flac"), clip(name="synth/b.flac"), clip(name="real/c.flac", ref="unsure")]

    assert [c.name for c in select(clips, folder="real", refs={"published"}, limit=None, seed=0)] == ["real/a.flac"]
    assert len(select(clips, folder=None, refs={"published"}, limit=None, seed=0)) == 2


def test_a_manifest_names_files_beside_it(tmp_path: Path) -> None:
    """Paths are relative to the manifest."""
    line = {"file": "real/x/a.flac", "text": "olá", "ref": "book", "speaker": "ana", "seconds": 1.0}
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(json.dumps(line) + "\n\n", encoding="utf-8")

    (found,) = read_manifest(manifest)

    assert (found.path, found.text, found.folder) == (tmp_path / "real/x/a.flac", "olá", "real")


def test_audio_is_padded_to_whole_frames(tmp_path: Path) -> None:
    """20 ms of 320 samples."""
    path = tmp_path / "a.flac"
    soundfile.write(path, sound(0.5)[:-7], 16_000)

    loaded = load(clip(name=str(path)))

    assert len(loaded.pcm) == 8_000
    assert len(loaded.active) == 50


def test_audio_of_another_rate_is_refused(tmp_path: Path) -> None:
    """Resampling is not the harness's business."""
    path = tmp_path / "a.wav"
    soundfile.write(path, sound(0.5), 8_000)

    with pytest.raises(ValueError, match="expected 16 kHz mono, got 8000 Hz"):
        load(clip(name=str(path)))


def test_whole_frames_stay_as_they_are() -> None:
    """No padding is added where none is needed."""
    assert len(recording(clip(), sound(0.5)).pcm) == 8_000
