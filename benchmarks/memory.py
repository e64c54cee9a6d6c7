"""What an upload costs the web process's memory: `python -m benchmarks.memory --manifest PATH --minutes 60`.

One file, as long as asked for, is posted to `/v1/audio/transcriptions` with its form's fields before it, or behind it,
where they may still change how it is heard; whole, to its answer. The echo engine answers, so that only the web process
matters: its peak of resident memory, looked at four times a second, beside what it had before.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, cycle
from pathlib import Path

import numpy as np
import requests
import soundfile
from tabulate import tabulate

from benchmarks import clips
from benchmarks.options import Options
from benchmarks.processes import Watch
from benchmarks.service import NO_LIMITS, launched
from benchmarks.web import ECHO

PAUSE = np.zeros(clips.SAMPLE_RATE // 3, np.int16)
BLOCK = 65_536
BOUNDARY = "recording"
CASES = (
    ("fields first", "json", ""),
    ("fields behind", "json", ""),
    ("fields behind", "verbose_json", ""),
    ("fields behind", "json", "stream"),
)
"""Where the fields are, the answer's format, and whether it is told as it comes."""


def recording(pool: Sequence[clips.Recording], seconds: float) -> bytes:
    """A WAV file of so much speech, the clips one behind the other."""
    parts, length = [], 0
    for clip in cycle(pool):
        parts += [clip.pcm, PAUSE]
        length += len(clip.pcm) + len(PAUSE)
        if length >= seconds * clips.SAMPLE_RATE:
            break
    buffer = io.BytesIO()
    soundfile.write(buffer, np.concatenate(parts), clips.SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def form(audio: bytes, fields: dict[str, str], *, behind: bool) -> Iterator[bytes]:
    """A multipart body, block by block."""
    names = [_part(f'name="{name}"') + value.encode() + b"\r\n" for name, value in fields.items()]
    file = [_part('name="file"; filename="recording.wav"')]
    blocks = (audio[at : at + BLOCK] for at in range(0, len(audio), BLOCK))
    parts = chain(file, blocks, [b"\r\n"], names) if behind else chain(names, file, blocks, [b"\r\n"])
    return chain(parts, [f"--{BOUNDARY}--\r\n".encode()])


def _part(named: str) -> bytes:
    return f"--{BOUNDARY}\r\nContent-Disposition: form-data; {named}\r\n\r\n".encode()


def peak_mib(pid: int, url: str, audio: bytes, case: tuple[str, str, str]) -> tuple[float, float]:
    """The web process's resident memory before and at most, MiB. Raises `SystemExit` where there is no answer."""
    where, answer, stream = case
    fields = {"model": "whisper-1", "language": "pt", "response_format": answer} | (
        {"stream": "true"} if stream else {}
    )
    with Watch(pid) as before:
        pass
    with Watch(pid) as watch:
        found = requests.post(
            url,
            data=form(audio, fields, behind=where == "fields behind"),
            headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
            timeout=3600,
        )
    if not found.ok or len(found.text) < 2:
        raise SystemExit(f"{where}, {answer}: HTTP {found.status_code}: {found.text[:200]}")
    return max(before.usage()["web"].peak_rss_mib), max(watch.usage()["web"].peak_rss_mib)


def main(arguments: Sequence[str] | None = None) -> int:
    """Post the recording in each way, to a service of its own each time, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=main.__doc__)
    parser.add_argument("--manifest", type=Path, default=Options().manifest, help="whose clips are said")
    parser.add_argument("--minutes", type=float, default=60.0)
    chosen = parser.parse_args(arguments)
    pool = [clips.load(clip) for clip in clips.read_manifest(chosen.manifest)]
    audio = recording(pool, chosen.minutes * 60)
    os.environ.pop("PYTHONPATH", None)  # the service's code is the checkout's
    limits = {"STT_MAX_UPLOAD_S": str(int(chosen.minutes * 60) + 60), "STT_MAX_UPLOAD_MB": str(len(audio) // 10**6 + 2)}
    rows = []
    for case in CASES:
        with launched(Options().checkout, NO_LIMITS | ECHO | limits) as (socket, pid):
            url = socket.replace("ws://", "http://").removesuffix("/ws/stt") + "/v1/audio/transcriptions"
            before, most = peak_mib(pid, url, audio, case)
        where, answer, stream = case
        rows.append([where, f"{answer}, {stream}" if stream else answer, f"{before:.0f}", f"{most:.0f}"])
    size = f"{chosen.minutes:g} min of WAV, {len(audio) / 1e6:.0f} MB"
    table = tabulate(rows, [size, "answer", "before, MiB", "most, MiB"], tablefmt="github", disable_numparse=True)
    sys.stdout.write(f"{table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
