"""How Portuguese words sound, roughly: letters, those of foreign names included, as signs for sounds.

Made for comparing what a model wrote with a name that may have been said: accents, doubled and mute letters are
nothing, and what is spelt in several ways has one sign. `coarse` puts sounds together that are taken for each other.
"""

import re
import unicodedata

_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sign)
    for pattern, sign in (
        (r"(?<=[aeiouy])s(?=[aeiouy])", "z"),
        (r"tch|sch|sh|ch", "x"),
        (r"ph", "f"),
        (r"lh", "L"),
        (r"nh", "N"),
        (r"ck|qu(?=[eiy])|q", "k"),
        (r"gu(?=[eiy])", "g"),
        (r"g(?=[eiy])", "j"),
        (r"s?c(?=[eiy])", "s"),
        (r"c", "k"),
        (r"h", ""),
        (r"y", "i"),
        (r"w", "u"),
        (r"z\b", "s"),
        (r"(?<=[aeiou])l(?![aeiou])", "u"),
        (r"(?<=[aeiou])[mn](?![aeiou])", "n"),
        (r"o(?=s?\b)", "u"),
        (r"e(?=s?\b)", "i"),
        (r" ", ""),
        (r"(.)\1+", r"\1"),
    )
)
_ALIKE = str.maketrans("bdgvzjLNeoy", "ptkfsxlniui")


def sounds(text: str) -> str:
    """The signs of some words, without anything between them; what is no letter is left out."""
    plain = unicodedata.normalize("NFD", text.casefold().replace("ç", "ss"))
    spoken = "".join(sign for sign in plain if "a" <= sign <= "z" or sign == " ")
    for pattern, sign in _RULES:
        spoken = pattern.sub(sign, spoken)
    return spoken


def coarse(signs: str) -> str:
    """The same with one sign for voiced and voiceless, for "e" and "i", for "o" and "u"."""
    return re.sub(r"(.)\1+", r"\1", signs.translate(_ALIKE))
