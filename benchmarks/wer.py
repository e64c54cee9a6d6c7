"""`wer`: words the service gets wrong against those the same model gets wrong offline, on the same files."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.conditions import Condition, Surroundings
from benchmarks.matching import segments
from benchmarks.model import FINAL_BEAM, Model
from benchmarks.options import Options
from benchmarks.record import Record
from benchmarks.schedule import alone
from benchmarks.scoring import Score, score
from benchmarks.talker import play_in_turn


@dataclass(frozen=True, slots=True)
class Heard:
    """One clip, as said and as heard both ways."""

    name: str
    said: str
    service: str
    offline: str
    service_wer: float
    offline_wer: float
    dropped: int
    """Finals whose text the service itself did not believe."""
    trouble: list[str]
    """Errors, refusals and breaks of its session."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Both error rates, and each clip."""

    service: Score
    offline: Score
    clips: list[Heard]

    @property
    def difference(self) -> float:
        """Service less offline: what streaming costs."""
        return self.service.wer - self.offline.wer

    def worst(self, count: int) -> list[Heard]:
        """The clips on which the service does worst against offline, then worst of all."""
        return sorted(self.clips, key=lambda h: (h.offline_wer - h.service_wer, -h.service_wer))[:count]

    def as_json(self) -> dict[str, Any]:
        """The rates (shares of words), their difference and each clip, as built-in types."""
        return {
            "service": asdict(self.service) | {"wer": round(self.service.wer, 4)},
            "offline": asdict(self.offline) | {"wer": round(self.offline.wer, 4)},
            "difference": round(self.difference, 4),
            "clips": [asdict(heard) for heard in self.clips],
        }


def wer(options: Options, around: Surroundings, conditions: Sequence[Condition], model: Model) -> dict[str, Accuracy]:
    """By condition. The service first, then the model on the same audio: never both at once."""
    return {condition.name: _under(condition, options, around, model) for condition in conditions}


def _under(condition: Condition, options: Options, around: Surroundings, model: Model) -> Accuracy:
    spoilt = condition.apply(around)
    records = asyncio.run(play_in_turn(options, [alone(recording, condition.rate) for recording in spoilt]))
    offline = [model.transcribe(recording.pcm, FINAL_BEAM) for recording in spoilt]
    return compare(records, offline)


def compare(records: Sequence[Record], offline: Sequence[str]) -> Accuracy:
    """Score sessions of one clip each, and offline transcripts of the same clips."""
    said = [record.script.placed[0].clip.text for record in records]
    service = [session_text(record) for record in records]
    clips = [
        Heard(
            name=record.script.placed[0].clip.name,
            said=text,
            service=streamed,
            offline=whole,
            service_wer=round(score([text], [streamed]).wer, 4),
            offline_wer=round(score([text], [whole]).wer, 4),
            dropped=dropped(record),
            trouble=trouble(record),
        )
        for record, text, streamed, whole in zip(records, said, service, offline, strict=True)
    ]
    return Accuracy(score(said, service), score(said, offline), clips)


def session_text(record: Record) -> str:
    """The texts of a session's finals, joined."""
    finals = [segment.final for segment in segments(record.received).values() if segment.final]
    return " ".join(final.message["text"] for final in sorted(finals, key=lambda final: final.at))


def dropped(record: Record) -> int:
    """How many of a session's finals the service left empty because nobody said what the model wrote."""
    found = segments(record.received).values()
    return sum("dropped" in segment.final.message for segment in found if segment.final)


def trouble(record: Record) -> list[str]:
    """What went wrong in a session, in words."""
    errors = [r.message["code"] for r in record.received if r.message["type"] == "error"]
    broken = [] if record.completed else [record.failure or "did not complete"]
    return errors + broken
