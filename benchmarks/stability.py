"""How far partials can be relied on: stable words against the final, when they were told, how the rest changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from benchmarks.scoring import normalise
from transcription.core.protocol import FinalTranscript, PartialTranscript


@dataclass(slots=True)
class Stability:
    """Over any number of segments."""

    words: int = 0
    """In the finals that have times."""
    stable: int = 0
    """Words of the segments' last stable texts."""
    wrong: int = 0
    """Errors (substitutions, deletions, insertions) of those against the final's beginning."""
    lags_s: list[float] = field(default_factory=list)
    """Of each word that was told as stable and is in the final: from its end to the partial that told it first."""
    shown: int = 0
    """Words of partials after the stable ones."""
    changed: int = 0
    """Errors of those against the next partial's."""

    def add(self, partials: Sequence[tuple[float, PartialTranscript]], final: FinalTranscript) -> None:
        """Take a segment: its partials in order, each with when it came (s, on the audio's clock), and its final."""
        said = normalise(final.text).split()
        ends = [final.audio_start_ms / 1000 + word.end for word in final.words for _ in normalise(word.word).split()]
        self.words += len(said)
        told: set[int] = set()
        for at, partial in partials:
            _, hits = errors(normalise(partial.stable_text).split(), said)
            self.lags_s += [at - ends[hit] for hit in sorted(hits - told) if hit < len(ends)]
            told |= hits
        if partials:
            stable = normalise(partials[-1][1].stable_text).split()
            self.stable += len(stable)
            self.wrong += errors(stable, said)[0]
        for (_, one), (_, after) in pairwise(partials):
            known = len(normalise(one.stable_text).split())
            rest, now = (normalise(partial.text).split()[known:] for partial in (one, after))
            self.shown += len(rest)
            self.changed += errors(rest, now)[0]


def errors(words: Sequence[str], text: Sequence[str]) -> tuple[int, set[int]]:
    """The least errors of words against any beginning of a text, and which words of that are among them."""
    row = list(range(len(text) + 1))
    rows = [row]
    for i, word in enumerate(words, start=1):
        row = [i]
        for j, other in enumerate(text, start=1):
            row.append(min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (word != other)))
        rows.append(row)
    j = min(range(len(text) + 1), key=row.__getitem__)
    least, hits, i = row[j], set(), len(words)
    while i and j:
        if rows[i][j] == rows[i - 1][j - 1] + (words[i - 1] != text[j - 1]):
            i, j = i - 1, j - 1
            if words[i] == text[j]:
                hits.add(j)
        elif rows[i][j] == rows[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return least, hits
