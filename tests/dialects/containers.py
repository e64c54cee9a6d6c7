"""Recordings to upload."""

import io
import subprocess
import wave
from pathlib import Path

from real_clients import PCM

from harness.audio import SAMPLE_RATE

KINDS = ["wav", "mp3", "ogg", "webm", "flac", "m4a"]


def wav(pcm: bytes = PCM, rate: int = SAMPLE_RATE) -> bytes:
    """The PCM with a header."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return written.getvalue()


def recording(kind: str, directory: Path, pcm: bytes = PCM) -> bytes:
    """The PCM as a file of a kind; an `m4a` has its index behind its audio, as telephones write it."""
    if kind == "wav":
        return wav(pcm)
    target = directory / f"recording.{kind}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "s16le", "-ar", str(SAMPLE_RATE), "-ac", "1", "-i", "-", target]
    subprocess.run(command, input=pcm, check=True)
    return target.read_bytes()
