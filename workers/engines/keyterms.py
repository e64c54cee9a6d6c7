"""Names that were said and are written otherwise: where a text sounds like one, and whether the audio bears it out.

A small model writes a name it does not know as words that it does: "Sicoob" as "se cobe". So what sounds like a term
is held against it: the model itself says how much less likely the text is with the term in its place (`align`'s token
probabilities, natural logarithms), and that much is forgiven, less the less alike the two sound. What is bent here is
the text alone, before its words are timed. docs/keyterms.md has the figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from workers.engines.phonetics import coarse, sounds

FARTHEST = 0.4
"""How far a stretch of text may sound from a term, 0 to 1."""
FORGIVEN, FORGIVEN_LESS, LONG = 14.0, 20.0, 7
"""How much less likely a long term may be that sounds the same, and what is taken off that for a distance of 1. A name
that no text has had is as unlikely, however clearly it is said. A short one is forgiven less, by its share of so many
signs: more words sound like it."""
MOST = 6
"""Places of a text that are held against the model: each costs a pass of its decoder."""
SPREAD = 1
"""Words that a term may be heard as beyond those it has."""
_ENDS = ".?!…"


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a text's words that sounds like a term."""

    first: int
    after: int
    """The words `[first:after]`."""
    written: str
    """What stands there if the term was said, with the punctuation around it."""
    forgiven: float
    """How much less likely the text may be with it there, and it is believed to have been said all the same."""

    def overlaps(self, other: "Place") -> bool:
        """Whether both cannot be so."""
        return self.first < other.after and other.first < self.after


def places(text: str, terms: Sequence[str], known: int = 0) -> list[Place]:
    """Where a text sounds like a term and is none, the best first; the first `known` words stay as they are."""
    words = text.split()
    longest = max(len(term.split()) for term in terms) + SPREAD
    spans = [
        (first, after)
        for first in range(known, len(words))
        for after in range(first + 1, min(first + longest, len(words)) + 1)
        if _is_one_phrase(words[first:after])
    ]
    heard, meant = [sounds(" ".join(words[first:after])) for first, after in spans], [sounds(term) for term in terms]
    if not any(heard) or not any(meant):
        return []
    distances = _distances(heard, meant)
    found = [
        Place(first, after, _in_place_of(words[first:after], terms[term]), forgiven)
        for span, term in np.argwhere(distances <= FARTHEST)
        for first, after in (spans[span],)
        if (forgiven := _forgiven(meant[term], float(distances[span, term]))) > 0
        and not _is_there(words[first:after], terms[term])
    ]
    return sorted(found, key=lambda place: (-place.forgiven, place.first, place.after))[:MOST]


def written(text: str, terms: Sequence[str]) -> set[int]:
    """Which of a text's words, counted from 0, belong to a term that stands there."""
    words = text.split()
    return {
        at
        for term in terms
        for first in range(len(words) - len(term.split()) + 1)
        for after in (first + len(term.split()),)
        if _plain(" ".join(words[first:after])) == _plain(term)
        for at in range(first, after)
    }


def with_terms(text: str, places: Sequence[Place]) -> str:
    """The text with the terms in these places, none of which overlaps another."""
    words = text.split()
    for place in sorted(places, key=lambda place: place.first, reverse=True):
        words[place.first : place.after] = [place.written]
    return " ".join(words)


def heard(places: Sequence[Place], gains: Sequence[float]) -> list[Place]:
    """Those of the places where the term was said; `gains` is how much likelier the text is with each alone."""
    worth = [gain + place.forgiven for place, gain in zip(places, gains, strict=True)]
    best: list[Place] = []
    for place, value in sorted(zip(places, worth, strict=True), key=lambda pair: -pair[1]):
        if value > 0 and not any(place.overlaps(other) for other in best):
            best.append(place)
    return best


def _distances(heard: Sequence[str], meant: Sequence[str]) -> np.ndarray:
    """How unlike each of the ones sounds to each of the others: edits per sign, those between like sounds by half."""
    fine = cdist(heard, meant, scorer=Levenshtein.distance)
    rough = cdist([*map(coarse, heard)], [*map(coarse, meant)], scorer=Levenshtein.distance)
    longer = np.maximum.outer([len(one) for one in heard], [len(one) for one in meant])
    mean: np.ndarray = (fine + rough) / 2 / np.maximum(longer, 1)
    return mean


def _forgiven(term: str, distance: float) -> float:
    """For a term of these signs."""
    return FORGIVEN * min(len(term) / LONG, 1.0) - FORGIVEN_LESS * distance


def _is_one_phrase(words: Sequence[str]) -> bool:
    """Whether words may be one name misheard: no figures, and no sentence ends between them."""
    return all(map(sounds, words)) and not any(word.endswith(tuple(_ENDS)) for word in words[:-1])


def _is_there(words: Sequence[str], term: str) -> bool:
    """Whether the term is what is written there, in capitals or not; "claro" is no mistake for "Claro"."""
    return f" {_plain(term)} " in f" {_plain(' '.join(words))} "


def _plain(text: str) -> str:
    return " ".join("".join(sign if sign.isalnum() else " " for sign in text.casefold()).split())


def _in_place_of(words: Sequence[str], term: str) -> str:
    """The term between the signs that stand before and after the words."""
    whole = " ".join(words)
    letters = [at for at, sign in enumerate(whole) if sign.isalnum()]
    return whole[: letters[0]] + term + whole[letters[-1] + 1 :]
