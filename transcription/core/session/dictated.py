"""The digits that a text ends with, and whether any are missing."""

import re
from dataclasses import dataclass

from transcription.core.protocol import EntityType
from transcription.core.text import check_digits, phones
from transcription.core.text.digit_runs import LABEL, PAUSES, SEPARATORS
from transcription.core.text.items import Item, Items

LENGTHS: dict[EntityType, int] = {"cpf": 11, "cnpj": 14, "cep": 8, "card": 16}
"""Digits that each has."""
LANDLINE, MOBILE = 10, 11
"""Of a telephone number, with its area code."""
BARE, MANY, GROUPS = 3, 6, 3
"""What makes digits a number that is dictated: just so many and nothing else, so many at least, so many groups of them.
`quinze` and `em 1985` are not dictated."""
CODE = 4
"""The fewest digits of a code."""
_JOINTS = PAUSES | SEPARATORS | {";", "e"}
_CHECKED = {"cpf": check_digits.is_cpf, "cnpj": check_digits.is_cnpj, "card": check_digits.is_card}
_WRITTEN = frozenset({"cpf", "cnpj", "phone", "card"})
_AMOUNTS = frozenset({"R$", "US$", "€", "reais", "mil"})
_DIGITS = re.compile(r"\d[\d.,/-]*")


@dataclass(frozen=True, slots=True)
class Tail:
    """Digits at the end of a text."""

    groups: tuple[str, ...]
    called: EntityType | None
    """What the words before say that they are."""
    bare: bool
    """Whether nothing else was said."""

    @property
    def digits(self) -> str:
        """All of them."""
        return "".join(self.groups)

    @property
    def is_dictated(self) -> bool:
        """Whether they are a number to write down, and no amount."""
        count, groups = len(self.digits), len(self.groups)
        spelt = groups > 1 and groups == count
        return (
            self.called is not None
            or count >= MANY
            or groups >= GROUPS
            or (self.bare and (spelt or count == BARE))
            or (count > 1 and self.digits.startswith("0"))
        )

    @property
    def is_whole(self) -> bool:
        """Whether they are a CPF, a CNPJ, a CEP, a card's or a telephone number, beyond doubt."""
        digits, called = phones.without_trunk_prefix(self.digits), self.called
        if any(called in (None, kind) and is_kind(self.digits) for kind, is_kind in _CHECKED.items()):
            return True
        if called in (None, "phone") and phones.is_national(digits):
            return called is not None or len(digits) == MOBILE
        return called == "cep" and len(self.digits) == LENGTHS["cep"]

    @property
    def is_short(self) -> bool:
        """Whether some are missing, as far as one can tell."""
        count = len(self.digits)
        match self.called:
            case "phone":
                return count < _length_of_phone(self.digits)
            case "cpf" | "cnpj" | "cep" | "card":
                return count < LENGTHS[self.called]
            case "number":
                return count < CODE
            case None:
                in_fours = count > MOBILE and all(len(group) == 4 for group in self.groups)
                return count < MOBILE or (in_fours and count < LENGTHS["card"])
        return False


def tail_of(items: Items) -> Tail | None:
    """The digits that a sentence ends with; `None` where it does not, or with an amount."""
    groups: list[str] = []
    at = last = _last(items)
    while at >= 0:
        if digits := _digits(items[at]):
            groups.insert(0, digits)
        elif not groups or items[at].key not in _JOINTS:
            break
        at -= 1
    if not groups or items[last].key in _AMOUNTS or items[at].key in _AMOUNTS:
        return None
    return Tail(tuple(groups), _called(items, at), bare=at < 0)


def _last(items: Items) -> int:
    """The last item that is no sign; -1 where there is none."""
    at = len(items) - 1
    while at >= 0 and items[at].kind == "sign":
        at -= 1
    return at


def _digits(item: Item) -> str:
    """Those of a number, however it is written; nothing where it is none."""
    if item.kind == "number":
        return re.sub(r"\D", "", item.digits)
    if item.type in _WRITTEN or (item.kind == "word" and _DIGITS.fullmatch(item.key)):
        return re.sub(r"\D", "", item.text)
    return ""


def _called(items: Items, at: int) -> EntityType | None:
    if items.keys(at - 1, "número", "é"):
        return "phone"
    for step in range(at, -1, -1):
        if called := LABEL.get(items[step].key):
            return called
    return None


def _length_of_phone(digits: str) -> int:
    """How many digits a telephone number has that begins so."""
    if phones.is_local(digits):
        return len(digits)
    digits = digits.removeprefix("0")
    if digits[:2] in phones.AREA_CODES and digits[2:3] in set("2345"):
        return LANDLINE
    return MOBILE
