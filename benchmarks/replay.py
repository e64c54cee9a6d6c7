"""`replay`: recordings go through the session and the engine as in the service, in a time of their own.

Frames come every 20 ms; a decode takes the CPU time that it costs, on one lane, and nothing else takes time. So it says
what the session and the engine make of speech, whatever else the machine does meanwhile.
"""

import heapq
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.clips import Recording
from benchmarks.hearing import decoded
from benchmarks.model import chosen
from benchmarks.schedule import FRAME_S, Script, alone
from benchmarks.scoring import Score, score
from benchmarks.stability import Stability
from transcription.core.audio import BYTES_PER_SAMPLE
from transcription.core.capacity.admission import Admitted
from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Job, Kind, Transcript
from transcription.core.protocol import FinalTranscript, PartialTranscript, ServerMessage
from transcription.core.session.effects import Admit, CancelPartials, Effect, Send, StoreAudio, StoreBefore, Submit
from transcription.core.session.recognition import Tools
from transcription.core.session.session import Session
from transcription.ingress.resampling import StreamResampler
from transcription.ingress.vad import SileroVad
from workers.engines.engine import EngineError, Hypothesis
from workers.engines.windows import LEAST_FINAL_S

Decode = Callable[[Job, np.ndarray, np.ndarray | None], tuple[Hypothesis, float]]
"""A job, its audio (int16 of shape `(samples,)`, 16 kHz) and that of what was before it, where the job names it, into
its hypothesis and the CPU time that it cost (s)."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of recordings."""

    score: Score
    stability: Stability
    waits_s: list[float]
    """From each segment's endpoint to its final."""
    audio_s: float
    cpu_s: dict[str, float]
    """Of partials and of finals."""

    def as_json(self) -> dict[str, Any]:
        """Built-in types."""
        return asdict(self) | {"wer": round(self.score.wer, 4)}


def replayed(recordings: Sequence[Recording], decode: Decode, piece_ms: int | None = None) -> Replayed:
    """Each recording as a session of its own, with a lane of its own and the defaults, or pieces of another length."""
    config = SessionConfig()
    if piece_ms is not None:
        config = replace(config, vad=replace(config.vad, piece_ms=piece_ms))
    heard = [replay(alone(recording), config, decode) for recording in recordings]
    stability = Stability()
    for each in heard:
        for _, final in each.finals:
            stability.add(each.partials_of(final.segment_id), final)
    return Replayed(
        score([recording.clip.text for recording in recordings], [each.text for each in heard]),
        stability,
        [at - (final.audio_start_ms + final.audio_duration_ms) / 1000 for each in heard for at, final in each.finals],
        sum(recording.seconds for recording in recordings),
        {kind: sum(each.cpu_s[kind] for each in heard) for kind in Kind},
    )


def by_engine(
    model: Path, device: str, compute_type: str | None, *, least_final_window_s: int = LEAST_FINAL_S
) -> Decode:
    """Decodes by the service's engine with one thread, from CTranslate2's `model`."""
    # Imported here: other benchmarks must not need Whisper, nor pay for loading it.
    from workers.engines.whisper import WhisperEngine

    device, compute_type = chosen(device, compute_type)
    engine = WhisperEngine(
        model, device, compute_type, cpu_threads=1, lanes=1, least_final_window_s=least_final_window_s
    )

    def decode(job: Job, audio: np.ndarray, before: np.ndarray | None) -> tuple[Hypothesis, float]:
        began = time.process_time()
        found = decoded(engine, job, audio, before)
        if isinstance(found, EngineError):
            raise found
        return found, time.process_time() - began

    return decode


def remembered(decode: Decode) -> Decode:
    """The same, asking but once for what is asked again: variants that decode alike cost alike."""
    known: dict[tuple[object, ...], tuple[Hypothesis, float]] = {}

    def ask(job: Job, audio: np.ndarray, before: np.ndarray | None) -> tuple[Hypothesis, float]:
        together = (before.tobytes(), job.before.text) if before is not None and job.before else ()
        asked = (job.kind, job.language, job.beam_size, job.word_timestamps, job.prefix, job.believed)
        key = (audio.tobytes(), *asked, *together)
        if key not in known:
            known[key] = decode(job, audio, before)
        return known[key]

    return ask


def replay_markdown(found: Mapping[int, Replayed]) -> str:
    """A table of all figures, by the length of pieces (ms)."""
    columns = [_figures(each) for each in found.values()]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    heads = [f"pieces of {ms / 1000:g} s" if ms else "whole" for ms in found]
    return "## Replay\n\n" + tabulate(rows, ["", *heads], tablefmt="github", disable_numparse=True)


def _figures(found: Replayed) -> dict[str, str]:
    stability, share = found.stability, found.stability.wrong / max(found.stability.stable, 1)
    changed = stability.changed / max(stability.shown, 1)
    return {
        "words": str(found.score.words),
        "word error rate": f"{found.score.wer:.1%}",
        "from the endpoint to the final, p50 / p95, s": _pair(found.waits_s),
        "CPU s a second of audio: partials, finals": " / ".join(
            f"{s / found.audio_s:.2f}" for s in found.cpu_s.values()
        ),
        "stable words that the final has otherwise": f"{share:.1%} ({stability.wrong} of {stability.stable})",
        "share of words that were stable before the final": f"{len(stability.lags_s) / max(stability.words, 1):.0%}",
        "from a word's end to where it is stable, p50 / p95, s": _pair(stability.lags_s),
        "words after the stable ones that the next partial changes": f"{changed:.0%}",
    }


def _pair(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in np.percentile(values, (50, 95))) if values else "–"


@dataclass(slots=True)
class Heard:
    """One session's messages, each with the time at which it came."""

    script: Script
    messages: list[tuple[float, ServerMessage]] = field(default_factory=list)
    cpu_s: dict[Kind, float] = field(default_factory=lambda: dict.fromkeys(Kind, 0.0))

    @property
    def finals(self) -> list[tuple[float, FinalTranscript]]:
        """In order."""
        return [(at, message) for at, message in self.messages if isinstance(message, FinalTranscript)]

    def partials_of(self, segment_id: str) -> list[tuple[float, PartialTranscript]]:
        """In order."""
        return [
            (at, message)
            for at, message in self.messages
            if isinstance(message, PartialTranscript) and message.segment_id == segment_id
        ]

    @property
    def text(self) -> str:
        """All finals'."""
        return " ".join(final.text for _, final in self.finals)


class _Lane:
    """The worker: one decode at a time, finals first."""

    def __init__(self, decode: Decode, heard: Heard) -> None:
        self.free_at = 0.0
        self.audio: dict[str, bytearray] = {}
        self.before: dict[str, bytes] = {}
        self._decode, self._heard = decode, heard
        self._waiting: list[Job] = []
        self._overtaken: dict[str, int] = {}

    def do(self, effect: Effect) -> None:
        """Take what a session asks for; what is none of a worker's business is let be."""
        match effect:
            case StoreAudio(segment_id=name, offset=offset, pcm=pcm):
                kept = self.audio.setdefault(name, bytearray())
                kept[offset * BYTES_PER_SAMPLE :] = pcm
            case StoreBefore(segment_id=name, pcm=pcm):
                self.before[name] = pcm
            case CancelPartials(segment_id=name, number=number):
                self._overtaken[name] = number
            case Submit(job=job):
                self._waiting.append(job)

    def begin(self, now: float) -> tuple[float, Transcript] | None:
        """Begin the next job, if the lane is free; when it will be answered, and with what."""
        self._waiting = [
            job
            for job in self._waiting
            if job.kind is Kind.FINAL or job.number > self._overtaken.get(job.segment_id, -1)
        ]
        if not self._waiting or self.free_at > now:
            return None
        job = min(self._waiting, key=lambda job: job.kind is not Kind.FINAL)
        self._waiting.remove(job)
        pcm = np.frombuffer(bytes(self.audio.get(job.segment_id, b"")), "<i2")[job.start : job.end]
        before = np.frombuffer(self.before[job.segment_id], "<i2") if job.before else None
        found, cost = self._decode(job, pcm, before)
        self._heard.cpu_s[job.kind] += cost
        self.free_at = now + cost
        return self.free_at, Transcript(
            job_id=job.job_id,
            segment_id=job.segment_id,
            kind=job.kind,
            text=found.text,
            confidence=found.confidence,
            words=found.words,
            audio_end=job.start + pcm.size,
            preprocess_ms=0.0,
            inference_ms=cost * 1000,
            postprocess_ms=0.0,
            dropped=found.dropped,
            dropped_text=found.dropped_text,
            sure_words=found.sure_words,
        )


def replay(script: Script, config: SessionConfig, decode: Decode) -> Heard:
    """Play one session."""
    heard = Heard(script)
    session = Session("replay", config, Tools(SileroVad, StreamResampler), 0.0)
    lane = _Lane(decode, heard)
    events: list[tuple[float, int, object]] = []
    count = 0

    def put(at: float, what: object) -> None:
        nonlocal count
        heapq.heappush(events, (at, count, what))
        count += 1

    def follow(effects: Iterable[Effect], now: float) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                heard.messages.append((now, effect.message))
            elif isinstance(effect, Admit):
                follow(session.receive_admission(Admitted(), now), now)
            else:
                lane.do(effect)
        if answer := lane.begin(now):
            put(*answer)

    follow(session.receive_text(json.dumps({"type": "start_session"}), 0.0), 0.0)
    for number, frame in enumerate(script.frames(), start=1):
        put(number * FRAME_S, frame)
    put(number * FRAME_S, "end")
    while events:
        now, _, what = heapq.heappop(events)
        match what:
            case bytes() as pcm:
                follow(session.receive_audio(pcm, now), now)
            case Transcript() as answer:
                follow(session.receive_result(answer, now), now)
            case "end":
                follow(session.receive_text(json.dumps({"type": "end_session"}), now), now)
    return heard
