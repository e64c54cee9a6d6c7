"""Finding calls: what was said, by whom it may be asked, and what is left of it after an erasure."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import redis
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from tests.audit.test_pages import SESSIONS, record
from tests.core.session.fakes import FAST
from transcription.audit import actions, records, retention, text_index
from transcription.audit.roles import AUDITORS, OPERATORS
from transcription.core.capacity.admission import Principal
from transcription.core.metadata import Metadata
from transcription.core.session.effects import RecordOpened
from transcription.models import Segment, Session, Tag

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("redis_there"),
    pytest.mark.filterwarnings("ignore:No directory at"),
]
SENTENCES = {
    "call-1": "Vire à direita na avenida Paulista",
    "call-2": "São vinte e cinco reais, não é? As instruções vieram.",
    "call-3": "A instrução do João: siga até o número dez",
}


@pytest.fixture
def said() -> None:
    """Three sessions, a sentence each, ten days between."""
    for number, (name, text) in enumerate(SENTENCES.items(), 1):
        session = record(number * 10, segments=1)
        Session.objects.filter(pk=session.pk).update(session_id=name, worst_final_ms=100.0 * number)
        Segment.objects.filter(session=session).update(text=text)


def found(words: str, since: datetime | None = None, until: datetime | None = None) -> set[str]:
    keys = text_index.find(words, since, until)
    return set(Session.objects.filter(pk__in=keys).values_list("session_id", flat=True))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("paulista", {"call-1"}), ("PAULISTA avenida", {"call-1"}), ("joão", {"call-3"}), ("joao", {"call-3"}),
        ("instruc", {"call-2", "call-3"}), ("instrucao", {"call-3"}), ("paulis", {"call-1"}), ("a direita", {"call-1"}),
        ("não", {"call-2"}), ("paulista reais", set()), ("nobody", set()), ('"; -- *', set()), ("", set()),
        ("rei", set()),
    ],
)  # fmt: skip
def test_words_are_found(said: None, words: str, names: set[str]) -> None:
    """Without accents, by their beginnings, all of them in one utterance; signs are none of the query."""
    assert found(words) == names


def test_what_changes_or_goes_changes_and_goes_in_the_index(said: None) -> None:
    """By the database's own means: whichever way a row goes."""
    Segment.objects.filter(text__contains="Paulista").update(text="outra rua")
    changed = found("paulista"), found("outra rua")
    Session.objects.filter(session_id="call-1").delete()

    assert changed == (set(), {"call-1"})
    assert found("outra rua") == set()
    if connection.vendor == "sqlite":  # whose index is a table of its own
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM segment_said WHERE segment_said MATCH 'outra'")
            assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
def test_a_table_that_was_remade_gets_its_index_again(said: None) -> None:
    """As later migrations do on SQLite: the triggers go with the old table."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER segment_said_added")
    record(40, segments=1)
    Segment.objects.filter(session__session_id="call-40").delete()
    text_index.make(None, "default")
    session = record(41, segments=1)
    Segment.objects.filter(session=session).update(text="palavra nova")

    assert found("palavra") == {"call-41"}
    assert found("paulista") == {"call-1"}


def test_dates_bound_what_is_looked_at(said: None) -> None:
    first = Session.objects.get(session_id="call-2").started_at

    assert found("instruc", since=first + timedelta(hours=1)) == {"call-3"}
    assert found("instruc", until=first + timedelta(hours=1)) == {"call-2"}
    assert found("instruc", since=first + timedelta(days=900)) == set()


def listed(client: Client, query: str) -> set[str]:
    page = client.get(f"{SESSIONS}?{query}")
    assert page.status_code == 200, query
    return {session.session_id for session in page.context["cl"].result_list}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("said=joao", {"call-3"}), ("external_id=CRM-2", {"call-2"}), ("external_id=CRM", set(SENTENCES)),
        ("tag=odd", {"call-1", "call-3"}), ("tag=odd&slower=200", {"call-3"}), ("client=10.0", set(SENTENCES)),
        ("client=10.0.0.10", set()),
        ("since=2026-03-15", {"call-2", "call-3"}), ("until=2026-03-21", {"call-1", "call-2"}),
        ("since=2026-03-21&until=2026-03-21", {"call-2"}), ("q=CRM-1", {"call-1"}), ("dialect=twilio", {"call-2"}),
        ("since=0001-01-01&until=9999-12-31", set(SENTENCES)),
        ("since=yesterday", set()), ("slower=-1", set()), ("since=2026-03-02&until=2026-03-01", set()),
        ("tag=odd&state=completed&q=call-3", {"call-3"}),
    ],
)  # fmt: skip
def test_the_list_is_narrowed(
    said: None,
    login: Callable[[str | None], Client],
    query: str,
    names: set[str],
) -> None:
    """By each field, by several, with the filters beside; a wrong one finds nothing and says so."""
    for number, session in enumerate(Session.objects.order_by("session_id"), 1):
        Session.objects.filter(pk=session.pk).update(
            external_id=f"CRM-{number}", dialect="twilio" if number == 2 else "native"
        )
        Tag.objects.create(session=session, name="odd" if number % 2 else "even")

    assert listed(login(OPERATORS), query) == names


def test_where_it_was_said_is_shown_to_those_who_may(
    said: None,
    login: Callable[[str | None], Client],
) -> None:
    """The sentence, with the way there; an auditor is not even offered the question, and refused the answer."""
    page = login(OPERATORS).get(f"{SESSIONS}?said=joao").content.decode()
    auditor = login(AUDITORS)

    assert "A instrução do João" in page
    assert "?segment=seg-0001#seg-0001" in page
    assert 'name="said"' not in auditor.get(SESSIONS).content.decode()
    assert auditor.get(f"{SESSIONS}?said=joao").status_code == 403


def test_redacted_and_unkept_texts_are_not_found(settings: Settings) -> None:
    """The index has what the records have."""
    session = record(1, segments=0)
    for number, text in enumerate(["Meu CPF é [CPF]", ""], 1):
        Segment.objects.create(
            session=session,
            segment_id=f"seg-{number:04}",
            start_ms=0,
            duration_ms=1,
            text=text,
            created_at=session.started_at,
        )

    assert found("cpf") == {"call-1"}
    assert found("123") == set()


def test_metadata_is_recorded_exported_and_erased(
    login: Callable[[str | None], Client],
    valkey: redis.Redis,
) -> None:
    """Each tag once; the page and the JSON have them."""
    told = Metadata(external_id="CRM-4711", tags=["b", "a", "b"])
    records.opened(
        "f" * 32, "10.0.0.9", Principal("7", "CRM", None), RecordOpened("call-9", FAST, told), "twilio"
    ).write()
    session = Session.objects.get(uid="f" * 32)
    page = login(OPERATORS).get(f"{SESSIONS}{session.pk}/change/").content.decode()
    exported = actions.as_json(session, [], transcripts=False)
    actions.erase(session)

    assert (session.external_id, session.dialect) == ("CRM-4711", "twilio")
    assert all(shown in page for shown in ("CRM-4711", "twilio", ">a<", ">b<"))
    assert '"CRM-4711"' in exported
    assert exported.count('"a"') == exported.count('"b"') == 1
    assert Tag.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_nothing_that_was_said_is_left_in_the_file(tmp_path: Path) -> None:
    """On SQLite the index would keep an erased text's words until it is merged: no byte of them stays."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL frees rows by VACUUM (docs/privacy.md)")
    session = record(1, segments=3)
    Segment.objects.filter(session=session).update(text="xilofonista")
    record(2, segments=3)
    before = _dump()
    retention.delete(Session.objects.filter(pk=session.pk))

    assert b"xilofonist" in before
    assert b"xilofonist" not in _dump()
    assert b"abracadabr" in _dump()


def _dump() -> bytes:
    connection.ensure_connection()
    source: sqlite3.Connection = connection.connection
    return source.serialize()
