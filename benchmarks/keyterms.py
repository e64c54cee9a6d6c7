"""`keyterms`: how many of the terms that are said are written, and how often one is written that nobody said.

Each clip is decoded without terms, and with a list of up to a hundred: its own among those of other clips. A clip's own
are what its line of the manifest has as `terms`; without, its longest words that no other clip has.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.clips import Recording
from benchmarks.hearing import decoded, text_of
from benchmarks.model import FINAL_BEAM, LANGUAGE, PARTIAL_BEAM, chosen, newest
from benchmarks.options import Options
from benchmarks.scoring import normalise, score
from transcription.core.contract.jobs import Kind, job_by_itself
from transcription.core.protocol import MOST_KEYTERMS
from workers.engines.engine import Engine

BEAMS = {Kind.PARTIAL: PARTIAL_BEAM, Kind.FINAL: FINAL_BEAM}
CHOSEN, SHORTEST = 2, 5
"""Terms of a clip whose line has none, and letters that one has at least."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What one way of decoding made of a clip."""

    plain: str
    with_terms: str
    plain_s: float
    with_terms_s: float
    """Processor time (s)."""


@dataclass(frozen=True, slots=True)
class Listened:
    """A kind of decode over all clips."""

    kind: Kind
    clips: int
    said: int
    """Terms, each time that one is said."""
    found_plain: int
    found: int
    invented_plain: list[tuple[str, str]]
    invented: list[tuple[str, str]]
    """Terms that are written where they were not said, with the whole text."""
    wer_plain: float
    wer: float
    cpu_ms_plain: float
    cpu_ms: float
    """A clip."""

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def keyterms(options: Options, pool: Sequence[Recording], model: Path) -> list[Listened]:
    """Finals and partials of whole clips, of which a partial looks at the newest seconds."""
    # Imported here: other benchmarks must not need Whisper, nor pay for loading it.
    from workers.engines.whisper import WhisperEngine

    device, compute_type = chosen(options.device, options.compute_type)
    engine = WhisperEngine(model, device, compute_type, cpu_threads=options.threads, lanes=1)
    own = terms_of(pool)
    everything = tuple(dict.fromkeys(term for terms in own for term in terms))
    random = np.random.default_rng(options.seed)
    lists = [among(terms, everything, random) for terms in own]
    return [
        listened(
            kind, pool, lists, [_texts(engine, kind, clip, terms) for clip, terms in zip(pool, lists, strict=True)]
        )
        for kind in (Kind.FINAL, Kind.PARTIAL)
    ]


def terms_of(pool: Sequence[Recording]) -> list[tuple[str, ...]]:
    """Each clip's own."""
    spoken = [set(normalise(recording.clip.text).split()) for recording in pool]
    clips = Counter(word for words in spoken for word in words)

    def longest(words: set[str]) -> tuple[str, ...]:
        alone = [word for word in words if clips[word] == 1 and len(word) >= SHORTEST]
        return tuple(sorted(alone, key=lambda word: (-len(word), word))[:CHOSEN])

    return [
        longest(words) if recording.clip.terms is None else recording.clip.terms
        for recording, words in zip(pool, spoken, strict=True)
    ]


def among(own: tuple[str, ...], everything: Sequence[str], random: np.random.Generator) -> tuple[str, ...]:
    """Terms of a clip in a list as long as a session may have, in any order."""
    others = [term for term in everything if term not in own]
    drawn = random.permutation(len(others))[: MOST_KEYTERMS - len(own)]
    mixed = [*own, *(others[at] for at in drawn)]
    return tuple(mixed[at] for at in random.permutation(len(mixed)))


def listened(
    kind: Kind, pool: Sequence[Recording], lists: Sequence[tuple[str, ...]], texts: Sequence[Texts]
) -> Listened:
    """Count what is there, and what should not be."""
    references = [recording.clip.text for recording in pool]
    said = [[term for term in terms if _has(text, term)] for terms, text in zip(lists, references, strict=True)]
    plain, better = [each.plain for each in texts], [each.with_terms for each in texts]

    def found(written: Sequence[str]) -> int:
        return sum(_has(text, term) for terms, text in zip(said, written, strict=True) for term in terms)

    def invented(written: Sequence[str]) -> list[tuple[str, str]]:
        return [
            (term, text)
            for terms, all_terms, text in zip(said, lists, written, strict=True)
            for term in all_terms
            if term not in terms and _has(text, term)
        ]

    return Listened(
        kind=kind,
        clips=len(pool),
        said=sum(map(len, said)),
        found_plain=found(plain),
        found=found(better),
        invented_plain=invented(plain),
        invented=invented(better),
        wer_plain=round(score(references, plain).wer, 4),
        wer=round(score(references, better).wer, 4),
        cpu_ms_plain=round(1000 * sum(each.plain_s for each in texts) / len(texts), 1),
        cpu_ms=round(1000 * sum(each.with_terms_s for each in texts) / len(texts), 1),
    )


def keyterms_markdown(found: Sequence[Listened]) -> str:
    """A table."""
    lines = [
        "## Keyterms: without → with a list",
        "",
        "| | terms said | of them written | written unsaid | WER | CPU ms a clip |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        lines.append(
            f"| {one.kind} | {one.said} | {one.found_plain} → {one.found} |"
            f" {len(one.invented_plain)} → {len(one.invented)} | {100 * one.wer_plain:.1f} → {100 * one.wer:.1f} % |"
            f" {one.cpu_ms_plain:.0f} → {one.cpu_ms:.0f} |"
        )
    return "\n".join([*lines, ""])


def _texts(engine: Engine, kind: Kind, recording: Recording, terms: tuple[str, ...]) -> Texts:
    job = job_by_itself("keyterms", kind, language=LANGUAGE, beam_size=BEAMS[kind])
    pcm = recording.pcm if kind is Kind.FINAL else newest(recording.pcm)
    began = time.process_time()
    plain = text_of(decoded(engine, job, pcm))
    between = time.process_time()
    better = text_of(decoded(engine, msgspec.structs.replace(job, keyterms=terms), pcm))
    return Texts(plain, better, between - began, time.process_time() - between)


def _has(text: str, term: str) -> bool:
    return f" {normalise(term)} " in f" {normalise(text)} "
