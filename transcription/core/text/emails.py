"""E-mail addresses spelt out: `joão ponto silva arroba gmail ponto com` is joao.silva@gmail.com."""

import unicodedata
from dataclasses import dataclass

from transcription.core.text.items import NOTHING, Item, Items, Match
from transcription.core.text.letters import NAMES, WORDS_TOO

_AT = frozenset({"arroba", "@"})
_DOT = frozenset({"ponto", "."})
_MARKS = {
    "ponto": ".",
    ".": ".",
    "underline": "_",
    "underscore": "_",
    "sublinhado": "_",
    "_": "_",
    "traço": "-",
    "tracinho": "-",
    "hífen": "-",
    "-": "-",
}
_NAMERS = frozenset({"é", "e-mail", "email", ":", "para", "pra"})
"""After these all that is said up to the "arroba" is the address."""
_STOPS = _NAMERS | frozenset(
    "e o a os as no na do da de em com por ao à pro ou que meu minha seu sua endereço contato , ; ! ?".split()
)
_INSIDE = frozenset({"de", "do", "da", "e"})
"""Words that stand between names: what follows one may be half an address."""
_TOP_LEVEL = frozenset(
    "com br net org edu gov jus mil io info me dev app co pt us eu tv online site tech biz adv ind eng med art".split()
)
_MOST_WORDS, _LONGEST_PARTICLE = 3, 5
_MOST_LABELS = 5


@dataclass(frozen=True, slots=True)
class _Spelt:
    """Part of an address."""

    text: str
    stop: int
    words: int = 1
    """How many words in it nothing joins."""


def email(items: Items, at: int) -> Match | None:
    """From the first word of an address on."""
    if items.said.isdisjoint(_AT):
        return None
    before = items[at - 1]
    another = before.key == "e" and items[at - 2].type == "email"
    if not (before is NOTHING or another or before.key in _STOPS - _INSIDE):
        return None
    local = _local(items, at)
    if local is None or (local.words > 1 and before.key not in _NAMERS) or local.words > _MOST_WORDS:
        return None
    domain = _domain(items, local.stop + 1)
    if domain is None:
        return None
    address = _plain(f"{local.text}@{domain.text}")
    return Match(domain.stop, "email", address, address) if address.isascii() else None


def _local(items: Items, at: int) -> _Spelt | None:
    """Up to the "arroba"."""
    text, words, joined = "", 0, True
    while items[at].key not in _AT:
        item = items[at]
        spelt, after = _spelling(items, at)
        if spelt:
            text, at, joined = text + spelt, after, False
            continue
        if item.key in _MARKS:
            text, joined = text + _MARKS[item.key], True
        elif _is_piece(item) and (item.key not in _STOPS or (text and joined) or _is_whole(items, at)):
            text, words, joined = text + _piece(item), words + (not joined and item.kind == "word"), False
        else:
            return None
        at += 1
    return _Spelt(text, at, words + 1) if text and text[0].isalnum() and text[-1].isalnum() else None


def _is_whole(items: Items, at: int) -> bool:
    """Whether a word is all there is before the "arroba": `contato arroba …`."""
    return items[at + 1].key in _AT and len(items[at].key) > _LONGEST_PARTICLE


def _domain(items: Items, at: int) -> _Spelt | None:
    """After the "arroba": a name of one or two words, and labels up to the last that ends an address."""
    text, at = _label(items, at)
    if text and _is_piece(items[at]) and items[at + 1].key in _DOT:
        text, at = text + _piece(items[at]), at + 1
    ended = _ends(text)
    for _ in range(_MOST_LABELS):
        label, after = _label(items, at + 1) if items[at].key in _DOT else ("", at)
        if not label or (ended and not _ends(label)):
            break
        text, at, ended = f"{text}.{label}", after, _ends(label)
    return _Spelt(text, at) if ended and "." in text else None


def _label(items: Items, at: int) -> tuple[str, int]:
    """A word, a number or letters, and the item after; nothing where there is none."""
    spelt, after = _spelling(items, at)
    if spelt:
        return spelt, after
    return (_piece(items[at]), at + 1) if _is_piece(items[at]) else ("", at)


def _spelling(items: Items, at: int) -> tuple[str, int]:
    """Two letters or more, or one before a mark, and the item after them; nothing where there are none."""
    letters, stop = "", at
    while letter := _letter(items[stop]):
        letters, stop = letters + letter, stop + 1
    return (letters, stop) if len(letters) > 1 or (letters and items[stop].key in _MARKS) else ("", at)


def _letter(item: Item) -> str:
    return "" if item.key in WORDS_TOO else NAMES.get(item.key, "")


def _ends(label: str) -> bool:
    return label.rpartition(".")[2] in _TOP_LEVEL


def _is_piece(item: Item) -> bool:
    return item.is_word or item.is_integer


def _piece(item: Item) -> str:
    return item.digits if item.is_integer else item.key


def _plain(text: str) -> str:
    """Without accents."""
    return "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
