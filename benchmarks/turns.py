"""`turns`: how often a turn is cut, and how long is waited after one, by each way to find its end.

The sweep is that of livekit/eot-bench: of every way the silence is varied, and of the points that come of it the best
within a budget of dead air, or of cuts, is told. A turn is cut if it ends at any pause inside it; dead air is what
passes from the true end of its speech to its endpoint, over the turns that are not cut.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from benchmarks.clips import SAMPLE_RATE, Recording
from benchmarks.dictation import Turn, dictation, with_tail
from benchmarks.hearing import Ear, Heard, Transcriber, hear
from benchmarks.options import Options
from transcription.core.audio import samples_from_ms
from transcription.core.config import VadConfig
from transcription.core.protocol import TurnMode
from transcription.core.session.endpointing import WINDOW, Closed, Paused, Resumed, SilenceEndpointer
from transcription.core.session.turns import Verdict, judge, silence_ms
from transcription.core.text.formatting import format_text

SWEPT_MS = (*range(200, 1000, 50), *range(1000, 2001, 100))
"""Fixed silences, and those of neutral texts."""
TURNS = 300
"""Of each half, unless `--limit` says otherwise."""
DEAD_AIR_MS = (300, 600, 1000)
CUT_SHARES = (0.05, 0.10)
MAX_UTTERANCE = 60 * SAMPLE_RATE
"""Longer than any turn."""

_judged = cache(judge)


@dataclass(frozen=True, slots=True)
class Policy:
    """A way to find the end of a turn."""

    name: str
    mode: TurnMode
    text: bool = True
    """Whether it goes by what was said."""
    sound: bool = False
    """Whether it goes by how it was said."""


POLICIES = (
    Policy("fixed", "fixed"),
    Policy("auto", "auto"),
    Policy("auto, Smart Turn alone", "auto", text=False, sound=True),
    Policy("auto, both", "auto", sound=True),
    Policy("dictation", "dictation"),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a turn."""

    kind: str
    cut: bool
    dead_air_ms: float | None
    """`None` of a turn that is cut, or in which nothing was heard."""
    whole: bool | None = None
    """Of a CPF, whether its final has all of it, formatted; `None` of other turns."""


@dataclass(frozen=True, slots=True)
class Point:
    """One policy over all turns."""

    min_silence_ms: int
    ended: list[Ended]

    @property
    def cut_share(self) -> float:
        """Of all turns."""
        return sum(turn.cut for turn in self.ended) / len(self.ended)

    @property
    def dead_air_ms(self) -> float:
        """The mean over the turns that are not cut; 0 where all are."""
        waited = [turn.dead_air_ms for turn in self.ended if turn.dead_air_ms is not None]
        return statistics.fmean(waited) if waited else 0.0

    @property
    def whole(self) -> tuple[int, int]:
        """How many CPFs there are, and of how many a final has all of it."""
        found = [turn.whole for turn in self.ended if turn.whole is not None]
        return len(found), sum(found)

    @property
    def kinds(self) -> dict[str, tuple[int, int]]:
        """How many turns of each kind there are, and how many are cut."""
        found: dict[str, tuple[int, int]] = {}
        for turn in self.ended:
            count, cut = found.get(turn.kind, (0, 0))
            found[turn.kind] = count + 1, cut + turn.cut
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Swept:
    """A policy, with each silence, over one set of turns."""

    turns: str
    policy: str
    points: list[Point]

    @property
    def default(self) -> Point:
        """With the service's own silence."""
        return next(point for point in self.points if point.min_silence_ms == VadConfig().min_silence_ms)

    def cut_within(self, dead_air_ms: float) -> float | None:
        """The least share of turns cut where the mean dead air is no more than that; `None`: it is more everywhere."""
        return min((point.cut_share for point in self.points if point.dead_air_ms <= dead_air_ms), default=None)

    def waited_within(self, cut_share: float) -> float | None:
        """The least mean dead air (ms) where no more turns than that are cut; `None`: more are everywhere."""
        return min((point.dead_air_ms for point in self.points if point.cut_share <= cut_share), default=None)

    def as_json(self) -> dict[str, Any]:
        """All points."""
        points = [
            {
                "min_silence_ms": p.min_silence_ms,
                "cut": p.cut_share,
                "dead_air_ms": p.dead_air_ms,
                "kinds": p.kinds,
                "whole": p.whole,
            }
            for p in self.points
        ]
        return {"turns": self.turns, "policy": self.policy, "count": len(self.default.ended), "points": points}


def turns(
    options: Options, pool: Sequence[Recording], finals: Transcriber, sounds_over: Ear | None = None
) -> list[Swept]:
    """Every policy over what is dictated, its words as they were said and as they were heard, and over what is read."""
    dictated = dictation(options.half, options.limit or TURNS, options.voices, options.seed)
    heard = [hear(turn, finals, sounds_over) for turn in dictated]
    sets = {
        "dictated, words as said": [_as_said(each) for each in heard],
        "dictated, words as heard": heard,
        "read aloud, words as heard": [hear(_read(recording), finals, sounds_over) for recording in pool],
    }
    policies = [policy for policy in POLICIES if sounds_over or not policy.sound]
    return [sweep(name, of, policy, options.decode_ms) for name, of in sets.items() for policy in policies]


def sweep(name: str, heard: Sequence[Heard], policy: Policy, decode_ms: float) -> Swept:
    """A policy with each silence; what holds and what closes early are the service's defaults."""
    vads = [VadConfig(turn_mode=policy.mode, min_silence_ms=ms) for ms in SWEPT_MS]
    ended = [[play(each, policy, vad, decode_ms) for each in heard] for vad in vads]
    return Swept(name, policy.name, [Point(ms, of) for ms, of in zip(SWEPT_MS, ended, strict=True)])


def play(heard: Heard, policy: Policy, vad: VadConfig, decode_ms: float) -> Ended:
    """Let a policy find the end of a turn; what it goes by is there `decode_ms` after it is asked for."""
    endpointer = SilenceEndpointer(vad, MAX_UTTERANCE)
    turn, text = heard.turn, ""
    awaited: tuple[int, Verdict] | None = None
    decode = samples_from_ms(decode_ms)
    for at, window in enumerate(heard.windows, 1):
        position = at * WINDOW
        if awaited and position > awaited[0]:
            endpointer.wait(samples_from_ms(silence_ms(awaited[1], vad)))
            awaited = None
        for event in endpointer.push(*window):
            if isinstance(event, Paused):
                text = heard.texts.get(position, "")
            match event:
                case Paused() if vad.turn_mode != "fixed" and position in heard.texts:
                    awaited = position + decode, _verdict(heard, position, policy)
                case Resumed():
                    awaited = None
                case Closed() if position < turn.end:
                    return Ended(turn.kind, cut=True, dead_air_ms=None, whole=_has_all(turn, ""))
                case Closed():
                    dead_air_ms = (position - turn.end) * 1000 / SAMPLE_RATE
                    return Ended(turn.kind, cut=False, dead_air_ms=dead_air_ms, whole=_has_all(turn, text))
    return Ended(turn.kind, cut=False, dead_air_ms=None, whole=_has_all(turn, ""))


def _verdict(heard: Heard, position: int, policy: Policy) -> Verdict:
    return _judged(heard.texts[position] * policy.text, heard.sounds.get(position) if policy.sound else None)


def _has_all(turn: Turn, text: str) -> bool | None:
    """Whether a text has the CPF of a turn; `None` where it is no CPF."""
    return _cpfs(turn.said_by(turn.end)) <= _cpfs(text) if turn.kind == "cpf" else None


@cache
def _cpfs(text: str) -> frozenset[str]:
    return frozenset(entity.value for entity in format_text(text).entities if entity.type == "cpf")


def _as_said(heard: Heard) -> Heard:
    """As if the model made no mistake."""
    return replace(heard, texts={position: heard.turn.said_by(position) for position in heard.texts})


def _read(recording: Recording) -> Turn:
    """A recording as one turn."""
    end = int(recording.active.nonzero()[0][-1] + 1) * SAMPLE_RATE // 100
    return with_tail(recording.clip.name, "read", recording.pcm[:end], ((end, recording.clip.text),))
