"""Digits said or written one after the other: CPF, CNPJ, CEP, telephone and card numbers, codes."""

from collections.abc import Iterator, Sequence

from transcription.core.protocol import EntityType
from transcription.core.text.amounts import LONGEST_UNDIVIDED
from transcription.core.text.dates import date
from transcription.core.text.digit_kinds import MOST_DIGITS, Group, Run, kind_of, written
from transcription.core.text.items import NOTHING, Item, Items, Match
from transcription.core.text.money import money
from transcription.core.text.numbers import FEMININE
from transcription.core.text.percents import percent
from transcription.core.text.times import time

_LABELS: dict[EntityType, str] = {
    "cpf": "cpf",
    "cnpj": "cnpj",
    "cep": "cep",
    "phone": "telefone telefones fone tel celular cel whatsapp whats zap fixo contato ligar liga ligue chama chame"
    " chamar retorne retornar disque discar sms ddd",
    "card": "cartão crédito débito visa mastercard elo amex",
    "number": "protocolo pedido código senha matrícula rg conta agência nota boleto ramal processo contrato título pis"
    " cnh renavam token referência chave identidade registro inscrição",
}
LABEL = {word: kind for kind, words in _LABELS.items() for word in words.split()}
"""What digits are called, by the word for it; `number` for codes of another kind."""
_LABEL_WORDS = frozenset(LABEL)
_REACH = 8
"""How many items before the digits their name may stand."""
PAUSES = frozenset({",", "."})
SEPARATORS = frozenset({"-", "–", "/", "ponto", "traço", "tracinho", "hífen", "barra"})
_OTHERWISE = (date, time, percent, money)
"""What a number may be instead of more digits."""
MOST_IN_A_CODE = 64
"""A model that repeats itself must not be followed for ever."""
SHORTEST_CODE, SHORTEST_OF_NUMBERS = 3, 5
"""Fewer digits are not put together: `cinco seis pessoas`."""


def digit_run(items: Items, at: int, *, whole_cards: bool = False) -> Match | None:
    """The longest run from here on that is something, else the digits up to a comma."""
    if items[at - 1].kind == "number" or items[at - 1].key in SEPARATORS:
        return None
    first = _opening(items, at)
    if not items[first].is_integer:
        return None
    called = called_at(items, at)
    groups = list(_groups(items, first, thousands=called == "cep"))
    for count in range(min(len(groups), MOST_DIGITS), 0, -1):
        if count < len(groups) and groups[count].joint not in PAUSES:
            continue
        run = Run(groups[:count], called, plus=first > at)
        if kind := kind_of(run):
            return Match(groups[count - 1].stop, kind, *written(kind, run.digits, whole=whole_cards))
    return _code(groups, called) if first == at else None


def called_at(items: Items, at: int) -> EntityType | None:
    """What kind the words before say that the digits at `at` are; `number` for a code of another kind."""
    label = items.before(at, _LABEL_WORDS, _REACH)
    return LABEL[label] if label else None


def _opening(items: Items, at: int) -> int:
    """Past a plus sign or a bracket."""
    at += items[at].key in {"+", "mais"}
    return at + (items[at].key == "(")


def _groups(items: Items, at: int, *, thousands: bool) -> Iterator[Group]:
    """`thousands`: whether the first may be five digits, as in the CEP `oitenta mil, zero dez`."""
    first, joint, inside, room = at, "", items[at - 1].key == "(", MOST_IN_A_CODE
    while room > 0 and items[at].is_integer and items[at].key not in FEMININE and "." not in items[at].text:
        item = items[at]
        is_amount = item.spoken and item.value >= 10 ** (LONGEST_UNDIVIDED + (thousands and at == first))
        if is_amount or (not _runs_on(items[at + 1]) and any(rule(items, at) for rule in _OTHERWISE)):
            return
        yield Group(item.digits, at + 1, joint, single=len(item.digits) == (item.words if item.spoken else 1))
        at, joint, room = at + 1, "", room - len(item.digits)
        if inside and items[at].key == ")":
            at, inside = at + 1, False
        if items[at].key in PAUSES | SEPARATORS and items[at + 1].kind == "number":
            at, joint, room = at + 1, items[at].key, min(room, MOST_DIGITS)


def _runs_on(following: Item) -> bool:
    """Whether a number before this can be nothing but digits."""
    return following.kind == "number" or following.key in PAUSES or following is NOTHING


def _code(groups: Sequence[Group], called: EntityType | None) -> Match | None:
    """Single digits up to a pause, put together; of what is called a code, numbers too."""
    spelt = all(len(group.digits) == 1 for group in groups)
    apart = (at for at, group in enumerate(groups) if at and group.joint and not (spelt and group.joint == "-"))
    run = groups[: next(apart, len(groups))]
    digits = "".join(group.digits for group in run)
    shortest = SHORTEST_CODE if all(group.single for group in run) else SHORTEST_OF_NUMBERS
    if len(run) < 2 or len(digits) < shortest or (shortest > SHORTEST_CODE and called != "number"):
        return None
    return Match(run[-1].stop, "number", digits, digits)
