"""The examples of docs/text.md are what the rules do."""

import json
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from docs.generate import pretty
from transcription.core.protocol import RedactType
from transcription.core.text.formatting import format_text
from transcription.core.text.redaction import Redaction

TEXT = (Path(__file__).parents[2] / "docs/text.md").read_text()
REDACTED = re.findall(r"^\| (?!Said|---)([^|]+) \| ([^|`]+) \|$", TEXT, re.MULTILINE)
ROWS = re.findall(r"^\| (?!Said)([^-|][^|]*) \| ([^|]+) \| ([^|]*?) ?\|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("said", "written", "entities"), ROWS, ids=[row[0][:50] for row in ROWS])
def test_what_is_said_is_written_so(said: str, written: str, entities: str) -> None:
    """With these entities, by type and value."""
    formatted = format_text(said)

    assert formatted.text == written
    assert ", ".join(f"{entity.type} {entity.value}" for entity in formatted.entities) == entities


@pytest.mark.parametrize(("said", "shown"), REDACTED)
def test_what_is_said_is_redacted_so(said: str, shown: str) -> None:
    """With all kinds."""
    assert Redaction(get_args(RedactType)).final(said, ())[0] == shown


def test_the_command_answers_so() -> None:
    """As shown."""
    ((said, shown),) = re.findall(r'^echo "(.*?)" \| .*?```json\n(.*?)```', TEXT, re.MULTILINE | re.DOTALL)
    formatted = format_text(said)
    answer = {"text_formatted": formatted.text, "entities": msgspec.to_builtins(formatted.entities)}

    assert json.loads(shown) == answer
    assert shown == f"{pretty(answer)}\n"


def test_every_kind_of_entity_has_an_example() -> None:
    """In the tables."""
    shown = {entity.partition(" ")[0] for _, _, entities in ROWS for entity in entities.split(", ") if entity}

    assert shown == set(re.findall(r"`(\w+)`", _types()))


def _types() -> str:
    """The types that protocol.md names."""
    protocol = (Path(__file__).parents[2] / "docs/protocol.md").read_text()
    (row,) = re.findall(r"^\| `type` \| string \| (`cpf`.*?) \|$", protocol, re.MULTILINE)
    return row
