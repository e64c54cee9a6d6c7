"""Whether a word belongs to the noun phrase before it: `às duas pessoas`, but `às duas, …`, `às duas eu saio`."""

from transcription.core.text.items import Items

_APART = frozenset(
    "e ou até às as a à ao em no na nos nas com por que porque mas se quando para pra pro eu ele ela você vocês nós"
    " eles elas hoje amanhã ontem depois antes já não só mesmo então também cada foi é está estou vai vou tem tenho"
    " pode mais menos sem como daí aí agora lá aqui".split()
)
_SYMBOLS = frozenset({"R$", "US$", "€"})
_DAY = frozenset(
    "hoje amanhã ontem segunda terça quarta quinta sexta sábado domingo segunda-feira terça-feira quarta-feira"
    " quinta-feira sexta-feira dia novo".split()
)


def goes_on(items: Items, at: int) -> bool:
    """Whether the item at `at` is a word that may be a noun or belong to one."""
    item = items[at]
    if items.keys(at, frozenset({"de", "do", "da"}), _DAY):
        return False
    return item.key in _SYMBOLS or (item.kind != "sign" and item.key not in _APART)
