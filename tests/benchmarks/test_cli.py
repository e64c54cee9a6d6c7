"""The command line, and what the package may import."""

import ast
from pathlib import Path

import pytest

import benchmarks
from benchmarks.arguments import parse
from benchmarks.cli import COMMANDS
from benchmarks.conditions import CONDITIONS

PACKAGE = Path(benchmarks.__file__).parent


def test_what_is_not_given_keeps_its_default() -> None:
    """The one list of defaults is `Options`."""
    options = parse(COMMANDS, ["latency", "--manifest", "m.jsonl"])

    assert (options.command, options.talkers, options.seconds, options.folder) == ("latency", (1,), 60.0, None)


def test_lists_and_headers_are_parsed() -> None:
    """`--folder ''` is any folder."""
    options = parse(
        COMMANDS,
        ["wer", "--manifest", "m", "--talkers", "1,2,4", "--ref", "book", "--folder", "", "--header", "X-Key: a:b"],
    )

    assert (options.talkers, options.refs, options.folder) == ((1, 2, 4), {"book"}, None)
    assert options.headers == [("X-Key", "a:b")]


def test_a_header_without_a_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With its text."""
    with pytest.raises(SystemExit):
        parse(COMMANDS, ["latency", "--manifest", "m", "--header", "nonsense"])

    assert "expected NAME:VALUE, got nonsense" in capsys.readouterr().err


def test_conditions_are_named_or_all(capsys: pytest.CaptureFixture[str]) -> None:
    """One that there is not is refused with those there are."""
    assert parse(COMMANDS, ["wer", "--conditions", "clean,phone"]).conditions == ("clean", "phone")
    assert parse(COMMANDS, ["wer", "--conditions", "all"]).conditions == tuple(CONDITIONS)
    with pytest.raises(SystemExit):
        parse(COMMANDS, ["wer", "--conditions", "clean,party"])

    assert "clean, phone" in (told := capsys.readouterr().err)
    assert "got party" in told


def test_reports_tell_neither_keys_nor_paths() -> None:
    """They are published."""
    options = parse(COMMANDS, ["wer", "--manifest", "/a/b/m.jsonl", "--model", "/a/base", "--header", "X-Key: secret"])

    told = str(options.as_json())

    assert "secret" not in told
    assert "/a/" not in told


def test_every_command_is_a_method() -> None:
    """`all` runs those that need nothing but speech and a service."""
    assert set(COMMANDS) == {
        "latency", "ttfs", "capacity", "overload", "floor", "naive", "wer", "noise", "short", "turns", "replay",
        "accuracy", "keyterms", "languages", "paired", "uploads", "all",
    }  # fmt: skip


INSIDE = {
    "accuracy.py",
    "evidence.py",
    "gate.py",
    "fill.py",
    "pages.py",
    "text.py",
    "hearing.py",
    "turns.py",
    "replay.py",
    "stability.py",
    "keyterms.py",
    "languages.py",
}
"""They measure the admin's pages, by Django's test client, what formats finals, rules over what was heard once, the
session by itself, decodes of one engine with and without terms, how a language is found
out."""


@pytest.mark.parametrize(
    "module", sorted(path for path in PACKAGE.glob("*.py") if path.name not in INSIDE), ids=lambda path: path.stem
)
def test_the_product_is_not_imported(module: Path) -> None:
    """What is measured must be seen from outside."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert not {name.partition(".")[0] for name in imported} & {
        "django",
        "channels",
        "celery",
        "sttproject",
        "transcription",
        "workers",
        "clients",
    }
