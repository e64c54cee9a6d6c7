"""What formatting a final takes, in this process and on one core: `python -m benchmarks.text`."""

import statistics
import sys
import time
from collections.abc import Sequence

from tabulate import tabulate

from transcription.core.text.formatting import format_text

ROUNDS, AT_A_TIME = 50, 10
"""A clock of CPU time is too coarse for one final."""

BUDGET_MS = 1.0
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


def main() -> int:
    """Print the table; the exit status says whether finals of all kinds but the last kept within the budget."""
    took = {kind: [_took_ms(text) for _ in range(ROUNDS) for text in texts] for kind, texts in SPOKEN.items()}
    rows = [[kind, max(map(len, SPOKEN[kind])), statistics.median(ms), max(ms)] for kind, ms in took.items()]
    head = ["a final with", "characters", "median CPU ms", "most"]
    sys.stdout.write(tabulate(rows, head, tablefmt="github", floatfmt=("", "", ".2f", ".2f")) + "\n")
    return int(any(statistics.median(ms) > BUDGET_MS for kind, ms in took.items() if kind != LOOPING))


def _took_ms(text: str) -> float:
    began = time.process_time_ns()
    for _ in range(AT_A_TIME):
        format_text(text)
    return (time.process_time_ns() - began) / 1e6 / AT_A_TIME


if __name__ == "__main__":
    sys.exit(main())
