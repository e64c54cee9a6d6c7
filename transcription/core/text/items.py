"""What the rules look at: the words, signs and numbers of a sentence, one after the other."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import msgspec

from transcription.core.protocol import EntityType

Kind = Literal["word", "sign", "number", "ordinal", "entity"]


class Item(msgspec.Struct, frozen=True, gc=False):
    """A word, a sign, or a number of one or more words."""

    kind: Kind
    text: str
    """As it stands in the sentence."""
    start: int
    end: int
    """Where it stands there, in characters."""
    key: str = ""
    """Of a word or a sign: in lower case."""
    digits: str = ""
    """Of a number: as it would be written, `2026`, `007`, `3,14`, `2,5 milhões`, `23º`."""
    value: Decimal = Decimal(0)
    """Of a number."""
    spoken: bool = False
    """Of a number: whether it stands in words."""
    words: int = 1
    """How many words it has."""
    type: EntityType | None = None
    """Of what is written as an entity already."""

    @property
    def is_integer(self) -> bool:
        """Whether it is a number without decimals, in digits only."""
        return self.kind == "number" and self.digits.isdecimal()

    @property
    def is_word(self) -> bool:
        """Whether it is neither sign nor number."""
        return self.kind == "word"


NOTHING = Item("sign", "", 0, 0)
"""Before the first item and after the last."""


class Items:
    """A sentence's items, those before the one looked at as they are written; beyond the ends there is `NOTHING`."""

    __slots__ = ("all", "said")

    def __init__(self, all: list[Item]) -> None:  # noqa: A002 - what it is
        self.all = all
        self.said = frozenset([item.key for item in all])
        """Their keys: what is not among them need not be looked for."""

    def __getitem__(self, at: int) -> Item:
        try:
            return self.all[at] if at >= 0 else NOTHING
        except IndexError:
            return NOTHING

    def take(self, at: int, match: "Match") -> Item:
        """Let what was found stand in the place of the items it is made of."""
        first, last = self.all[at], self.all[match.stop - 1]
        kind: Kind = match.type if match.type in ("number", "ordinal") else "entity"
        taken = Item(kind, match.text, first.start, last.end, digits=match.text, type=match.type)
        self.all[at : match.stop] = [taken]
        return taken

    def __len__(self) -> int:
        return len(self.all)

    def keys(self, at: int, *expected: frozenset[str] | str) -> bool:
        """Whether the words from `at` on are these, each one word or any of several."""
        return all(
            self[at + step].key == key if isinstance(key, str) else self[at + step].key in key
            for step, key in enumerate(expected)
        )

    def before(self, at: int, words: frozenset[str], reach: int) -> str | None:
        """The nearest of `words` among the `reach` items before `at`, within the sentence."""
        for step in range(at - 1, max(at - 1 - reach, -1), -1):
            if self[step].key in words:
                return self[step].key
            if self[step].key in ENDS:
                return None
        return None


ENDS = frozenset(".?!;")
"""Signs after which another sentence begins."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule found at an item."""

    stop: int
    """The first item after it."""
    type: EntityType
    text: str
    """As it is written."""
    value: str
    """For programs."""
    currency: str | None = None
