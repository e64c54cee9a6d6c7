"""The index of what was said: full text in Portuguese on PostgreSQL, FTS5 on SQLite. Accents and ends may be left out.

Both hang on the table of segments by means of the database's own (a generated column; triggers), so that whatever
deletes a segment deletes it from the index. They are no part of a migration: on SQLite a later one that remakes the
table would lose the triggers unseen, so after every `migrate` what is missing is made.
"""

import re
import sqlite3
import unicodedata
from datetime import datetime
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models import Max, Min, QuerySet

from transcription.models import Segment, Session

MOST_FOUND = 2_000
"""Segments that a search looks at, the newest: more sessions nobody pages through."""
LATE = 40_000
"""Utterances, the newest, among which common words are looked for first: as many as are read in some 40 ms."""
MOST_WORDS = 16
SHORTEST_BEGINNING = 3
"""Letters from which on a word stands for all that begin with it."""
TABLE = Segment._meta.db_table
SECURE_DELETE = (3, 42, 0)
"""SQLite from which on FTS5 can take a deleted text's words out at once."""

POSTGRESQL = """
ALTER TABLE transcription_segment ADD COLUMN IF NOT EXISTS said tsvector GENERATED ALWAYS AS (
    to_tsvector('pg_catalog.portuguese', text)
    || to_tsvector('pg_catalog.simple',
        translate(lower(text), 'áàâãäåéèêëíìîïóòôõöúùûüçñ', 'aaaaaaeeeeiiiiooooouuuucn'))
) STORED;
CREATE INDEX IF NOT EXISTS segment_said ON transcription_segment USING gin (said);
"""
SQLITE = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS segment_said USING fts5("
    "text, content='transcription_segment', content_rowid='id', detail=none, tokenize='unicode61 remove_diacritics 2')",
    "CREATE TRIGGER segment_said_added AFTER INSERT ON transcription_segment WHEN new.text <> '' BEGIN "
    "INSERT INTO segment_said(rowid, text) VALUES (new.id, new.text); END",
    "CREATE TRIGGER segment_said_deleted AFTER DELETE ON transcription_segment WHEN old.text <> '' BEGIN "
    "INSERT INTO segment_said(segment_said, rowid, text) VALUES ('delete', old.id, old.text); END",
    "CREATE TRIGGER segment_said_changed AFTER UPDATE OF text ON transcription_segment BEGIN "
    "INSERT INTO segment_said(segment_said, rowid, text) SELECT 'delete', old.id, old.text WHERE old.text <> ''; "
    "INSERT INTO segment_said(rowid, text) SELECT new.id, new.text WHERE new.text <> ''; END",
    "INSERT INTO segment_said(segment_said) VALUES ('rebuild')",
)


def make(sender: AppConfig, using: str, **_: Any) -> None:
    """Make what is missing of it, after the migrations; what was said before is taken in."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRESQL)
        elif connection.vendor == "sqlite" and TABLE in connection.introspection.table_names(cursor):
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE])
            if cursor.fetchone()[0] < 3:
                for name in ("added", "deleted", "changed"):
                    cursor.execute(f"DROP TRIGGER IF EXISTS segment_said_{name}")
                for statement in SQLITE:
                    cursor.execute(statement)
            if sqlite3.sqlite_version_info >= SECURE_DELETE:
                cursor.execute("INSERT INTO segment_said(segment_said, rank) VALUES ('secure-delete', 1)")


def forget(using: str = "default") -> None:
    """After segments were deleted: leave no word of theirs in an index that would keep it until it is merged."""
    connection = connections[using]
    if connection.vendor == "sqlite" and sqlite3.sqlite_version_info < SECURE_DELETE:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO segment_said(segment_said) VALUES ('optimize')")


def find(words: str, since: datetime | None, until: datetime | None) -> dict[int, int]:
    """Sessions in which all of the words were said in one utterance, each with the newest that has them.

    `since` and `until` bound when sessions started. Of more than `MOST_FOUND` utterances the newest count.
    """
    terms = re.findall(r"\w+", words)[:MOST_WORDS]
    if not terms:
        return {}
    bounds = _keys(since, until) if since or until else None
    if connections[Segment.objects.db].vendor == "postgresql":
        return dict(reversed(_in_postgresql(*_postgresql(terms), bounds)))
    found = _newest(*_sqlite(terms, "", newest=not bounds), bounds)
    if len(found) < MOST_FOUND:  # beginnings are dear: every word that has one is read
        found = _newest(*_sqlite(terms, "*", newest=not bounds), bounds)
    return dict(reversed(found))


def _in_postgresql(where: str, arguments: list[Any], bounds: tuple[int, int] | None) -> list[tuple[int, int]]:
    """Common words are among the newest utterances, which are read one by one; others are found by the index.

    PostgreSQL cannot tell which is which: it takes every beginning of a word for one in fifty, and reads them all.
    """
    if bounds:
        return _newest(where, arguments, bounds)
    late = f"{where} AND id > (SELECT max(id) - {LATE} FROM transcription_segment)"  # noqa: S608 - names of ours
    found = _newest(late, arguments, None)
    return found if len(found) >= MOST_FOUND else _newest(where, arguments, None, order="id + 0")


def _newest(
    where: str, arguments: list[Any], bounds: tuple[int, int] | None, order: str = "id"
) -> list[tuple[int, int]]:
    if bounds:
        where, arguments = f"{where} AND session_id BETWEEN %s AND %s", [*arguments, *bounds]
    with connections[Segment.objects.db].cursor() as cursor:
        cursor.execute(
            f"SELECT session_id, id FROM transcription_segment WHERE {where} ORDER BY {order} DESC LIMIT %s",  # noqa: S608 - names of ours
            [*arguments, MOST_FOUND],
        )
        found: list[tuple[int, int]] = cursor.fetchall()
    return found


def _keys(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """The first and the last key of the sessions that started then: few of them lie between those of others."""
    rows: QuerySet[Session] = Session.objects.order_by()
    if since:
        rows = rows.filter(started_at__gte=since)
    if until:
        rows = rows.filter(started_at__lt=until)
    ends = rows.aggregate(first=Min("pk"), last=Max("pk"))
    return (0, 0) if ends["first"] is None else (ends["first"], ends["last"])


def _postgresql(terms: list[str]) -> tuple[str, list[Any]]:
    """By stem, as Portuguese has it, or as it is written: the one finds *ações* by *ação*, the other by *aco*."""
    either = "(to_tsquery('pg_catalog.portuguese', %s) || to_tsquery('pg_catalog.simple', %s))"
    query = " && ".join([either] * len(terms))
    return f"said @@ ({query})", [part for term in terms for part in (term, _beginning(_plain(term), ":*"))]


def _sqlite(terms: list[str], sign: str, *, newest: bool) -> tuple[str, list[Any]]:
    """`newest`: nothing else is asked of them, so that no more are read than count."""
    wanted = " ".join(_beginning(f'"{term}"', sign, len(term)) for term in terms)
    few = f" ORDER BY rowid DESC LIMIT {MOST_FOUND}" if newest else ""
    return f"id IN (SELECT rowid FROM segment_said WHERE segment_said MATCH %s{few})", [wanted]  # noqa: S608 - names of ours


def _beginning(word: str, sign: str, letters: int | None = None) -> str:
    return word + sign if (letters or len(word)) >= SHORTEST_BEGINNING else word


def _plain(term: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", term.lower()) if not unicodedata.combining(c))
