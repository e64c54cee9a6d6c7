"""A recording transcribed by the worker's engine in this process: no Redis, no database, no session.

PCM goes in whole; finals come out as the protocol has them. Silero, as faster-whisper ships it, cuts the audio at
pauses, and stretches are decoded as a worker decodes finals, several at once where they fit into one batch.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec
import numpy as np
from numpy.typing import NDArray

from launcher import preflight
from sttproject import env
from transcription.core.audio import ms_from_samples
from transcription.core.contract.jobs import Job, Kind, job_by_itself
from transcription.core.languages import PORTUGUESE
from transcription.core.protocol import Error, ErrorCode, FinalTranscript, RedactType, Timing
from transcription.core.text.formatting import format_text
from transcription.core.text.redaction import Redaction
from workers.engines.engine import Engine, EngineError, Hypothesis, Request
from workers.engines.model_store import resolve

NAME = "local"
"""Of the session there is none of."""

LONGEST_S = 27.0
"""A stretch, its padding and the silence a final's window has at least fit into Whisper's 30 s."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Speech between two pauses."""

    number: int
    start: int
    """Its first sample in the recording, at 16 kHz."""
    audio: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked of the transcript."""

    language: str
    threshold: float
    formats: bool
    redact: Sequence[RedactType]
    keyterms: Sequence[str] = ()


def load_engine(stt: env.Env) -> Engine:
    """The worker's engine, on all cores. Raises `LaunchError`, `ModelUnavailable` or `EngineError`."""
    preflight.device(stt)
    from workers.engines.whisper import WhisperEngine  # heavy, and not there in an installation of the web process

    model = resolve(stt.whisper_model, stt.model_dir, stt.cache_dir)
    return WhisperEngine(
        model,
        stt.device,
        stt.compute_type,
        cpu_threads=os.cpu_count() or 1,
        lanes=1,
        max_batch=stt.max_batch,
        least_final_window_s=stt.min_final_window_s,
    )


def transcribe(engine: Engine, pcm: bytes, wishes: Wishes, beam_size: int) -> Iterator[FinalTranscript | Error]:
    """The finals of 16-bit mono PCM at 16 kHz, in order of speech; an error for a stretch that the engine fails on."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
    redaction = Redaction(wishes.redact)
    everything = _stretches(samples, wishes.threshold)
    for at in range(0, len(everything), engine.max_batch):
        stretches = everything[at : at + engine.max_batch]
        began = time.perf_counter()
        answers = _decode(engine, [_job(each, wishes, beam_size) for each in stretches], stretches)
        took_ms = round((time.perf_counter() - began) * 1000 / len(stretches), 2)
        for stretch, answer in zip(stretches, answers, strict=True):
            if isinstance(answer, EngineError):
                yield Error(
                    code=ErrorCode.INFERENCE_ERROR,
                    message=str(answer),
                    session_id=NAME,
                    segment_id=_name(stretch),
                )
                continue
            final = _final(stretch, answer, redaction, took_ms, formats=wishes.formats)
            redaction = Redaction(wishes.redact, final.text or redaction.after)
            yield final


def _stretches(samples: NDArray[np.float32], threshold: float) -> list[Stretch]:
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=threshold, min_silence_duration_ms=500, speech_pad_ms=300, max_speech_duration_s=LONGEST_S
    )
    # a copy: faster-whisper 1.2.1 writes zeros into the last samples of what it is given
    found = get_speech_timestamps(samples.copy(), options)
    return [Stretch(number, one["start"], samples[one["start"] : one["end"]]) for number, one in enumerate(found)]


def _decode(engine: Engine, jobs: Sequence[Job], stretches: Sequence[Stretch]) -> list[Hypothesis | EngineError]:
    """An answer a stretch; those that may share a batch do."""
    prepared = [engine.prepare(job, stretch.audio) for job, stretch in zip(jobs, stretches, strict=True)]
    answers: list[Hypothesis | EngineError] = []
    for _, group in groupby(prepared, key=lambda one: one.key if isinstance(one, Request) else None):
        together = list(group)
        requests = [one for one in together if isinstance(one, Request)]
        answers += engine.decode(requests) if requests else [one for one in together if isinstance(one, Hypothesis)]
    return answers


def _job(stretch: Stretch, wishes: Wishes, beam_size: int) -> Job:
    return job_by_itself(
        _name(stretch),
        Kind.FINAL,
        language=wishes.language,
        beam_size=beam_size,
        word_timestamps=True,
        keyterms=tuple(wishes.keyterms) if wishes.language == PORTUGUESE else (),
    )


def _final(
    stretch: Stretch, heard: Hypothesis, redaction: Redaction, took_ms: float, *, formats: bool
) -> FinalTranscript:
    text, words = redaction.final(heard.text, heard.words)
    formatted = format_text(text, words) if formats else None
    return FinalTranscript(
        session_id=NAME,
        segment_id=_name(stretch),
        text=text,
        confidence=round(heard.confidence, 3),
        words=words,
        audio_duration_ms=ms_from_samples(stretch.audio.size),
        audio_start_ms=ms_from_samples(stretch.start),
        text_formatted=formatted.text if formatted else msgspec.UNSET,
        entities=formatted.entities if formatted else msgspec.UNSET,
        dropped=heard.dropped or msgspec.UNSET,
        timing=Timing(
            preprocess_ms=0.0, queue_wait_ms=0.0, inference_ms=took_ms, postprocess_ms=0.0, server_total_ms=took_ms
        ),
    )


def _name(stretch: Stretch) -> str:
    return f"{NAME}-{stretch.number}"
