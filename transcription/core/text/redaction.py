"""Keeps CPFs, cards, telephone numbers and e-mail addresses out of a session's texts: `[CPF]` stands where one was.

What the finder of entities recognises is replaced, spoken or written. Where it recognises nothing a leak would cost
more than a gap, so that digits that may be a part of one are replaced too (`[NUMBER]`): one digit misheard, or a pause
between groups, makes a CPF into digits of no kind. Redacting what is redacted changes nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from transcription.core.protocol import RedactType, Word
from transcription.core.text import check_digits, phones
from transcription.core.text.amounts import LONGEST_UNDIVIDED
from transcription.core.text.digit_runs import PAUSES, SEPARATORS, called_at
from transcription.core.text.formatting import first_match, items_of
from transcription.core.text.items import Item, Items, Match
from transcription.core.text.numbers import SIX
from transcription.core.text.placeholders import DIGITS, PLACEHOLDERS, placeholder
from transcription.core.text.spans import Span, merged, replaced

_IS = {"cpf": check_digits.is_cpf, "card": check_digits.is_card, "phone": phones.is_national}
"""Digits can be this, whatever else they may be taken for."""
_LONG = 7
"""So many digits in a row are hidden, unless they are called something else: a telephone number has eight."""
_SHORT = 3
"""So many are, where they are called what is redacted, or end a text and may go on in the next: a group of a CPF."""
_JOINTS = PAUSES | SEPARATORS | {"(", ")"}
_GROWS = _JOINTS | {"e", "+", "mais", "mil", SIX}
"""After these, and a number, a number may go on."""
_CONTINUATIONS = ("", " x", " arroba x ponto com", " x arroba x ponto com", " x ponto com", " ponto com", " com")
"""What may follow half an e-mail address."""
_EMAIL: tuple[RedactType, ...] = ("email",)
_TAIL = 240
"""Characters from the end of a partial in which half an address is looked for."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is kept out of a session's next transcript."""

    kinds: Collection[RedactType] = ()
    after: str = ""
    """The final before, redacted: digits at its end may go on in this one."""

    def final(self, text: str, words: Sequence[Word]) -> tuple[str, list[Word]]:
        """A final's text and words; the words of what is hidden become one, with their times."""
        spans = self._spans(text)
        return replaced(text, spans), merged(text, words, spans)

    def partial(self, text: str, stable: str) -> tuple[str, str]:
        """A partial's text and stable text, up to where something may still grow into what the final will hide."""
        if not self.kinds:
            return text, stable
        if not text.startswith(stable):
            return self.partial(text, "")[0], self.partial(stable, "")[0]
        spans, settled = self._spans(text), _settled(text, self.kinds)
        return _up_to(settled, text, spans), _up_to(min(settled, len(stable)), text, spans)

    def depends_on_what_was_said(self, text: str) -> bool:
        """Whether digits in it would be hidden after others, and not after anything else."""
        return bool(self.kinds) and _spans(text, self.kinds, DIGITS) != _spans(text, self.kinds, "")

    def _spans(self, text: str) -> list[Span]:
        return _spans(text, self.kinds, self.after) if self.kinds else []


def _spans(text: str, kinds: Collection[RedactType], after: str) -> list[Span]:
    items = items_of(text)
    spans: list[Span] = []
    goes_on = after.rstrip(" .,;!?…").endswith(DIGITS)
    at = 0
    while at < len(items):
        match = first_match(items, at)
        if found := _hidden(items, at, match, kinds, goes_on=goes_on):
            shown, stop = found
            start, end = items[at].start, items[stop - 1].end
            spans.append(Span(start, end, shown))
            items.all[at:stop] = [placeholder(shown, start, end)]
        elif match:
            items.take(at, match)
        goes_on = items[at].key == DIGITS or (goes_on and items[at].key in _JOINTS)
        at += 1
    return [span for span in spans if text[span.start : span.end] != span.shown]


def _hidden(
    items: Items, at: int, match: Match | None, kinds: Collection[RedactType], *, goes_on: bool
) -> tuple[str, int] | None:
    """What to show in place of what begins here, and the item after it."""
    if match and match.value:
        digits = "".join(sign for sign in match.value if sign.isdecimal())
        can_be = (kind for kind in kinds if kind in _IS and _can_be(kind, digits, items, at))
        if kind := next((kind for kind in kinds if kind == match.type), None) or next(can_be, None):
            return PLACEHOLDERS[kind], match.stop
    if not any(kind in _IS for kind in kinds) or (match and match.type != "number"):
        return None
    run = _run(items, at)
    return (DIGITS, run.stop) if run and _may_be_part(items, at, run, kinds, goes_on=goes_on) else None


def _can_be(kind: RedactType, digits: str, items: Items, at: int) -> bool:
    """Check digits are no chance; a telephone number is one only where nothing says otherwise."""
    return _IS[kind](digits) and (kind != "phone" or called_at(items, at) is None)


@dataclass(frozen=True, slots=True)
class _Run:
    """Digits one after the other, of numbers of any length."""

    length: int
    groups: int
    stop: int


def _run(items: Items, at: int) -> _Run | None:
    length = groups = 0
    stop = at
    while digits := _digits(items, at):
        length, groups, stop = length + digits, groups + 1, at + 1
        at = next((step for step in range(stop, stop + 3) if items[step].key not in _JOINTS), stop)
    return _Run(length, groups, stop) if groups else None


def _digits(items: Items, at: int) -> int:
    """How many digits an item has that is nothing else: no amount, no date, no time."""
    item = items[at]
    if item.key == SIX:
        return 1
    written = item.digits or item.text
    digits = sum(sign.isdecimal() for sign in written)
    is_divided = item.kind == "number" and "." in item.text and items[at + 1].is_word
    is_amount = is_divided or (item.spoken and item.value >= 10**LONGEST_UNDIVIDED)
    if not digits or item.kind == "ordinal" or is_amount or any(sign.isalpha() or sign == "," for sign in written):
        return 0
    match = first_match(items, at)
    return digits if match is None or match.type == "number" else 0


def _may_be_part(items: Items, at: int, run: _Run, kinds: Collection[RedactType], *, goes_on: bool) -> bool:
    called = called_at(items, at)
    if goes_on or called in kinds:
        return goes_on or run.length >= _SHORT
    ends = all(items[step].kind == "sign" for step in range(run.stop, len(items)))
    short = ends and (run.groups > 1 or _begins(items, at))
    return called is None and run.length >= (_SHORT if short else _LONG)


def _begins(items: Items, at: int) -> bool:
    """Whether nothing was said before."""
    return all(items[step].kind == "sign" for step in range(at))


def _settled(text: str, kinds: Collection[RedactType]) -> int:
    """Where that begins which may become another thing with what follows; the text's length if nothing may."""
    settled = len(text)
    if any(kind in _IS for kind in kinds):
        items = items_of(text)
        at = len(items)
        while at and _grows(items[at - 1]):
            at -= 1
        if any(items[step].kind != "sign" for step in range(at, len(items))):
            settled = items[at].start
    if "email" in kinds:
        settled = min([settled, *_half_addresses(text)])
    return settled


def _grows(item: Item) -> bool:
    return item.kind in ("number", "sign") or item.key in _GROWS or any(sign.isdecimal() for sign in item.text)


def _half_addresses(text: str) -> Iterator[int]:
    """Where an address begins that what follows may end."""
    start = max(len(text) - _TAIL, 0)
    tail = text[start:].rstrip(" .,…")
    for continuation in _CONTINUATIONS:
        for span in _spans(tail + continuation, _EMAIL, ""):
            if span.end > len(tail):
                yield start + span.start


def _up_to(end: int, text: str, spans: Sequence[Span]) -> str:
    """The text redacted, up to a place in it that is moved before what would be cut."""
    end = min([end, *(span.start for span in spans if span.start < end < span.end)])
    return replaced(text[:end], [span for span in spans if span.end <= end]).rstrip()
