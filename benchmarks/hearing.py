"""What a service knows of a turn while it is spoken: speech probabilities, and at each pause what was said, and how.

All are found once, by the service's own VAD and models; how long to wait is replayed over them in pure code.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from benchmarks.dictation import Turn
from benchmarks.model import FINAL_BEAM, LANGUAGE, chosen
from transcription.core.audio import mean_power
from transcription.core.config import VadConfig
from transcription.core.contract.jobs import Job, Kind, job_by_itself
from transcription.core.session.endpointing import WINDOW, Opened, Paused, SilenceEndpointer
from transcription.ingress.vad import SileroVad
from workers.engines.engine import Engine, EngineError, Hypothesis, Request

NEVER_MS = 60_000
"""Silence that no turn has: every pause is gone through."""

SPECULATIVE = job_by_itself("turns", Kind.FINAL, language=LANGUAGE, beam_size=FINAL_BEAM)

Transcriber = Callable[[np.ndarray], str]
"""int16 of shape `(samples,)`, 16 kHz, into text."""
Ear = Callable[[np.ndarray], float]
"""The same into the probability that the turn is over."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A turn as the service hears it if nothing ends it."""

    turn: Turn
    windows: list[tuple[float, float]]
    """Of each: speech probability and mean power."""
    texts: dict[int, str]
    """What was said by then, for each position (samples) at which speech has paused long enough to ask."""
    sounds: dict[int, float] = field(default_factory=dict)
    """How likely the turn is over by how it sounds, at the same positions; empty where nobody was asked."""


def hear(turn: Turn, transcribe: Transcriber, sounds_over: Ear | None = None) -> Heard:
    """Go through a turn."""
    vad = SileroVad()
    endpointer = SilenceEndpointer(VadConfig(min_silence_ms=NEVER_MS), len(turn.pcm) + WINDOW)
    windows, texts, sounds, start = [], {}, {}, 0
    for at in range(0, len(turn.pcm) - WINDOW + 1, WINDOW):
        pcm = turn.pcm[at : at + WINDOW].tobytes()
        windows.append((vad(pcm), mean_power(pcm)))
        for event in endpointer.push(*windows[-1]):
            match event:
                case Opened(start=start):
                    pass
                case Paused():
                    said = turn.pcm[start : at + WINDOW]
                    texts[at + WINDOW] = transcribe(said)
                    if sounds_over:
                        sounds[at + WINDOW] = sounds_over(said)
    return Heard(turn, windows, texts, sounds)


Made = TypeVar("Made")


class Kept(Generic[Made]):
    """What a model makes of audio, kept in a JSON Lines file: a run that was broken off goes on where it was."""

    def __init__(self, model: Callable[[np.ndarray], Made], name: str, file: Path) -> None:
        """`name` is the model's: what another one made is not taken."""
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        self._known: dict[str, Made] = dict(json.loads(line) for line in lines)
        self._model = model
        self._name, self._file = name.encode(), file

    def __call__(self, pcm: np.ndarray) -> Made:
        """What is known of it, or made now."""
        name = hashlib.sha256(self._name + pcm.tobytes()).hexdigest()[:24]
        if name not in self._known:
            self._known[name] = self._model(pcm)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, self._known[name]], ensure_ascii=False) + "\n")
        return self._known[name]


def finals(model: Path, device: str, compute_type: str | None, threads: int, known: Path) -> Transcriber:
    """Texts as the service's own engine writes finals, from CTranslate2's `model`.

    `compute_type` `None` is `float16` on a GPU and `int8` on a CPU; `device` may be `auto`.
    """
    # Imported here: other benchmarks must not need Whisper, nor pay for loading it.
    from workers.engines.whisper import WhisperEngine

    device, compute_type = chosen(device, compute_type)
    engine = WhisperEngine(model, device, compute_type, cpu_threads=threads, lanes=1)
    return Kept(lambda pcm: text_of(decoded(engine, SPECULATIVE, pcm)), f"{model.name}/{compute_type}", known)


def ear(model: str, known: Path) -> Ear:
    """Turns by how they sound, as the service's worker hears them; `model` is `STT_TURN_MODEL`."""
    from workers.engines.model_store import turn_model
    from workers.engines.smart_turn import SmartTurn

    path = turn_model(model)
    judge = SmartTurn(path)
    return Kept(lambda pcm: judge(samples(pcm)), path.name, known)


def samples(pcm: np.ndarray) -> np.ndarray:
    """int16 as engines take it: float32, -1 to 1."""
    return pcm.astype(np.float32) / np.float32(32768)


def decoded(engine: Engine, job: Job, pcm: np.ndarray, before: np.ndarray | None = None) -> Hypothesis | EngineError:
    """What an engine makes of int16 `pcm`, shape `(samples,)`, 16 kHz, by itself in its batch.

    `before` is that of the job's `before`, if it names one.
    """
    prepared = engine.prepare(job, samples(pcm), None if before is None else samples(before))
    return engine.decode([prepared])[0] if isinstance(prepared, Request) else prepared


def text_of(found: Hypothesis | EngineError) -> str:
    """What was heard; nothing where the engine could not."""
    return found.text if isinstance(found, Hypothesis) else ""
