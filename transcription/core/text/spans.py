"""Parts of a text that something else is written for, and the words that were said for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from msgspec.structs import replace

from transcription.core.protocol import Word

Place = tuple[int, int, Word]
"""Where in the text a word stands, in characters."""


def places_of(text: str, words: Sequence[Word]) -> list[Place]:
    """Where the words stand in the text; a word that is not found there is left out."""
    places, at = [], 0
    for word in words:
        written = word.word.strip()
        start = text.find(written, at)
        if written and start >= 0:
            at = start + len(written)
            places.append((start, at, word))
    return places


@dataclass(frozen=True, slots=True)
class Span:
    """Where in a text, in characters, what is written instead."""

    start: int
    end: int
    shown: str


def replaced(text: str, spans: Sequence[Span]) -> str:
    """The text with what is written instead; the spans are in order, and apart."""
    pieces, copied = [], 0
    for span in spans:
        pieces += [text[copied : span.start], span.shown]
        copied = span.end
    return "".join([*pieces, text[copied:]])


def merged(text: str, words: Sequence[Word], spans: Sequence[Span]) -> list[Word]:
    """The words with those of each span put together, from the first one's start to the last one's end.

    Where there are spans, a word that is not in the text is left out: nobody can say whether it belongs to one.
    """
    if not spans:
        return list(words)

    def span_of(place: Place) -> Span | None:
        return next((span for span in spans if place[0] < span.end and place[1] > span.start), None)

    found: list[Word] = []
    for span, group in groupby(places_of(text, words), span_of):
        places = list(group)
        found += [_merged(text, places, span)] if span else [word for _, _, word in places]
    return found


def _merged(text: str, places: Sequence[Place], span: Span) -> Word:
    """As sure as the least sure of them; with what stands before and after the span in the same words."""
    (start, _, first), (_, end, last) = places[0], places[-1]
    shown = text[min(start, span.start) : span.start] + span.shown + text[span.end : max(end, span.end)]
    space = first.word[: len(first.word) - len(first.word.lstrip())]
    least = min(word.probability for _, _, word in places)
    return replace(first, word=space + shown, end=last.end, probability=least)
