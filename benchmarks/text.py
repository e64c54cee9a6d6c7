"""What a final's text takes, in this process and on one core: `python -m benchmarks.text`.

A session that asks for all of it judges the text at the pause, redacts it and formats what is left.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import get_args

from tabulate import tabulate

from transcription.core.protocol import RedactType
from transcription.core.session.turns import judge
from transcription.core.text.formatting import format_text
from transcription.core.text.redaction import Redaction

ROUNDS, AT_A_TIME = 50, 10
"""A clock of CPU time is too coarse for one final."""

BUDGET_MS = 1.0
"""Of formatting and turn rules together, of a final of one sentence."""
LOOPING = "the same word again and again"
"""As a model writes that has lost its way."""
SPOKEN: dict[str, Sequence[str]] = {
    "nothing to format": (
        "Bom dia, eu queria falar com o atendente sobre a entrega que não chegou ainda.",
        "Uma amiga minha comprou uma casa no interior e um amigo dela foi junto, segundo ela.",
    ),
    "one entity": (
        "A conta deste mês deu cento e vinte reais e cinquenta centavos, é isso mesmo?",
        "A reunião ficou para às quinze e trinta de amanhã, se vocês puderem.",
        "Meu CPF é cinco dois nove, nove oito dois, dois quatro sete, vinte e cinco.",
        "Pode mandar para joão ponto silva arroba gmail ponto com, por favor.",
    ),
    "thirty seconds": (
        "Então, meu nome é Maria Silva, meu CPF é cinco dois nove, nove oito dois, dois quatro sete, vinte e cinco, o "
        "celular é onze, nove oito sete seis cinco, quatro três dois um, eu moro na avenida Paulista, mil quinhentos e "
        "setenta e oito, apartamento cento e dois, CEP zero um três um zero, cem, e a fatura de cento e oitenta e nove "
        "reais e noventa centavos que venceu no dia dez de outubro de dois mil e vinte e seis veio com dois vírgula "
        "cinco por cento de juros.",
    ),
    LOOPING: ("um, " * 60, "nove " * 120),
}
"""By what is in them."""
SENTENCES = ("nothing to format", "one entity")
STEPS: dict[str, Callable[[str], object]] = {
    "formatting": format_text,
    "turn rules": judge,
    "redaction": lambda text: Redaction(get_args(RedactType)).final(text, ()),
}


def main() -> int:
    """Print medians; the exit status says whether finals of one sentence kept within the budget."""
    took = {kind: [_median_ms(step, texts) for step in STEPS.values()] for kind, texts in SPOKEN.items()}
    rows = [[kind, max(map(len, SPOKEN[kind])), *ms, sum(ms)] for kind, ms in took.items()]
    head = ["a final with", "characters", *(f"{step}, CPU ms" for step in STEPS), "all"]
    sys.stdout.write(tabulate(rows, head, tablefmt="github", floatfmt=("", "", *[".2f"] * len(STEPS), ".2f")) + "\n")
    return int(any(sum(took[kind][:2]) > BUDGET_MS for kind in SENTENCES))


def _median_ms(step: Callable[[str], object], texts: Sequence[str]) -> float:
    return statistics.median(_took_ms(step, text) for _ in range(ROUNDS) for text in texts)


def _took_ms(step: Callable[[str], object], text: str) -> float:
    began = time.process_time_ns()
    for _ in range(AT_A_TIME):
        step(text)
    return (time.process_time_ns() - began) / 1e6 / AT_A_TIME


if __name__ == "__main__":
    sys.exit(main())
