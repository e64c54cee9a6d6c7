"""The way in: a final's text, with its words' times if there are any, into formatted text and entities."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from transcription.core.protocol import Entity, Word
from transcription.core.text.dates import MONTHS, date
from transcription.core.text.digit_runs import digit_run
from transcription.core.text.emails import email
from transcription.core.text.items import Items, Kind, Match
from transcription.core.text.money import money
from transcription.core.text.numbers import with_numbers
from transcription.core.text.ordinals import ordinal
from transcription.core.text.percents import percent
from transcription.core.text.plates import plate
from transcription.core.text.quantities import quantity
from transcription.core.text.spans import Place, Span, merged, places_of
from transcription.core.text.times import NOONS, time
from transcription.core.text.tokens import tokens
from transcription.core.text.written import written

Rule = Callable[[Items, int], Match | None]

_RULES: dict[Kind, tuple[Rule, ...]] = {
    "word": (email, plate, date, time, percent, money, digit_run, quantity),
    "number": (email, date, time, percent, money, digit_run, quantity),
    "sign": (money, digit_run),
    "ordinal": (date, ordinal),
    "entity": (written, time),
}
"""What is tried, in this order, at each kind of item."""
_BEGINNINGS = frozenset({*MONTHS, *NOONS, "meio", "meia", "menos", "mil", "mais"})
"""The words that what is found begins with, but for addresses and plates, which begin with any."""
_OTHERWISE = (email, plate)
_WITH_WHOLE_CARDS = {
    kind: tuple(partial(digit_run, whole_cards=True) if rule is digit_run else rule for rule in rules)
    for kind, rules in _RULES.items()
}


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text as it is written, and what is in it."""

    text: str
    entities: list[Entity]
    """In order; none overlaps another."""


def format_text(text: str, words: Sequence[Word] = (), *, whole_cards: bool = False) -> Formatted:
    """Write `text` as Brazilians do; what is written so already stays as it is.

    `words`: those of the text, for the entities' times. `whole_cards`: card numbers with all their digits.
    """
    items = items_of(text)
    rules = _WITH_WHOLE_CARDS if whole_cards else _RULES
    places = places_of(text, words)
    pieces: list[str] = []
    entities: list[Entity] = []
    at = copied = length = 0
    while at < len(items):
        match = first_match(items, at, rules)
        if match is None:
            at += 1
            continue
        taken = items.take(at, match)
        pieces += [text[copied : taken.start], match.text]
        length += taken.start - copied
        entities.append(_entity(match, length, (taken.start, taken.end), places))
        at, copied, length = at + 1, taken.end, length + len(match.text)
    return Formatted("".join([*pieces, text[copied:]]), entities)


def words_as_written(text: str, words: Sequence[Word], entities: Sequence[Entity]) -> list[Word]:
    """The words of the formatted text: those that were said for an entity are one."""
    return merged(text, words, [Span(entity.spoken_start, entity.spoken_end, entity.text) for entity in entities])


def items_of(text: str) -> Items:
    """What the rules look at."""
    return Items(with_numbers(text, list(tokens(text))))


def first_match(items: Items, at: int, rules: Mapping[Kind, Sequence[Rule]] = _RULES) -> Match | None:
    """What the first rule that fits finds at an item, those before it being taken already."""
    item = items[at]
    of_a_name = item.kind == "word" and item.key not in _BEGINNINGS
    for rule in _OTHERWISE if of_a_name else rules[item.kind]:
        if match := rule(items, at):
            return match
    return None


def _entity(match: Match, start: int, spoken: tuple[int, int], places: Sequence[Place]) -> Entity:
    said = [word for first, last, word in places if first < spoken[1] and last > spoken[0]]
    return Entity(
        type=match.type,
        text=match.text,
        value=match.value,
        currency=match.currency or msgspec.UNSET,
        start=start,
        end=start + len(match.text),
        spoken_start=spoken[0],
        spoken_end=spoken[1],
        start_s=said[0].start if said else msgspec.UNSET,
        end_s=said[-1].end if said else msgspec.UNSET,
    )
