"""`noise`: what the service makes of sound in which nobody speaks. Every text is one that nobody said."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.clips import Recording
from benchmarks.matching import segments
from benchmarks.model import FINAL_BEAM, Model
from benchmarks.options import Options
from benchmarks.processes import Watch
from benchmarks.record import Record
from benchmarks.schedule import alone
from benchmarks.talker import play_in_turn
from benchmarks.wer import session_text, trouble


@dataclass(frozen=True, slots=True)
class Invented:
    """One way of hearing all the clips."""

    name: str
    clips: int
    audio_s: float
    finals: int
    """With or without text."""
    finals_with_text: int
    partials_with_text: int
    cpu_s: float | None
    """Of the worker, or of the model; `None` where the worker is not to be seen."""
    texts: dict[str, str]
    """By clip, where there is any."""
    troubles: dict[str, list[str]]
    """By clip: errors, refusals and breaks of its session."""

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def noise(
    options: Options, pool: Sequence[Recording], behind: Sequence[Recording], model: Model | None
) -> list[Invented]:
    """With VAD, without, and the model offline if there is one, one after the other.

    `behind` is speech that is not the caller's; it is heard with VAD, and counted by itself.
    """
    ways = [
        _service("service", options, pool, vad_enabled=True),
        _service("service without VAD", options, pool, vad_enabled=False),
        _service("service, speech behind", options, behind, vad_enabled=True),
    ]
    return [*ways, _offline(pool, model)] if model else ways


def count(name: str, records: Sequence[Record], cpu_s: float | None) -> Invented:
    """What sessions of one clip each said."""
    found = [segment for record in records for segment in segments(record.received).values()]
    finals = [segment.final.message["text"] for segment in found if segment.final]
    partials = [partial.message["text"] for segment in found for partial in segment.partials]
    names = [record.script.placed[0].clip.name for record in records]
    return Invented(
        name=name,
        clips=len(records),
        audio_s=round(sum(record.script.seconds for record in records), 1),
        finals=len(finals),
        finals_with_text=sum(bool(text.strip()) for text in finals),
        partials_with_text=sum(bool(text.strip()) for text in partials),
        cpu_s=cpu_s,
        texts={of: text for of, record in zip(names, records, strict=True) if (text := session_text(record).strip())},
        troubles={of: said for of, record in zip(names, records, strict=True) if (said := trouble(record))},
    )


def _service(name: str, options: Options, pool: Sequence[Recording], *, vad_enabled: bool) -> Invented:
    with Watch(options.pid) as watch:
        scripts = [alone(recording) for recording in pool]
        records = asyncio.run(play_in_turn(options, scripts, vad_enabled=vad_enabled))
    worker = watch.usage().get("worker")
    return count(name, records, round(worker.cpu_s, 2) if worker else None)


def _offline(pool: Sequence[Recording], model: Model) -> Invented:
    began = time.process_time()
    texts = {recording.clip.name: model.transcribe(recording.pcm, FINAL_BEAM) for recording in pool}
    cpu_s = round(time.process_time() - began, 2)
    invented = {name: text for name, text in texts.items() if text.strip()}
    seconds = round(sum(recording.seconds for recording in pool), 1)
    return Invented("offline", len(pool), seconds, len(pool), len(invented), 0, cpu_s, invented, {})
