"""Made-up speech and sessions for the tests of the benchmarks."""

from pathlib import Path

import numpy as np

from benchmarks.clips import SAMPLE_RATE, Clip, Recording, recording
from benchmarks.record import Record
from benchmarks.schedule import Script, assemble
from harness.talker import Received

TIMING = {
    "preprocess_ms": 1.0,
    "queue_wait_ms": 2.0,
    "inference_ms": 90.0,
    "postprocess_ms": 1.0,
    "server_total_ms": 94.0,
}


def clip(name: str = "real/a.flac", text: str = "bom dia", speaker: str = "ana", ref: str = "published") -> Clip:
    """A clip without a file."""
    return Clip(name=name, path=Path(name), text=text, ref=ref, speaker=speaker)


def sound(seconds: float, level: float = 3000.0) -> np.ndarray:
    """Noise as loud as speech: int16."""
    noise = np.random.default_rng(0).normal(0, level, round(seconds * SAMPLE_RATE))
    return np.clip(noise, -32768, 32767).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    """Digital silence: int16."""
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.int16)


def spoken(seconds: float, **about: str) -> Recording:
    """A recording that is speech from its first sample to its last."""
    return recording(clip(**about), sound(seconds))


def one_clip_script() -> Script:
    """Half a second of silence, one second of speech, a second of silence."""
    return assemble([spoken(1.0)], [0.5, 1.0])


def record_of(script: Script, messages: list[tuple[float, dict]], *, completed: bool = True) -> Record:
    """A session that began at 100 s, with messages by their time after that."""
    ended = [(script.seconds, {"type": "session_ended", "reason": "completed"})] if completed else []
    everything = [(-0.1, {"type": "session_started"}), *messages, *ended]
    received = [Received(100.0 + after, message) for after, message in everything]
    return Record(script, began_at=100.0, sent=len(script.pcm), received=received)


def partial(segment: str, end_ms: float, text: str = "bom") -> dict:
    """A partial transcript."""
    return {
        "type": "partial_transcript",
        "segment_id": segment,
        "text": text,
        "audio_end_ms": end_ms,
        "timing": TIMING,
    }


def final(segment: str, start_ms: float, duration_ms: float, text: str = "Bom dia.") -> dict:
    """A final transcript."""
    return {
        "type": "final_transcript",
        "segment_id": segment,
        "text": text,
        "audio_start_ms": start_ms,
        "audio_duration_ms": duration_ms,
        "timing": TIMING,
    }


def endpoint(segment: str) -> dict:
    """The end of a segment's speech."""
    return {"type": "vad_event", "state": "speech_end", "segment_id": segment, "t_ms": 0.0}
