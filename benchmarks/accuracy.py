"""`accuracy`: words that the service's finals have wrong, against the same model offline, group by group.

The service is the session and the engine in virtual time (`replay.py`), without partials: no load is in it, and each
decode is answered after `ANSWERED_S`, as by a machine that is fast enough. Recordings are few and a model's errors hang
on as little as the silence before them: each is heard `LEADS_S` times, and each difference has an interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.clips import Clip, Recording
from benchmarks.conditions import Condition, Surroundings
from benchmarks.model import FINAL_BEAM, Model
from benchmarks.options import Options
from benchmarks.replay import Decode, by_engine, replay
from benchmarks.schedule import LEAD_S, Script, alone
from benchmarks.scoring import Score, score
from transcription.core.config import SessionConfig, VadConfig
from workers.engines import windows

LEADS_S = (LEAD_S, 0.1)
"""Silence before a clip, each of the times that it is heard."""
ANSWERED_S = 0.3
LONG_SILENCE_MS = 800
RESAMPLED = 4_000
"""Times that the clips are drawn again, for an interval."""

Hear = Callable[[Script], str]
"""A session of one clip into its text."""


@dataclass(frozen=True, slots=True)
class Against:
    """One way to hear a group's recordings, against the first way."""

    condition: str
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


def accuracy(
    options: Options, around: Surroundings, conditions: Sequence[Condition], model: Model, directory: Path
) -> list[Against]:
    """Of each condition all groups and then all clips."""
    ways = _ways(options, model, directory)
    found: list[Against] = []
    for condition in conditions:
        pool = condition.apply(around)
        heard = {
            name: [[hear(alone(recording, condition.rate, lead_s)) for lead_s in LEADS_S] for recording in pool]
            for name, hear in ways.items()
        }
        found += compared(pool, heard, condition.name)
    return found


def compared(pool: Sequence[Recording], heard: dict[str, list[list[str]]], condition: str = "clean") -> list[Against]:
    """The texts of each way, for each recording of `pool` some, against those of the first."""
    scores = {
        way: [score([one.clip.text] * len(texts), texts) for one, texts in zip(pool, of_clips, strict=True)]
        for way, of_clips in heard.items()
    }
    first = next(iter(scores))
    groups = list(dict.fromkeys(group(one.clip) for one in pool))
    members = {name: [at for at, one in enumerate(pool) if group(one.clip) == name] for name in groups}
    if len(groups) > 1:
        members["all"] = list(range(len(pool)))
    return [
        _against(condition, name, way, [scores[way][at] for at in among], [scores[first][at] for at in among])
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
            one.condition,
            f"{one.group}: {one.clips} clips, {one.score.words} words",
            one.way,
            f"{one.score.wer:.1%}",
            f"{one.points:+.1f}" + (" ({:+.1f} to {:+.1f})".format(*one.interval) if one.interval else ""),
            f"{one.better} / {one.worse}",
        ]
        for one in found
    ]
    headers = ["", "", "heard by", "WER", "points (95 of 100)", "clips better / worse"]
    return "## Accuracy\n\n" + tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _ways(options: Options, model: Model, directory: Path) -> dict[str, Hear]:
    """By name, the first being what the others are held against; where conditions are asked for, no other settings."""

    def engine(least_s: int) -> Decode:
        decode = by_engine(directory, options.device, options.compute_type, least_final_window_s=least_s)
        return lambda *asked: (decode(*asked)[0], ANSWERED_S)

    short = engine(windows.LEAST_FINAL_S)
    plain: dict[str, Hear] = {
        "offline": lambda script: model.transcribe(script.pcm, FINAL_BEAM), "service": _service(short),
    }  # fmt: skip
    return plain if options.conditions else plain | {
        "service, 30 s windows": _service(engine(windows.LONGEST_S)),
        f"service, endpoint after {LONG_SILENCE_MS} ms": _service(short, VadConfig(min_silence_ms=LONG_SILENCE_MS)),
        "service, turn mode auto": _service(short, VadConfig(turn_mode="auto")),
    }  # fmt: skip


def _service(decode: Decode, vad: VadConfig = VadConfig()) -> Hear:  # noqa: B008 - frozen
    config = SessionConfig(partial_results=False, vad=vad)
    return lambda script: replay(script, replace(config, sample_rate=script.rate), decode).text


def _against(condition: str, name: str, way: str, scores: Sequence[Score], first: Sequence[Score]) -> Against:
    words = np.array([one.words for one in scores])
    more = np.array([_errors(one) - _errors(other) for one, other in zip(scores, first, strict=True)])
    drawn = np.random.default_rng(0).integers(0, len(words), (RESAMPLED, len(words)))
    low, high = np.percentile(100 * more[drawn].sum(1) / np.maximum(words[drawn].sum(1), 1), (2.5, 97.5))
    total = Score(*(sum(getattr(one, field) for one in scores) for field in Score.__slots__))
    return Against(
        condition=condition,
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
