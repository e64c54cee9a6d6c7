"""Recorded speech: the manifest, the choice of clips, their audio.

A manifest is a JSON Lines file; each line names a FLAC or WAV file relative to it and what is said in it.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.speech import active_frames

SAMPLE_RATE = 16_000
"""Samples a second of every clip and every session."""

FRAME = 320
"""Samples a message on the wire carries: 20 ms."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One line of the manifest."""

    name: str
    """The file, as the manifest has it."""
    path: Path
    text: str
    """What is said."""
    ref: str
    """How sure the text is: `published`, `book` and `prompt` are exact."""
    speaker: str
    kind: str = ""
    """Of one without speech: `street`, `hum`, ..."""
    terms: tuple[str, ...] | None = None
    """Names that are said in it, where the manifest has them."""

    @property
    def folder(self) -> str:
        """The first part of the name: `real`, `degraded`, ..."""
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Recording:
    """A clip with its audio, padded with silence to whole frames."""

    clip: Clip
    pcm: np.ndarray
    """int16, shape `(samples,)`, 16 kHz."""
    active: np.ndarray
    """bool, shape `(samples / 160,)`: whether each 10 ms is speech."""

    @property
    def seconds(self) -> float:
        """How long the audio is."""
        return len(self.pcm) / SAMPLE_RATE


def read_manifest(manifest: Path) -> list[Clip]:
    """The clips of a manifest, in its order."""
    lines = manifest.read_text(encoding="utf-8").splitlines()
    return [_clip(manifest.parent, json.loads(line)) for line in lines if line.strip()]


def select(
    clips: Sequence[Clip], *, folder: str | None, refs: Collection[str], limit: int | None, seed: int
) -> list[Clip]:
    """A choice of clips that takes from each speaker in turn, the same for the same seed."""
    fitting = [clip for clip in clips if clip.ref in refs and folder in (None, clip.folder)]
    by_speaker: dict[str, list[Clip]] = {}
    for index in np.random.default_rng(seed).permutation(len(fitting)):
        by_speaker.setdefault(fitting[index].speaker, []).append(fitting[index])
    rounds = zip_longest(*by_speaker.values())
    return [clip for clip in chain.from_iterable(rounds) if clip][:limit]


def load(clip: Clip) -> Recording:
    """Read a clip's audio. Raises `ValueError` when it is not 16 kHz mono."""
    pcm, rate = soundfile.read(clip.path, dtype="int16")
    if rate != SAMPLE_RATE or pcm.ndim != 1:
        raise ValueError(f"{clip.name}: expected 16 kHz mono, got {rate} Hz of shape {pcm.shape}")
    return recording(clip, pcm)


def made(name: str, pcm: np.ndarray, *, text: str = "", kind: str = "", speaker: str = "") -> Recording:
    """A recording without a file."""
    return recording(Clip(name=name, path=Path(name), text=text, ref="made", speaker=speaker, kind=kind), pcm)


def recording(clip: Clip, pcm: np.ndarray) -> Recording:
    """A clip and its audio (int16, shape `(samples,)`), padded to whole frames."""
    padded = np.pad(pcm, (0, -len(pcm) % FRAME))
    return Recording(clip, padded, active_frames(padded))


def _clip(folder: Path, line: dict[str, Any]) -> Clip:
    return Clip(
        name=line["file"],
        path=folder / line["file"],
        text=line["text"],
        ref=line["ref"],
        speaker=line.get("speaker", ""),
        kind=line.get("kind", ""),
        terms=tuple(line["terms"]) if "terms" in line else None,
    )
