"""`languages`: how often the language of an utterance is found out, by the engine and by the session's own rule.

Each sentence of `sentences.py` is said by voices of espeak-ng, or is read from recordings (`DIR/pt/*.wav` and so on).
Each is the first utterance of a session: what is counted is the language it is written in. Then the same, shuffled, as
conversations of one language each: what is counted is the language that the session has decided on after each.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import soundfile

from benchmarks.answers import SPEEDS, spoken
from benchmarks.clips import SAMPLE_RATE
from benchmarks.hearing import decoded
from benchmarks.model import FINAL_BEAM, chosen
from benchmarks.sentences import SENTENCES
from transcription.core.contract.jobs import Kind, job_by_itself
from transcription.core.session.language import SpokenLanguage
from workers.engines.engine import Hypothesis
from workers.engines.whisper import WhisperEngine

VOICES = {
    "pt": ("pt-br", "pt-br+f2", "pt-br+m3"),
    "es": ("es", "es-419+f2", "es+m3"),
    "en": ("en-us", "en-gb+f2", "en-us+m3"),
}
"""Of espeak-ng."""
EXPECTED = "pt"
"""What a session is told to expect."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is said, in which language."""

    name: str
    language: str
    pcm: np.ndarray
    """int16, shape `(samples,)`, 16 kHz."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The utterances of one language."""

    language: str
    utterances: int
    seconds: float
    first: int
    """Written in their language, each being the first that is heard."""
    without_prior: int
    """Likewise, nothing being expected."""
    session: int
    """After which the session has decided on it, one conversation having them all."""
    wrong: list[str]
    """Those that were not, as the first; with what they were written in."""

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def synthesised(limit: int | None) -> list[Utterance]:
    """Every sentence by every voice. Raises `SystemExit` without espeak-ng."""
    if not (program := shutil.which("espeak-ng")):
        raise SystemExit("`languages` needs espeak-ng, or --recordings DIR with a folder a language")
    return [
        Utterance(f"{voice}/{text}", code, spoken(program, voice, text, SPEEDS[n % len(SPEEDS)]))
        for code, texts in SENTENCES.items()
        for voice in VOICES[code]
        for n, text in enumerate(texts[:limit])
    ]


def recorded(directory: Path, limit: int | None) -> list[Utterance]:
    """The files of each language's folder. Raises `SystemExit` where there are none."""
    found = [
        Utterance(f"{code}/{path.name}", code, soundfile.read(path, dtype="int16")[0])
        for code in SENTENCES
        for path in sorted((directory / code).glob("*.wav"))[:limit]
    ]
    if not found:
        raise SystemExit(f"{directory}: expected folders {', '.join(SENTENCES)} with WAV files of 16 kHz")
    return found


def languages(utterances: Sequence[Utterance], model: Path, device: str, compute_type: str | None) -> list[Decided]:
    """By language, in the order of `SENTENCES`."""
    engine = WhisperEngine(model, *chosen(device, compute_type), cpu_threads=1, lanes=1)
    return [
        _decided(engine, code, of)
        for code in SENTENCES
        if (of := [each for each in utterances if each.language == code])
    ]


def languages_markdown(found: Sequence[Decided]) -> str:
    """A row a language."""
    rows = [
        f"| {one.language} | {one.utterances} | {one.seconds / one.utterances:.1f} s | {_share(one.first, one)} "
        f"| {_share(one.without_prior, one)} | {_share(one.session, one)} |"
        for one in found
    ]
    head = "| spoken | utterances | mean length | right at once | nothing expected | the session's |"
    wrong = [f"- {name}" for one in found for name in one.wrong]
    return "\n".join([f"## Languages, {EXPECTED} expected", "", head, "|---|---|---|---|---|---|", *rows, "", *wrong])


def _decided(engine: WhisperEngine, code: str, utterances: Sequence[Utterance]) -> Decided:
    session, among = SpokenLanguage(EXPECTED, tuple(SENTENCES)), tuple(SENTENCES)
    first = without_prior = kept = 0
    wrong = []
    for utterance in utterances:
        heard = _heard(engine, utterance, SpokenLanguage(EXPECTED, among))
        first += heard.language == code
        if heard.language != code:
            wrong.append(f"{utterance.name}: {heard.language}")
        without_prior += max(heard.evidence, key=lambda each: heard.evidence[each], default="") == code
        if heard.text:
            session.hear(heard.evidence)
        kept += session.code == code
    seconds = sum(each.pcm.size for each in utterances) / SAMPLE_RATE
    return Decided(code, len(utterances), seconds, first, without_prior, kept, wrong)


def _heard(engine: WhisperEngine, utterance: Utterance, known: SpokenLanguage) -> Hypothesis:
    """As a session's final, with the silence that ends it."""
    job = job_by_itself(utterance.name, Kind.FINAL, language=known.code, beam_size=FINAL_BEAM)
    pcm = np.pad(utterance.pcm, (SAMPLE_RATE // 4, SAMPLE_RATE // 2))
    answer = decoded(engine, msgspec.structs.replace(job, languages=known.known), pcm)
    if not isinstance(answer, Hypothesis):
        raise SystemExit(f"{utterance.name}: {answer}")
    return answer


def _share(count: int, of: Decided) -> str:
    return f"{count} of {of.utterances} ({count / of.utterances:.0%})"
