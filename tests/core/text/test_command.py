"""`python -m transcription.core.text`."""

import json
import subprocess
import sys

COMMAND = [sys.executable, "-m", "transcription.core.text"]


def run(text: str, *options: str) -> list[dict[str, object]]:
    done = subprocess.run([*COMMAND, *options], input=text, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_in_is_an_object_out() -> None:
    """Empty lines too, the last without an end."""
    first, empty, last = run("são dez por cento\n\numa casa")

    assert first["text_formatted"] == "são 10%"
    assert [entity["type"] for entity in first["entities"]] == ["percent"]
    assert empty == {"text_formatted": "", "entities": []}
    assert last == {"text_formatted": "uma casa", "entities": []}


def test_cards_are_whole_if_asked() -> None:
    """By an option."""
    (line,) = run("cartão 4111111111111111", "--whole-cards")

    assert line["text_formatted"] == "cartão 4111 1111 1111 1111"


def test_it_redacts_if_asked() -> None:
    """What is named."""
    (line,) = run("CPF 529.982.247-25, a@b.com", "--redact", "cpf", "email")

    assert line["text_formatted"] == "CPF [CPF], [EMAIL]"
    assert [entity["value"] for entity in line["entities"]] == ["", ""]


def test_it_needs_no_framework() -> None:
    """Nor numpy: it starts at once."""
    code = "import sys, transcription.core.text.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"django", "channels", "numpy", "pydantic"} & set(done.stdout.split())
