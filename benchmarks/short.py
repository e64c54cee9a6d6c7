"""`short`: answers of a word or two, each said once between silences: how many are heard, and how many rightly."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.clips import Recording
from benchmarks.conditions import Condition, Surroundings
from benchmarks.matching import segments
from benchmarks.model import FINAL_BEAM, Model
from benchmarks.options import Options
from benchmarks.record import Record
from benchmarks.schedule import alone
from benchmarks.scoring import normalise
from benchmarks.talker import play_in_turn
from benchmarks.wer import dropped, session_text, trouble


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer under one condition."""

    name: str
    said: str
    began: bool
    """Whether the service announced speech."""
    finals: int
    dropped: int
    """Finals whose text the service itself did not believe."""
    service: str
    offline: str | None
    """`None` where it was not asked for."""
    trouble: list[str]

    @property
    def right(self) -> bool:
        """Whether the service's text is what was said, word for word after normalisation."""
        return normalise(self.service) == normalise(self.said)

    @property
    def right_offline(self) -> bool:
        """Likewise the model's."""
        return self.offline is not None and normalise(self.offline) == normalise(self.said)


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers under one condition."""

    condition: str
    answers: list[Answer]

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {"condition": self.condition, "answers": [asdict(answer) for answer in self.answers]}


def short(
    options: Options, around: Surroundings, conditions: Sequence[Condition], model: Model | None
) -> list[Answers]:
    """Under each condition the service first, then the model, if there is one, on the same audio."""
    return [_under(condition, options, around, model) for condition in conditions]


def answer(record: Record, offline: str | None) -> Answer:
    """What became of one session of one answer."""
    clip = record.script.placed[0].clip
    found = segments(record.received).values()
    return Answer(
        name=clip.name,
        said=clip.text,
        began=record.has("vad_event"),
        finals=sum(segment.final is not None for segment in found),
        dropped=dropped(record),
        service=session_text(record).strip(),
        offline=offline if offline is None else offline.strip(),
        trouble=trouble(record),
    )


def _under(condition: Condition, options: Options, around: Surroundings, model: Model | None) -> Answers:
    spoilt: list[Recording] = condition.apply(around)
    scripts = [alone(recording, condition.rate) for recording in spoilt]
    records = asyncio.run(play_in_turn(options, scripts))
    offline = [model.transcribe(recording.pcm, FINAL_BEAM) if model else None for recording in spoilt]
    return Answers(condition.name, [answer(record, text) for record, text in zip(records, offline, strict=True)])
