"""`accuracy`: words that the service's finals have wrong, against the same model offline, group by group.

The service is the session and the engine in virtual time (`replay.py`), without partials: no load is in it. Recordings
are few and a model's errors hang on little, so each difference has an interval, and offline decodes are made of the
same audio begun a little later, too: what differs among these is chance.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.clips import SAMPLE_RATE, Clip, Recording
from benchmarks.model import FINAL_BEAM, Model
from benchmarks.options import Options
from benchmarks.replay import Decode, by_engine, replay
from benchmarks.schedule import LEAD_S, alone
from benchmarks.scoring import Score, score
from transcription.core.config import SessionConfig, VadConfig
from workers.engines import windows

LATER_S = (0.1, 0.2, LEAD_S)
"""So much less of the silence before a clip."""
LONG_SILENCE_MS = 800
RESAMPLED = 4_000
"""Times that the clips are drawn again, for an interval."""

Hear = Callable[[Recording], str]
"""A recording into its text."""


@dataclass(frozen=True, slots=True)
class Against:
    """One way to hear a group's recordings, against the first way."""

    group: str
    way: str
    clips: int
    score: Score
    points: float
    """More of the words wrong than in the first way, in hundredths."""
    interval: tuple[float, float] | None
    """Where 95 of 100 other choices of as many such clips would have `points`; `None` of one clip."""
    better: int
    """Clips with fewer errors than in the first way."""
    worse: int

    def as_json(self) -> dict[str, Any]:
        """Built-in types."""
        return asdict(self) | {"wer": round(self.score.wer, 4)}


def accuracy(options: Options, pool: Sequence[Recording], model: Model, directory: Path) -> list[Against]:
    """All ways, of all groups and then of all clips."""
    heard = {name: [hear(recording) for recording in pool] for name, hear in _ways(options, model, directory).items()}
    return compared(pool, heard)


def compared(pool: Sequence[Recording], heard: dict[str, list[str]]) -> list[Against]:
    """The texts of each way, in the order of `pool`, against those of the first."""
    scores = {
        way: [score([one.clip.text], [text]) for one, text in zip(pool, texts, strict=True)]
        for way, texts in heard.items()
    }
    first = next(iter(scores))
    groups = list(dict.fromkeys(group(one.clip) for one in pool))
    members = {name: [at for at, one in enumerate(pool) if group(one.clip) == name] for name in groups}
    if len(groups) > 1:
        members["all"] = list(range(len(pool)))
    return [
        _against(name, way, [scores[way][at] for at in among], [scores[first][at] for at in among])
        for name, among in members.items()
        for way in scores
    ]


def group(clip: Clip) -> str:
    """The folder, and for how sure its texts are where that differs within one."""
    folder = clip.folder if clip.folder != clip.name else "clips"
    exact = clip.ref in Options().refs
    return f"{folder}, {'exact' if exact else 'other'} references" if folder == "real" else folder


def accuracy_markdown(found: Sequence[Against]) -> str:
    """A row a way of a group."""
    rows = [
        [
            f"{one.group}: {one.clips} clips, {one.score.words} words",
            one.way,
            f"{one.score.wer:.1%}",
            f"{one.points:+.1f}" + (" ({:+.1f} to {:+.1f})".format(*one.interval) if one.interval else ""),
            f"{one.better} / {one.worse}",
        ]
        for one in found
    ]
    headers = ["", "heard by", "WER", "points (95 of 100)", "clips better / worse"]
    return "## Accuracy\n\n" + tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _ways(options: Options, model: Model, directory: Path) -> dict[str, Hear]:
    """By name, the first being what the others are held against."""
    short, whole = (
        by_engine(directory, options.device, options.compute_type, least_final_window_s=least_s)
        for least_s in (windows.FINAL_GRID_S[0], windows.LONGEST_S)
    )
    offline = {f"offline, begun {later_s * 1000:.0f} ms later": _offline(model, later_s) for later_s in LATER_S}
    return {
        "offline": _offline(model),
        **offline,
        "service": _service(short),
        "service, 30 s windows": _service(whole),
        f"service, endpoint after {LONG_SILENCE_MS} ms": _service(short, VadConfig(min_silence_ms=LONG_SILENCE_MS)),
        "service, turn mode auto": _service(short, VadConfig(turn_mode="auto")),
    }


def _offline(model: Model, later_s: float = 0.0) -> Hear:
    begin = round(later_s * SAMPLE_RATE)
    return lambda recording: model.transcribe(alone(recording).pcm[begin:], FINAL_BEAM)


def _service(decode: Decode, vad: VadConfig = VadConfig()) -> Hear:  # noqa: B008 - frozen
    config = SessionConfig(partial_results=False, vad=vad)
    return lambda recording: replay(alone(recording), config, decode).text


def _against(name: str, way: str, scores: Sequence[Score], first: Sequence[Score]) -> Against:
    words = np.array([one.words for one in scores])
    more = np.array([_errors(one) - _errors(other) for one, other in zip(scores, first, strict=True)])
    drawn = np.random.default_rng(0).integers(0, len(words), (RESAMPLED, len(words)))
    low, high = np.percentile(100 * more[drawn].sum(1) / np.maximum(words[drawn].sum(1), 1), (2.5, 97.5))
    total = Score(*(sum(getattr(one, field) for one in scores) for field in Score.__slots__))
    return Against(
        group=name,
        way=way,
        clips=len(scores),
        score=total,
        points=round(100 * float(more.sum()) / max(total.words, 1), 2),
        interval=(round(float(low), 2), round(float(high), 2)) if len(words) > 1 else None,
        better=int((more < 0).sum()),
        worse=int((more > 0).sum()),
    )


def _errors(one: Score) -> int:
    return one.substitutions + one.deletions + one.insertions
