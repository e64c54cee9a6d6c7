"""Recordings to upload."""

from pathlib import Path

from real_clients import PCM

from harness.audio import encoded, wav

KINDS = ["wav", "mp3", "ogg", "webm", "flac", "m4a"]


def recording(kind: str, directory: Path, pcm: bytes = PCM) -> bytes:
    """The PCM as a file of a kind; an `m4a` has its index behind its audio, as telephones write it."""
    if kind == "wav":
        return wav(pcm)
    target = directory / f"recording.{kind}"
    encoded(pcm, to=target)
    return target.read_bytes()
