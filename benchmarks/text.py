"""What a final's text takes, in this process and on one core: `python -m benchmarks.text`.

A session that asks for all of it judges the text at the pause, redacts it and formats what is left. `--before DIR`
has another checkout do the same, in turn with this one and in processes of their own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from tabulate import tabulate

from transcription.core.protocol import RedactType
from transcription.core.session.turns import judge
from transcription.core.text.formatting import format_text
from transcription.core.text.redaction import Redaction

ROUNDS, AT_A_TIME = 50, 10
"""A clock of CPU time is too coarse for one final."""

PAIRS = 3
"""How often each of two checkouts is timed."""
BUDGET_MS = 1.0
"""Of formatting and turn rules together, of any final that was said."""
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
STEPS: dict[str, Callable[[str], object]] = {
    "formatting": format_text,
    "turn rules": judge,
    "redaction": lambda text: Redaction(get_args(RedactType)).final(text, ()),
}


Took = dict[str, list[float]]
"""Milliseconds of CPU of each step, by what is in the final."""


def main() -> int:
    """Print medians; the exit status says whether what was said kept within the budget."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.text", description=main.__doc__)
    parser.add_argument("--before", type=Path, metavar="DIR", help="a checkout to compare with")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    asked = parser.parse_args()
    if asked.json:
        sys.stdout.write(json.dumps(_took()))
        return 0
    if asked.before:
        here = Path(__file__).parent.parent
        runs = [(_took_by(asked.before), _took_by(here)) for _ in range(PAIRS)]
        was, took = (_medians(side) for side in zip(*runs, strict=True))
        cells = {kind: [f"{a:.2f} → {b:.2f}" for a, b in zip(was[kind], took[kind], strict=True)] for kind in took}
    else:
        took = _took()
        cells = {kind: [f"{ms:.2f}" for ms in took[kind]] for kind in took}
    rows = [[kind, max(map(len, SPOKEN[kind])), *cells[kind], f"{sum(took[kind]):.2f}"] for kind in took]
    head = ["a final with", "characters", *(f"{step}, CPU ms" for step in STEPS), "all"]
    sys.stdout.write(tabulate(rows, head, tablefmt="github", disable_numparse=True) + "\n")
    return int(any(sum(took[kind][:2]) > BUDGET_MS for kind in took if kind != LOOPING))


def _took() -> Took:
    return {kind: [_median_ms(step, texts) for step in STEPS.values()] for kind, texts in SPOKEN.items()}


def _took_by(checkout: Path) -> Took:
    """By the rules of a checkout, timed by this file."""
    command = [sys.executable, "-P", __file__, "--json"]
    ran = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(checkout)}, check=True, capture_output=True)
    took: Took = json.loads(ran.stdout)
    return took


def _medians(runs: Sequence[Took]) -> Took:
    return {kind: [statistics.median(ms) for ms in zip(*(run[kind] for run in runs), strict=True)] for kind in SPOKEN}


def _median_ms(step: Callable[[str], object], texts: Sequence[str]) -> float:
    return statistics.median(_took_ms(step, text) for _ in range(ROUNDS) for text in texts)


def _took_ms(step: Callable[[str], object], text: str) -> float:
    began = time.process_time_ns()
    for _ in range(AT_A_TIME):
        step(text)
    return (time.process_time_ns() - began) / 1e6 / AT_A_TIME


if __name__ == "__main__":
    sys.exit(main())
