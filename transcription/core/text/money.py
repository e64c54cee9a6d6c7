"""Money: `cento e vinte reais e cinquenta centavos` is R$ 120,50."""

from dataclasses import dataclass
from decimal import Decimal

from transcription.core.text.amounts import has_decimals, plain, shown
from transcription.core.text.follow import goes_on
from transcription.core.text.items import Item, Items, Match
from transcription.core.text.numbers import MILLIONS

_REAL = ("BRL", "R$")
_CURRENCIES = {
    "real": _REAL,
    "reais": _REAL,
    "dólar": ("USD", "US$"),
    "dólares": ("USD", "US$"),
    "euro": ("EUR", "€"),
    "euros": ("EUR", "€"),
}
_SYMBOLS = {symbol: code for code, symbol in _CURRENCIES.values()}
_GLUE = frozenset({"-", "/", "+", "*", *_SYMBOLS})
_SINGULAR = frozenset({"real", "dólar", "euro"})
_SCALES = frozenset({"mil", *MILLIONS})
_CENTS = frozenset({"centavo", "centavos"})
_SMALLEST_CENTS_ALONE = 10
"""`e noventa` may be cents, `e dois` is something else."""
_MILLION = 10**6


@dataclass(frozen=True, slots=True)
class _Cents:
    """What follows the currency."""

    cents: int
    stop: int


def money(items: Items, at: int) -> Match | None:
    """An amount and its currency, in words or with its symbol; cents with it or alone."""
    if items[at].key in _SYMBOLS:
        amount, symbol = items[at + 1], items[at].key
        return _match(at + 2, symbol, shown(amount, divided=True), amount.value) if _is_amount(amount) else None
    amount = items[at]
    if items[at - 1].key in _GLUE or not _is_amount(amount) or amount.value < 0:
        return None
    if items[at + 1].key in _CENTS:
        cents = int(amount.value)
        return (
            _match(at + 2, "R$", f"0,{cents:02}", Decimal(cents) / 100)
            if cents < 100 and items[at + 2].key not in _SCALES
            else None
        )
    unit = at + 1 + (amount.value >= _MILLION and items[at + 1].key == "de")
    if not _is_currency(items, unit, amount):
        return None
    symbol, text = _CURRENCIES[items[unit].key][1], shown(amount, divided=True)
    found = _cents(items, unit + 1) if amount.digits.isdecimal() else None
    if not found:
        return _match(unit + 1, symbol, text, amount.value)
    return _match(found.stop, symbol, f"{text},{found.cents:02}", amount.value + Decimal(found.cents) / 100)


def _match(stop: int, symbol: str, text: str, value: Decimal) -> Match:
    return Match(
        stop, "money", f"{symbol} {text}", f"{value:.2f}" if has_decimals(value) else plain(value), _SYMBOLS[symbol]
    )


def _is_amount(item: Item) -> bool:
    """A number, or "mil"."""
    return item.kind == "number" or (item.key == "mil" and bool(item.value))


def _is_currency(items: Items, unit: int, amount: Item) -> bool:
    """`um real motivo` is no money."""
    if items[unit].key not in _CURRENCIES or items[unit + 1].key in _SCALES:
        return False
    return items[unit].key not in _SINGULAR or (amount.value <= 1 and not goes_on(items, unit + 1))


def _cents(items: Items, at: int) -> _Cents | None:
    """`e cinquenta centavos`, `e noventa`, `e meio`."""
    if items[at].key not in {"e", "com"}:
        return None
    cents = items[at + 1]
    if cents.key == "meio" and not goes_on(items, at + 2):
        return _Cents(50, at + 2)
    if not cents.is_integer or not 0 < cents.value < 100:
        return None
    if items[at + 2].key in _CENTS:
        return _Cents(int(cents.value), at + 3)
    alone = cents.value >= _SMALLEST_CENTS_ALONE and not goes_on(items, at + 2)
    return _Cents(int(cents.value), at + 2) if alone else None
