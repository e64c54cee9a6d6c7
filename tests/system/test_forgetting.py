"""What is kept, and how it goes away: transcripts off, purge, erase."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from harness.audio import noise
from harness.processes import ROOT
from harness.stack import ECHO, Stack
from harness.talker import Talker
from harness.waiting import until
from launcher.supervisor import Child

MANAGE = [sys.executable, str(ROOT / "manage.py")]


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Keeps no transcripts, and records for thirty days."""
    with Stack(
        tmp_path_factory.mktemp("forgetful"),
        ECHO | {"STT_STORE_TRANSCRIPTS": "false", "STT_RETENTION_DAYS": "30"},
    ) as stack:
        yield stack.start()


def sql(stack: Stack, *statements: str) -> list[tuple]:
    """What the last of them gives."""
    with sqlite3.connect(stack.database, timeout=10) as database:
        *_, last = [database.execute(statement).fetchall() for statement in statements]
    database.close()
    return last


def spoken(stack: Stack, uid: str, days_ago: float, segments: int = 1, *, ended: bool = True) -> None:
    """A session of days ago, straight into the database."""
    when = datetime.now(UTC) - timedelta(days=days_ago)
    with sqlite3.connect(stack.database, timeout=10) as database:
        (key,) = database.execute(
            """INSERT INTO transcription_session (uid, session_id, client, api_key_name, language, sample_rate, config,
               started_at, ended_at, reason, total_audio_ms, total_segments, errors, events)
               VALUES (?, ?, '', '', 'pt', 16000, '{}', ?, ?, 'completed', 0, 0, 0, '[]') RETURNING id""",
            (uid, f"call-{uid}", when, when if ended else None),
        ).fetchone()
        rows = [(key, f"seg-{n}", when) for n in range(segments)]
        database.executemany(
            """INSERT INTO transcription_segment (session_id, segment_id, start_ms, duration_ms, text, confidence,
               words, timing, failure, created_at, latency, attempts, batch_size, partials)
               VALUES (?, ?, 0, 1000, 'meu segredo', 1, '[]', '{}', '', ?, '{}', 1, 1, '[]')""",
            rows,
        )
    database.close()


def uids(stack: Stack) -> set[str]:
    return {uid for (uid,) in sql(stack, "SELECT uid FROM transcription_session")}


@pytest.fixture
def empty(forgetful: Stack) -> Stack:
    """With no records."""
    sql(forgetful, "DELETE FROM transcription_segment", "DELETE FROM transcription_session")
    return forgetful


async def test_without_transcripts_records_hold_times_and_no_word(empty: Stack) -> None:
    """The client gets its text; the database never sees it."""
    async with Talker(empty.ws_url) as talker:
        await talker.start(session_id="discreet", config={"vad_enabled": False})
        await talker.stream(noise(1.0), pace=0)
        await talker.end()
    (final,) = talker.of("final_transcript")
    until(lambda: sql(empty, "SELECT 1 FROM transcription_session WHERE reason = 'completed'"), "the record")
    columns = [name for _, name, *_ in sql(empty, "PRAGMA table_info(transcription_segment)")]
    ((*row,),) = sql(empty, "SELECT * FROM transcription_segment")
    kept = dict(zip(columns, row, strict=True))

    assert final["text"] and final["words"]
    assert (kept["text"], kept["words"], kept["duration_ms"]) == ("", "[]", 1000.0)
    assert "server_total_ms" in kept["timing"]
    assert final["text"] not in str(row)


def test_purge_deletes_what_is_older_than_the_retention(empty: Stack) -> None:
    """With its segments; a session that never ended goes too, one that began before and ended after stays."""
    for uid, days_ago, ended in (("old", 31, True), ("lost", 31, False), ("new", 29, True), ("long", 31, True)):
        spoken(empty, uid, days_ago, ended=ended)
    recent = (datetime.now(UTC) - timedelta(days=29)).isoformat(" ")
    sql(empty, f"UPDATE transcription_session SET ended_at = '{recent}' WHERE uid = 'long'")
    said = empty.manage("purge")

    assert said == "Sessions purged, 30 days old or more: 2"
    assert uids(empty) == {"new", "long"}
    assert sql(empty, "SELECT COUNT(*) FROM transcription_segment") == [(2,)]


def test_purge_goes_in_batches(empty: Stack) -> None:
    """Thirteen of them here."""
    for n in range(3):
        spoken(empty, str(n), 40, segments=2)
    with sqlite3.connect(empty.database, timeout=10) as database:
        database.executemany(
            """INSERT INTO transcription_session (uid, session_id, client, api_key_name, language, sample_rate, config,
               started_at, reason, total_audio_ms, total_segments, errors, events)
               VALUES (?, 's', '', '', 'pt', 16000, '{}', '2020-01-01', '', 0, 0, 0, '[]')""",
            [(f"bulk-{n}",) for n in range(2_500)],
        )
    database.close()

    assert empty.manage("purge", "--days", "35").endswith(": 2503")
    assert uids(empty) == set()


def test_nothing_is_purged_without_a_retention(empty: Stack) -> None:
    """0 days keeps all."""
    spoken(empty, "ancient", 3_000)

    assert "kept for ever" in empty.manage("purge", "--days", "0")
    assert uids(empty) == {"ancient"}


def test_the_scheduled_purge_goes_on(empty: Stack) -> None:
    """What becomes old while it runs goes too, and a database that is away for a moment does not end it."""
    spoken(empty, "first", 31)
    command = Child("purge", [*MANAGE, "purge", "--every", str(0.2 / 3600)], empty.env)
    try:
        until(lambda: not uids(empty), "the first round")
        sql(empty, "ALTER TABLE transcription_segment RENAME TO elsewhere")
        spoken_at = time.monotonic()
        until(lambda: time.monotonic() > spoken_at + 1, "some rounds without a table")
        sql(empty, "ALTER TABLE elsewhere RENAME TO transcription_segment")
        spoken(empty, "second", 31)
        until(lambda: not uids(empty), "a later round")
        assert command.returncode is None
    finally:
        empty.kill(command)


async def test_erase_leaves_nothing_of_a_session(empty: Stack) -> None:
    """Rows, what Redis holds, and the bytes in the file."""
    for uid in ("gone", "kept"):
        spoken(empty, uid, 1)
    empty.redis.set("stt:audio:gone:seg-0001", b"voice")
    empty.redis.set("stt:result:gone:seg-0001:f1", b"text")
    empty.redis.set("stt:audio:kept:seg-0001", b"voice")
    empty.redis.sadd("stt:index:gone", "seg-0001", "seg-0001:f1")
    said = empty.manage("erase", "call-gone")
    sql(empty, "PRAGMA wal_checkpoint(TRUNCATE)")

    assert said == "Sessions erased: 1"
    assert uids(empty) == {"kept"}
    assert empty.redis.keys("stt:*gone*") == []
    assert empty.redis.exists("stt:audio:kept:seg-0001")
    assert b"call-gone" not in empty.database.read_bytes(), "overwritten, not only unlinked"


async def test_a_live_session_is_not_erased_and_an_unknown_one_is_told(empty: Stack) -> None:
    """It would go on being recorded."""
    async with Talker(empty.ws_url) as talker:
        await talker.start(session_id="speaking")
        until(lambda: sql(empty, "SELECT 1 FROM transcription_session WHERE session_id = 'speaking'"), "the record")
        with pytest.raises(subprocess.CalledProcessError) as live:
            empty.manage("erase", "speaking")
        with pytest.raises(subprocess.CalledProcessError) as unknown:
            empty.manage("erase", "nobody")

    assert "speaking is live" in live.value.stderr
    assert "No session is recorded as nobody" in unknown.value.stderr
