"""Audio to say: recorded speech, silence, noise. PCM is signed 16 bit, little-endian, mono, 16 kHz."""

import io
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.programs import needed

AUDIO = Path(__file__).parent.parent / "tests" / "audio"
SAMPLE_RATE = 16_000
BYTES_PER_S = 2 * SAMPLE_RATE
FRAME = BYTES_PER_S // 50
"""Bytes of a message on the wire: 20 ms."""


def speech(name: str) -> bytes:
    """The PCM of a clip of tests/audio."""
    with wave.open(str(AUDIO / f"{name}.wav")) as clip:
        return clip.readframes(clip.getnframes())


def silence(seconds: float) -> bytes:
    """PCM of digital silence, so many seconds."""
    return bytes(2 * int(seconds * SAMPLE_RATE))


def noise(seconds: float, seed: int = 0) -> bytes:
    """PCM of noise, so many seconds, with samples that no other seed gives."""
    samples = np.random.default_rng(seed).integers(-3000, 3000, int(seconds * SAMPLE_RATE), dtype=np.int16)
    return samples.tobytes()


def frames(pcm: bytes, size: int = FRAME) -> Iterator[bytes]:
    """PCM in pieces of `size` bytes, the last of what is left."""
    return (pcm[at : at + size] for at in range(0, len(pcm), size))


def wav(pcm: bytes, rate: int = SAMPLE_RATE) -> bytes:
    """The PCM with a header."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return written.getvalue()


def encoded(pcm: bytes, *options: str | Path, rate: int = SAMPLE_RATE, to: str | Path = "-") -> bytes:
    """The PCM as FFmpeg writes it; empty where it is written to a file."""
    given = ["-v", "error", "-y", "-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "-"]
    return subprocess.run([needed("ffmpeg"), *given, *options, to], input=pcm, check=True, capture_output=True).stdout
