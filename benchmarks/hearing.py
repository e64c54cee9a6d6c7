"""What a service knows of a turn while it is spoken: speech probabilities, and the text of what was said at each pause.

Both are found once, by the service's own VAD and the model; how long to wait is replayed over them in pure code.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Heard:
    """A turn as the service hears it if nothing ends it."""

    turn: Turn
    windows: list[tuple[float, float]]
    """Of each: speech probability and mean power."""
    texts: dict[int, str]
    """What was said by then, for each position (samples) at which speech has paused long enough to ask."""


def hear(turn: Turn, transcribe: Transcriber) -> Heard:
    """Go through a turn."""
    vad = SileroVad()
    endpointer = SilenceEndpointer(VadConfig(min_silence_ms=NEVER_MS), len(turn.pcm) + WINDOW)
    windows, texts, start = [], {}, 0
    for at in range(0, len(turn.pcm) - WINDOW + 1, WINDOW):
        pcm = turn.pcm[at : at + WINDOW].tobytes()
        windows.append((vad(pcm), mean_power(pcm)))
        for event in endpointer.push(*windows[-1]):
            match event:
                case Opened(start=start):
                    pass
                case Paused():
                    texts[at + WINDOW] = transcribe(turn.pcm[start : at + WINDOW])
    return Heard(turn, windows, texts)


class Finals:
    """Texts as the service's own engine writes finals, from CTranslate2's `model`.

    They are kept in a JSON Lines file by what they are of: a run that was broken off goes on where it was.
    """

    def __init__(self, model: Path, device: str, compute_type: str | None, threads: int, known: Path) -> None:
        """`compute_type` `None` is `float16` on a GPU and `int8` on a CPU; `device` may be `auto`."""
        # Imported here: other benchmarks must not need Whisper, nor pay for loading it.
        from workers.engines.whisper import WhisperEngine

        device, compute_type = chosen(device, compute_type)
        self._engine = WhisperEngine(model, device, compute_type, cpu_threads=threads, lanes=1)
        self._name = f"{model.name}/{compute_type}".encode()
        known.parent.mkdir(parents=True, exist_ok=True)
        lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
        self._known: dict[str, str] = dict(json.loads(line) for line in lines)
        self._file = known

    def __call__(self, pcm: np.ndarray) -> str:
        """The text, decoded now if it is not known."""
        name = hashlib.sha256(self._name + pcm.tobytes()).hexdigest()[:24]
        if name not in self._known:
            self._known[name] = self._decode(pcm)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, self._known[name]], ensure_ascii=False) + "\n")
        return self._known[name]

    def _decode(self, pcm: np.ndarray) -> str:
        return text_of(decoded(self._engine, SPECULATIVE, pcm))


def decoded(engine: Engine, job: Job, pcm: np.ndarray) -> Hypothesis | EngineError:
    """What an engine makes of int16 `pcm`, shape `(samples,)`, 16 kHz, by itself in its batch."""
    prepared = engine.prepare(job, pcm.astype(np.float32) / np.float32(32768))
    return engine.decode([prepared])[0] if isinstance(prepared, Request) else prepared


def text_of(found: Hypothesis | EngineError) -> str:
    """What was heard; nothing where the engine could not."""
    return found.text if isinstance(found, Hypothesis) else ""
