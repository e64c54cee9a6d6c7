"""Which digits can be a Brazilian telephone number, and how they are written."""

AREA_CODES = frozenset(
    "11 12 13 14 15 16 17 18 19 21 22 24 27 28 31 32 33 34 35 37 38 41 42 43 44 45 46 47 48 49 51 53 54 55 61 62 63 64"
    " 65 66 67 68 69 71 73 74 75 77 79 81 82 83 84 85 86 87 88 89 91 92 93 94 95 96 97 98 99".split()
)
COUNTRY_CODE = "55"
FREE_OF_CHARGE = ("0800", "0300", "0500")


def is_local(digits: str) -> bool:
    """Eight digits of a landline, or the nine of a mobile."""
    return (len(digits) == 8 and digits[0] in "2345") or (len(digits) == 9 and digits[0] == "9")


def is_national(digits: str) -> bool:
    """An area code that exists, and a local number."""
    return digits[:2] in AREA_CODES and is_local(digits[2:])


def is_international(digits: str) -> bool:
    """Brazil's country code, and a national number."""
    return digits.startswith(COUNTRY_CODE) and is_national(digits[2:])


def without_trunk_prefix(digits: str) -> str:
    """Without the 0 that is dialled before an area code."""
    return digits[1:] if digits[:1] == "0" and is_national(digits[1:]) else digits


def is_free_of_charge(digits: str) -> bool:
    """A number that begins with 0800 or the like."""
    return digits.startswith(FREE_OF_CHARGE) and len(digits) in (10, 11)


def written(digits: str) -> str:
    """A telephone number of any of these kinds, as it is written."""
    if is_free_of_charge(digits):
        return f"{digits[:4]} {digits[4:7]} {digits[7:]}"
    if is_local(digits):
        return f"{digits[:-4]}-{digits[-4:]}"
    if is_international(digits):
        return f"+{COUNTRY_CODE} {written(digits[2:])}"
    return f"({digits[:2]}) {written(digits[2:])}"
