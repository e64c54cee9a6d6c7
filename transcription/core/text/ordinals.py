"""Ordinals: `décima primeira edição` is 11ª edição; `a primeira vez`, `segundo ele` and `na quinta` stay."""

from transcription.core.text.amounts import plain
from transcription.core.text.items import Items, Match

_COUNTED = {
    "º": frozenset(
        "andar lugar turno piso grau semestre trimestre bimestre capítulo século batalhão distrito colocado dia artigo"
        " inciso parágrafo bloco volume tomo tempo round".split()
    ),
    "ª": frozenset(
        "vara turma região tentativa parcela etapa fase edição rodada colocada posição via série divisão prestação"
        " cláusula seção câmara".split()
    ),
}
"""What is counted by ordinals, by its gender."""
_SMALLEST_ALONE = 10


def ordinal(items: Items, at: int) -> Match | None:
    """An ordinal of several words, from the tenth on, or before something that is counted by ordinals."""
    item = items[at]
    if item.kind != "ordinal":
        return None
    alone = item.words == 1 and item.value < _SMALLEST_ALONE
    if alone and items[at + 1].key not in _COUNTED[item.digits[-1]]:
        return None
    return Match(at + 1, "ordinal", item.digits, plain(item.value))
