"""What digits can be: a CPF, CNPJ, CEP, telephone or card number.

Told by their check digits, their number, how they were grouped, and what they are called just before ("meu CEP é …").
Where these leave a doubt they are nothing but digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from transcription.core.protocol import EntityType
from transcription.core.text import check_digits, phones

FEWEST_DIGITS, MOST_DIGITS = 8, 19
"""Of a CEP, of a card."""
CEP, MOBILE, AREA_CODE = 8, 11, 2
"""How many digits they have, a mobile's with its area code."""
MASKED = "**** **** ****"


@dataclass(frozen=True, slots=True)
class Group:
    """Digits said as one number."""

    digits: str
    stop: int
    """The item after it."""
    joint: str
    """What stands between the group before and this one: nothing, a comma or a separator."""
    single: bool
    """Whether its digits were said one by one."""


@dataclass(frozen=True, slots=True)
class Run:
    """Digits one after the other."""

    groups: Sequence[Group]
    called: EntityType | None
    """What kind the words before say that it is; `number` for a code of another kind."""
    plus: bool
    """Whether a plus sign stands before."""

    @property
    def digits(self) -> str:
        """All of them."""
        return "".join([group.digits for group in self.groups])

    @property
    def shape(self) -> tuple[int, ...]:
        """How long the parts are that pauses and separators make of it."""
        parts = [0]
        for group in self.groups:
            if group.joint:
                parts.append(0)
            parts[-1] += len(group.digits)
        return tuple(parts)


def kind_of(run: Run) -> EntityType | None:
    """What it is, if that is beyond doubt."""
    digits, called = run.digits, run.called
    if not FEWEST_DIGITS <= len(digits) <= MOST_DIGITS:
        return None
    if called in (None, "cnpj") and check_digits.is_cnpj(digits):
        return "cnpj"
    if called in (None, "phone") and _is_phone(run, digits):
        return "phone" if called or not check_digits.is_cpf(digits) or run.shape[0] == AREA_CODE else "cpf"
    if called in (None, "cpf") and check_digits.is_cpf(digits):
        return "cpf"
    if len(digits) == CEP and digits >= "01" and (called == "cep" or (called is None and run.shape == (5, 3))):
        return "cep"
    return "card" if called in (None, "card") and check_digits.is_card(digits) else None


def _is_phone(run: Run, digits: str) -> bool:
    named, first = run.called == "phone", run.groups[0].digits
    if phones.is_free_of_charge(digits) and (named or first in phones.FREE_OF_CHARGE):
        return True
    if phones.is_international(digits):
        return named or run.plus
    digits = phones.without_trunk_prefix(digits)
    if phones.is_national(digits):
        return named or len(digits) == MOBILE or len(first) == AREA_CODE or run.shape == (2, 4, 4)
    return phones.is_local(digits) and (named or run.shape == (5, 4))


def written(kind: EntityType, digits: str, *, whole: bool = False) -> tuple[str, str]:
    """As it is written, and its value."""
    match kind:
        case "cpf":
            return f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}", digits
        case "cnpj":
            return f"{digits[:2]}.{digits[2:5]}.{digits[5:8]}/{digits[8:12]}-{digits[12:]}", digits
        case "cep":
            return f"{digits[:5]}-{digits[5:]}", digits
        case "phone":
            digits = phones.without_trunk_prefix(digits)
            return phones.written(digits), digits
        case _ if whole:
            return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4)), digits
    return f"{MASKED} {digits[-4:]}", digits[-4:]
