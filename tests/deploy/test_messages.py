"""The catalogues: all that is marked is translated and compiled, and nothing is marked where it is not found."""

import ast
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo

from deploy import messages
from deploy.messages import DOMAINS, Domain

TO_DO = "run `make messages`, translate what it lists, and run it again"
PLACES = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{[^}]*\}")
"""What a message is filled in at."""


def forms(message: Message) -> list[tuple[str, str]]:
    """Each singular or plural of the message, with its translation."""
    ids, strings = (one if isinstance(one, tuple | list) else (one,) for one in (message.id, message.string))
    return list(zip(ids, strings, strict=True))


def said(catalogue: Catalog) -> dict[object, object]:
    return {
        (message.context, *(english for english, _ in forms(message))): forms(message)
        for message in catalogue
        if message.id
    }


@pytest.fixture(params=DOMAINS, ids=lambda domain: Path(domain.catalogue).stem)
def domain(request: pytest.FixtureRequest) -> Domain:
    return request.param


def test_every_marked_string_is_translated_and_nothing_else(domain: Domain) -> None:
    catalogue = messages.written(domain)

    assert said(catalogue).keys() == said(messages.marked(domain)).keys(), TO_DO
    assert [message.id for message in messages.untranslated(catalogue)] == [], TO_DO
    assert not catalogue.obsolete


def test_programs_read_what_was_written(domain: Domain) -> None:
    """Compiled since the last change."""
    with domain.mo.open("rb") as file:
        assert said(read_mo(file)) == said(messages.written(domain)), TO_DO


def test_translations_are_filled_in_at_the_same_places(domain: Domain) -> None:
    for message in messages.written(domain):
        for english, portuguese in forms(message) if message.id else ():
            assert sorted(PLACES.findall(english)) == sorted(PLACES.findall(portuguese)), english
            assert (english[:1].isspace(), english[-1:].isspace()) == (
                portuguese[:1].isspace(),
                portuguese[-1:].isspace(),
            ), english


def test_nothing_is_marked_where_it_is_not_found(domain: Domain) -> None:
    """Inside an f-string, or an f-string itself."""
    for path in sorted((messages.ROOT / domain.sources).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            inside = ast.walk(node) if isinstance(node, ast.JoinedStr) else [node]
            for call in inside:
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in messages.KEYWORDS:
                    unseen = ast.Constant if isinstance(node, ast.JoinedStr) else ast.JoinedStr
                    assert not isinstance(call.args[0], unseen), f"{path}:{node.lineno}"


def test_a_string_that_is_new_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python and in templates, by their own markers; what was translated stays."""
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    domain = Domain("app", "app/locale/pt/LC_MESSAGES/app.po", "pt")
    (tmp_path / "app/templates").mkdir(parents=True)
    (tmp_path / "app/code.py").write_text("from x import gettext_lazy as _\n\n\ndef f() -> None:\n    _('one')\n")
    assert [message.id for message in messages.untranslated(messages.refresh(domain))] == ["one"]
    domain.po.write_text(domain.po.read_text().replace('msgid "one"\nmsgstr ""', 'msgid "one"\nmsgstr "um"'))
    (tmp_path / "app/templates/page.html").write_text("<p>\n    {% load i18n %}{% translate 'two' %}\n  </p>\n")

    catalogue = messages.refresh(domain)
    assert [message.id for message in messages.untranslated(catalogue)] == ["two"]
    assert said(catalogue)[(None, "one")] == [("one", "um")]
