"""Finds the numbers in words, by text2num, and puts together what it leaves apart.

Before it: "meia" is 6 among digits, and what is no number (`por cento`, `três quartos`) is kept from it. After it:
decimals, `dois mil vinte e seis`, `2 milhões`, `e meio`.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace
from text_to_num import find_numbers

from transcription.core.text.items import NOTHING, Item

THOUSAND = frozenset({"mil"})
MILLIONS = {
    "milhão": Decimal(10**6),
    "milhões": Decimal(10**6),
    "bilhão": Decimal(10**9),
    "bilhões": Decimal(10**9),
    "trilhão": Decimal(10**12),
    "trilhões": Decimal(10**12),
}
_DIGITS = frozenset("zero um dois três tres quatro cinco seis sete oito nove".split())
_MORE = frozenset(
    "onze doze treze catorze quatorze quinze dezesseis dezessete dezoito dezenove vinte trinta quarenta cinquenta"
    " sessenta setenta oitenta noventa".split()
)
_POINT = frozenset({"vírgula", "virgula"})
_NO_NUMBER = _POINT | {"ponto"}
"""Text2num would put together what stands on both sides of these."""
SIX = "meia"
_NOT_SIX = frozenset("hora horas dúzia duzia noite entrada volta luz idade estação página passagem".split())
_FAR = 16
"""How many words around to look for digits."""
_FRACTION = frozenset("terço quarto quinto sexto sétimo oitavo nono décimo centésimo milésimo".split())
_FRACTIONS = frozenset(f"{word}s" for word in _FRACTION) | {"avos"}
FEMININE = frozenset({"uma", "duas"})
"""Said when counting things, not among digits."""
_CENTS = 2
"""Decimals of money: `R$ 10,50 mil desculpas` has no scale."""
_ROOM = {"mil": 1000, "cento": 100}
"""What may follow these without an "e": less than this."""
_SCALES = THOUSAND.union(MILLIONS)
_PARTS = _NO_NUMBER | _SCALES | {"e"}
"""Between the parts of a number, or its last."""
_NO_NUMBER_ALONE = _SCALES | {"cento"}
"""`mil desculpas` and `milhões de coisas` count nothing."""


class _Word(msgspec.Struct, frozen=True, gc=False):
    """A word as text2num wants to see it."""

    key: str
    is_none: bool
    after_other: bool

    def text(self) -> str:
        return self.key

    def nt_separated(self, _previous: "_Word") -> bool:
        return self.after_other

    def not_a_number_part(self) -> bool:
        return self.is_none


def with_numbers(sentence: str, tokens: Sequence[Item]) -> list[Item]:
    """The items of a sentence, numbers in words put together."""
    keys = [token.key if token.kind == "word" else "" for token in tokens]
    if SIX in keys:
        keys = ["seis" if key == SIX and _is_six(tokens, at) else key for at, key in enumerate(keys)]
    protected = set(_protected(tokens, keys))
    words = [_Word(key, at in protected, at > 0 and tokens[at - 1].kind != "word") for at, key in enumerate(keys)]
    items: list[Item] = []
    at = 0
    for found in find_numbers(words, "pt", threshold=0):
        items += tokens[at : found.start]
        items.append(_number(sentence, tokens[found.start : found.end], found.text, ordinal=found.is_ordinal))
        at = found.end
    items += tokens[at:]
    return list(_joined(sentence, items))


def _is_six(tokens: Sequence[Item], at: int) -> bool:
    """Whether a "meia" is a digit, for text2num to see it as "seis": beside one, in a run of three or more."""
    if at + 1 < len(tokens) and tokens[at + 1].key in _NOT_SIX:
        return False
    spoken = [token.key for token in _run(tokens, at, commas=False)]
    around = [token.key for token in _run(tokens, at, commas=True) if token.key != ","]
    return any(key != SIX for key in spoken) and sum(key != SIX for key in around) >= 2


def _run(tokens: Sequence[Item], at: int, *, commas: bool) -> Sequence[Item]:
    """The digits in words around one of them."""

    def belongs(token: Item) -> bool:
        return token.key in _DIGITS or token.key in _MORE or token.key == SIX or (commas and token.key == ",")

    first = last = at
    while first > max(at - _FAR, 0) and belongs(tokens[first - 1]):
        first -= 1
    while last + 1 < min(at + _FAR, len(tokens)) and belongs(tokens[last + 1]):
        last += 1
    return tokens[first : last + 1]


def _protected(tokens: Sequence[Item], keys: Sequence[str]) -> Iterator[int]:
    """Where text2num must see no number."""
    for at, key in enumerate(keys):
        before = keys[at - 1] if at else ""
        of_digits = key in _SCALES and at and tokens[at - 1].kind == "number"
        if tokens[at].kind != "word" or key in _NO_NUMBER or of_digits or (key == "cento" and before == "por"):
            yield at
        elif key in _FRACTIONS or (key in _FRACTION and before == "um"):
            yield at
            yield at - 1


def _number(sentence: str, tokens: Sequence[Item], digits: str, *, ordinal: bool) -> Item:
    first, last = tokens[0], tokens[-1]
    text = sentence[first.start : last.end]
    if (ordinal and not digits[:-1].isdecimal()) or (len(tokens) == 1 and first.key in _NO_NUMBER_ALONE):
        return replace(first, digits=digits, value=Decimal(digits), spoken=True) if first.key in _ROOM else first
    return Item(
        "ordinal" if ordinal else "number",
        text,
        first.start,
        last.end,
        key=text.lower(),
        digits=digits,
        value=Decimal(digits[:-1] if ordinal else digits),
        spoken=True,
        words=len(tokens),
    )


def _joined(sentence: str, items: Sequence[Item]) -> Iterator[Item]:
    """With the parts of one number put together."""
    at = 0
    while at < len(items):
        item, stop = items[at], at + 1
        if item.kind == "word" and item.spoken and stop < len(items):
            item, stop = _rest(sentence, items, item, stop)
            item = replace(item, kind="number" if stop > at + 1 else "word")
        if item.kind == "number" and _may_grow(items, item, stop):
            for join in (_decimals, _rest, _half, _scaled, _half):
                item, stop = join(sentence, items, item, stop)
        yield item
        at = stop


def _may_grow(items: Sequence[Item], item: Item, stop: int) -> bool:
    """Whether any of the ways to put parts together has a chance, as most numbers have none."""
    if item.key.rpartition(" ")[2] in MILLIONS:
        return True
    return stop < len(items) and (items[stop].spoken or items[stop].key in _PARTS)


Joined = tuple[Item, int]


def _grown(sentence: str, item: Item, last: Item, digits: str, value: Decimal) -> Item:
    text = sentence[item.start : last.end]
    return replace(
        item,
        text=text,
        end=last.end,
        key=text.lower(),
        digits=digits,
        value=value,
        spoken=True,
        words=item.words + last.words,
    )


def _decimals(sentence: str, items: Sequence[Item], item: Item, stop: int) -> Joined:
    """`três vírgula um quatro`: all single digits after the comma, or one number."""
    if not item.is_integer or not item.spoken or not _is_point(items, stop):
        return item, stop
    digits, at = "", stop + 1
    scale = items[at].key.split(" ")[-1] if at < len(items) else ""
    if scale in MILLIONS and items[at].spoken and items[at].value < MILLIONS[scale] * 1000:
        value = Decimal(f"{item.digits}.{items[at].value / MILLIONS[scale]:f}")
        digits = f"{value:f} {scale}".replace(".", ",")
        return _grown(sentence, item, items[at], digits, value * MILLIONS[scale]), at + 1
    while at < len(items) and items[at].is_integer and items[at].spoken and items[at].key not in FEMININE:
        if digits and (len(items[at].digits) != items[at].words):
            break
        digits += items[at].digits
        at += 1
        if len(digits) > 1 and items[at - 1].words != len(items[at - 1].digits):
            break
    if not digits:
        return item, stop
    return _grown(sentence, item, items[at - 1], f"{item.digits},{digits}", Decimal(f"{item.digits}.{digits}")), at


def _is_point(items: Sequence[Item], at: int) -> bool:
    """ "Vírgula", or "ponto" in a percentage."""
    key = _key(items, at)
    return key in _POINT or (key == "ponto" and _key(items, at + 2) == "por" and _key(items, at + 3) == "cento")


def _rest(sentence: str, items: Sequence[Item], item: Item, stop: int) -> Joined:
    """`dois mil vinte e seis`, `cento vinte`: the "e" not said."""
    following = items[stop] if stop < len(items) else NOTHING
    room = _ROOM.get(item.key.rsplit(" ", 1)[-1], 0)
    if not item.spoken or not following.spoken or not following.is_integer or not 0 < following.value < room:
        return item, stop
    value = item.value + following.value
    return _grown(sentence, item, following, str(value), value), stop + 1


def _scaled(sentence: str, items: Sequence[Item], item: Item, stop: int) -> Joined:
    """`25 mil`, `2 milhões`, `um vírgula cinco bilhão`, `dois milhões e meio`."""
    key = _key(items, stop)
    if not item.spoken and stop > 1 and items[stop - 2].key == "-":
        return item, stop
    if key in THOUSAND and item.value < 1000 and len(item.digits.partition(",")[2]) < _CENTS:
        value = item.value * 1000
        scaled = _grown(sentence, item, items[stop], f"{value:.0f}", value)
        return _and_rest(sentence, items, scaled, stop + 1, 1000)
    if key in MILLIONS:
        scaled = _grown(sentence, item, items[stop], f"{item.digits} {key}", item.value * MILLIONS[key])
        return _and_rest(sentence, items, scaled, stop + 1, int(MILLIONS[key]))
    last = item.key.split(" ")[-1]
    if item.spoken and last in MILLIONS and "," not in item.digits and len(item.digits.split(" ")) == 1:
        count, rest = divmod(item.value, MILLIONS[last])
        return (replace(item, digits=f"{count:f} {last}") if count < 1000 and not rest else item), stop
    return item, stop


def _and_rest(sentence: str, items: Sequence[Item], item: Item, stop: int, scale: int) -> Joined:
    """`5 mil e 300`, `2 milhões e 500 mil`."""
    at = stop + (_key(items, stop) == "e")
    if at >= len(items) or not items[at].is_integer:
        return item, stop
    rest, after = _scaled(sentence, items, items[at], at + 1)
    if not scale / 10 <= rest.value < scale:
        return item, stop
    value = item.value + rest.value
    return _grown(sentence, item, rest, f"{value:.0f}", value), after


def _half(sentence: str, items: Sequence[Item], item: Item, stop: int) -> Joined:
    """`dois e meio`, `dois milhões e meio`."""
    if _key(items, stop) != "e" or _key(items, stop + 1) != "meio" or "," in item.digits or not item.spoken:
        return item, stop
    count, _, scale = item.digits.partition(" ")
    half = MILLIONS.get(scale, Decimal(1)) / 2
    if item.value > 999 and not scale:
        return item, stop
    return _grown(sentence, item, items[stop + 1], f"{count},5 {scale}".strip(), item.value + half), stop + 2


def _key(items: Sequence[Item], at: int) -> str:
    return items[at].key if at < len(items) and items[at].kind == "word" else ""
