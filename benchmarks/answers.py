"""Short answers, as callers give them: one or two words, cut from recordings or synthesised by espeak-ng."""

import io
import shutil
import subprocess
from collections.abc import Sequence

import numpy as np
import soundfile
import soxr

from benchmarks.clips import SAMPLE_RATE, Clip, Recording, made

WORDS_AT_MOST = 2
SPEEDS = (130, 150, 170)
"""Words a minute, in turn."""
LEVEL = 0.07
"""Root mean square of what is said: -23 dB of full scale."""
ANSWERS = (
    "sim", "não", "oi", "tá", "alô", "é sim", "isso", "claro", "certo", "pode", "obrigado", "tchau",
    "zero", "um", "dois", "três", "quatro", "cinco", "seis", "meia", "sete", "oito", "nove", "dez",
    "pode ser", "tá bom", "isso mesmo", "bom dia", "boa tarde", "não sei", "sou eu", "agora não", "com certeza",
    "São Paulo", "quero sim", "não quero",
)  # fmt: skip


def is_short(clip: Clip) -> bool:
    """Whether a recording is an answer of one or two words."""
    return 0 < len(clip.text.split()) <= WORDS_AT_MOST


def synthesised(voices: Sequence[str], limit: int | None) -> list[Recording]:
    """Each answer by a voice of espeak-ng, voice by voice; none where it is not installed."""
    program = shutil.which("espeak-ng")
    if not program:
        return []
    asked = [(voice, answer) for voice in voices for answer in ANSWERS][:limit]
    return [
        made(
            f"espeak-ng/{voice}/{answer}",
            spoken(program, voice, answer, SPEEDS[n % len(SPEEDS)]),
            text=answer,
            speaker=voice,
        )
        for n, (voice, answer) in enumerate(asked)
    ]


def spoken(program: str, voice: str, text: str, speed: int) -> np.ndarray:
    """A text by espeak-ng (`program`), without silence around it: int16, shape `(samples,)`, 16 kHz."""
    command = [program, "-v", voice, "-s", str(speed), "--stdout", text]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    pcm, rate = soundfile.read(io.BytesIO(wav), dtype="float64")
    pcm = soxr.resample(pcm, rate, SAMPLE_RATE)
    loud = np.abs(pcm) > 0.01 * np.abs(pcm).max()
    pcm = pcm[loud.argmax() : pcm.size - loud[::-1].argmax()]
    pcm *= LEVEL / np.sqrt(np.mean(pcm**2))
    return (np.clip(pcm, -1, 1) * 32767).astype(np.int16)
