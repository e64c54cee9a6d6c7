"""Which digits can be a CPF, a CNPJ or a card's number: their check digits say so."""

from collections.abc import Iterable

_CNPJ_WEIGHTS = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


def is_cpf(digits: str) -> bool:
    """Eleven digits, not all alike, the last two modulo 11 of those before."""
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    return all(_modulo_11(digits[:at], range(at + 1, 1, -1)) == digits[at] for at in (9, 10))


def is_cnpj(digits: str) -> bool:
    """Twelve digits or capitals (since 2026), not all alike, and two check digits modulo 11."""
    if len(digits) != 14 or len(set(digits)) == 1:
        return False
    return all(_modulo_11(digits[:at], _CNPJ_WEIGHTS[-at:]) == digits[at] for at in (12, 13))


def is_card(digits: str) -> bool:
    """A card's length and first digit, and Luhn's sum."""
    if not 13 <= len(digits) <= 19 or digits[0] not in "3456":
        return False
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def _modulo_11(digits: str, weights: Iterable[int]) -> str:
    rest = sum((ord(digit) - ord("0")) * weight for digit, weight in zip(digits, weights, strict=True)) % 11
    return str(0 if rest < 2 else 11 - rest)
