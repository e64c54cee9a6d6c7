"""Numbers that are nothing more: `quinze minutos` is 15 minutos; `dois filhos` and `uma casa` stay."""

from transcription.core.text.amounts import plain, shown
from transcription.core.text.follow import goes_on
from transcription.core.text.items import Item, Items, Match
from transcription.core.text.numbers import FEMININE

SMALLEST = 3
"""Numbers up to this stay words, unless a larger one stands beside them: `de dois a cinco`."""
_FAR = 8
"""How far along a list to look."""
_LIST = frozenset({",", "e", "ou", "a"})
_IN_A_ROW = ((0, 1, 2), (-1, 0, 1), (-2, -1, 0))
"""Numbers on both sides, or two on one, make a row of a number."""
_NUMBERED = frozenset("dia página sala bloco apartamento opção capítulo nível linha item artigo quilômetro km".split())
_ARTICLES = frozenset({"um", "uma"})
_SCALES_OF_COLD = frozenset({"graus", "grau"})


def quantity(items: Items, at: int) -> Match | None:
    """A number in digits, or in words that are better digits."""
    cold = items[at].key == "menos" and items[at + 2].key in _SCALES_OF_COLD
    number = items[at + cold]
    if number.kind != "number" or not (cold or _is_counted(items, at)):
        return None
    sign = "-" * cold
    value = number.digits if number.digits.startswith("0") and number.is_integer else plain(number.value)
    return Match(at + 1 + cold, "number", sign + shown(number), sign + value)


def _is_counted(items: Items, at: int) -> bool:
    return (
        _is_large(items[at])
        or _is_numbered(items, at)
        or any(_is_large(neighbour) for step in (1, -1) for neighbour in _neighbours(items, at, step))
        or any(all(_is_digit(items[at + step]) for step in steps) for steps in _IN_A_ROW)
    )


def _is_numbered(items: Items, at: int) -> bool:
    """`dia dois`, `opção um`."""
    return items[at - 1].key in _NUMBERED and (items[at].key not in _ARTICLES or not goes_on(items, at + 1))


def _is_digit(item: Item) -> bool:
    return item.kind == "number" and item.key not in FEMININE


def _is_large(item: Item) -> bool:
    return item.kind == "number" and (not item.spoken or item.value > SMALLEST or not item.is_integer or item.words > 1)


def _neighbours(items: Items, at: int, step: int) -> list[Item]:
    """The numbers listed with this one, to one side."""
    found: list[Item] = []
    while items[at + step].key in _LIST and items[at + 2 * step].kind == "number" and len(found) < _FAR:
        if items[at + step].key == "e" and _ARTICLES & {items[at].key, items[at + 2 * step].key}:
            break
        at += 2 * step
        found.append(items[at])
    return found
