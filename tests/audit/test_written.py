"""What each record leaves in the database, and what becomes of one that the database refuses."""

import threading
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, OperationalError
from pytest_django.fixtures import Settings

from tests.core.session.fakes import FAST
from transcription import metrics
from transcription.audit import records
from transcription.audit.records import Record, Recorder
from transcription.core.capacity.admission import Principal
from transcription.core.protocol import Dropped, EndReason, FinalTranscript, Timing, Word
from transcription.core.session.effects import RecordClosed, RecordFailedSegment, RecordOpened, RecordSegment
from transcription.core.session.trace import Event, Latency, SegmentTrace
from transcription.keys import access
from transcription.models import ApiKey, Segment, Session

pytestmark = pytest.mark.django_db
OPENED = RecordOpened("call-1", FAST)


def trace(queue_ms: float = 20.0) -> SegmentTrace:
    latency = Latency(vad_wait=500.0, queue=queue_ms, batch_wait=10.0, model=100.0, delivery=0.0)
    return SegmentTrace(
        speech_end_ms=1_500.0, asked_ms=2_000.0, answered_ms=2_130.0, sent_ms=2_131.0, attempts=2, batch_size=4,
        latency=latency, partials=[],
    )  # fmt: skip


def final(segment_id: str = "seg-0001", start_ms: float = 0.0, queue_ms: float = 20.0) -> RecordSegment:
    timing = Timing(preprocess_ms=1.0, queue_wait_ms=2.0, inference_ms=3.0, postprocess_ms=4.0, server_total_ms=10.0)
    words = [Word(word="olá", start=0.1, end=0.5, probability=0.9)]
    message = FinalTranscript(
        session_id="call-1", segment_id=segment_id, text="olá", words=words, audio_start_ms=start_ms,
        audio_duration_ms=2_000.0, timing=timing, confidence=0.9,
    )  # fmt: skip
    return RecordSegment(message, trace(queue_ms))


def failed(segment_id: str = "seg-0002") -> RecordFailedSegment:
    return RecordFailedSegment(segment_id, 5_000.0, 1_000.0, "No answer <x>", trace())


def closed(events: tuple[Event, ...] = ()) -> RecordClosed:
    return RecordClosed(EndReason.COMPLETED, 9_000.0, 2, 1, events, resumable=False)


@pytest.fixture
def session() -> Session:
    """One that is recorded as begun."""
    records.opened("u1", "192.0.2.7", None, OPENED).write()
    return Session.objects.get(uid="u1")


def test_a_session_begins_with_whose_it_is_and_how_it_was_asked_for() -> None:
    """The key's name outlives the key; one deleted meanwhile is no reason to lose the record."""
    key = ApiKey(name="ana")
    access.issue(key)
    for uid, key_id in (("u1", str(key.pk)), ("u2", "999")):
        records.opened(uid, "192.0.2.7", Principal(key_id, "ana", None), OPENED).write()
    first, second = Session.objects.order_by("uid")

    assert (first.session_id, first.client, first.api_key, first.api_key_name) == ("call-1", "192.0.2.7", key, "ana")
    assert (second.api_key, second.api_key_name) == (None, "ana")
    assert (first.language, first.sample_rate, first.reason, first.ended_at) == ("pt", 16_000, "", None)
    assert first.config["vad"]["min_silence_ms"] == 96


def test_what_nobody_said_is_recorded_with_its_reason(session: Session, settings: Settings) -> None:
    """Its text too, where transcripts are kept."""
    dropped = Dropped(reason="no_evidence", score=0.4)
    for number, kept in enumerate((True, False)):
        settings.STT = django_settings.STT.model_copy(update={"store_transcripts": kept})
        record = final(f"seg-{number}")
        empty = msgspec.structs.replace(record.final, text="", words=[], dropped=dropped)
        records.segment("u1", replace(record, final=empty, dropped_text="E aí?")).write()

    about = {"reason": "no_evidence", "score": 0.4}
    assert [segment.dropped for segment in Segment.objects.order_by("pk")] == [about | {"text": "E aí?"}, None]


def test_a_final_is_recorded_with_its_words_and_its_way(session: Session) -> None:
    records.segment("u1", final()).write()
    segment = Segment.objects.get()

    assert (segment.text, segment.words[0]["word"], segment.confidence) == ("olá", "olá", 0.9)
    assert (segment.start_ms, segment.duration_ms, segment.speech_end_ms) == (0.0, 2_000.0, 1_500.0)
    assert (segment.latency_ms, segment.latency["queue"], segment.timing["inference_ms"]) == (630.0, 20.0, 3.0)
    assert (segment.attempts, segment.batch_size, segment.failure) == (2, 4, "")


def test_a_session_s_figures_follow_its_segments(session: Session) -> None:
    """Before its end, which may never be recorded: how many, how much was heard, the slowest, what failed."""
    for record in (final("seg-0001"), final("seg-0003", 7_000.0, queue_ms=120.0), failed(), final("seg-0004", 1_000.0)):
        records.segment("u1", record).write()
    session.refresh_from_db()

    assert (session.total_segments, session.errors, session.total_audio_ms) == (4, 1, 9_000.0)
    assert session.worst_final_ms == 730.0
    assert [segment.failure for segment in session.segments.all()] == ["", "", "No answer <x>", ""]


def test_a_session_ends_with_its_own_figures_and_events(session: Session) -> None:
    events = (Event(t_ms=1.0, what="flush"), Event(t_ms=2.0, what="INVALID_MESSAGE: no", times=3))
    records.closed("u1", closed(events)).write()
    session.refresh_from_db()

    assert (session.reason, session.total_audio_ms, session.total_segments, session.errors) == (
        "completed",
        9_000,
        2,
        1,
    )
    assert session.events == [msgspec.to_builtins(event) for event in events]
    assert session.ended_at >= session.started_at


def test_without_transcripts_nothing_that_was_said_is_recorded(session: Session, settings: Settings) -> None:
    """Times and figures are."""
    settings.STT = django_settings.STT.model_copy(update={"store_transcripts": False})
    records.segment("u1", final()).write()
    segment = Segment.objects.get()

    assert (segment.text, segment.words) == ("", [])
    assert (segment.latency_ms, segment.confidence) == (630.0, 0.9)


@pytest.mark.parametrize(("record", "failure"), [(final(), ""), (failed(), "unknown")], ids=["final", "failed"])
def test_in_place_of_a_refused_segment_there_is_one_without_texts(
    session: Session, record: RecordSegment | RecordFailedSegment, failure: str
) -> None:
    records.segment("u1", record).instead()
    segment = Segment.objects.get()

    assert (segment.text, segment.words, segment.failure) == ("", [], failure)
    assert segment.duration_ms > 0


def test_in_place_of_a_refused_end_there_is_one_without_events(session: Session) -> None:
    records.closed("u1", closed((Event(t_ms=1.0, what="flush"),))).instead()
    session.refresh_from_db()

    assert (session.reason, session.events) == ("completed", [])


def test_a_segment_is_counted_with_its_row_or_not_at_all(session: Session) -> None:
    """A second final of one segment is refused by the database."""
    records.segment("u1", final()).write()
    with pytest.raises(DatabaseError):
        records.segment("u1", final()).write()
    session.refresh_from_db()

    assert (session.total_segments, Segment.objects.count()) == (1, 1)


def test_whose_records_wait_is_said_of_each() -> None:
    """A session's beginning and end are taken however many wait; its segments are not."""
    made = [records.opened("u1", "", None, OPENED), records.segment("u1", final()), records.closed("u1", closed())]

    assert [(record.uid, record.vital) for record in made] == [("u1", True), ("u1", False), ("u1", True)]


class Database:
    """Takes records, after some refusals."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.taken = list[str]()

    def write(self, what: str) -> Callable[[], None]:
        def write() -> None:
            if self._errors:
                raise self._errors.pop(0)
            self.taken.append(what)

        return write


def test_a_database_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after waits too: a segment needs its session. Nothing is lost, or written in part."""
    monkeypatch.setattr(records, "RETRY_S", 0.001)
    lost = metrics.records_lost_total._value.get()
    database = Database(OperationalError("gone"), OperationalError("gone"))
    recorder = Recorder()
    recorder.submit(Record(database.write("first"), instead=database.write("in part")))
    recorder.submit(Record(database.write("second")))
    recorder.close(10)

    assert database.taken == ["first", "second"]
    assert metrics.records_lost_total._value.get() == lost


def test_the_end_of_a_process_does_not_wait_for_a_database_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RETRY_S", 0.001)
    gone = True

    def write() -> None:
        if gone:
            raise OperationalError("gone")

    recorder = Recorder()
    recorder.submit(Record(write))
    recorder.close(0.05)
    waited = recorder._thread.is_alive()
    gone = False
    recorder.close(10)

    assert waited
    assert not recorder._thread.is_alive()


def test_a_process_without_records_ends_at_once() -> None:
    """Its thread waits for one, and is told."""
    recorder = Recorder()
    recorder.close(10)

    assert not recorder._thread.is_alive()


class Connection:
    """The thread's connection to a database that is counted: how often it was opened, when it is closed."""

    def __init__(self) -> None:
        self.connection: object | None = None
        self.opened = 0
        self.closed = threading.Event()

    def close(self) -> None:
        self.connection = None
        self.closed.set()

    def write(self) -> None:
        self.opened += self.connection is None
        self.connection = self

    def fail(self) -> None:
        self.write()
        if self.opened == 1:
            raise OperationalError("gone")


def test_a_connection_is_kept_while_records_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """And closed once none has come for a while, at the end, and where it may be the one that is broken."""
    monkeypatch.setattr(records, "RETRY_S", 0.001)
    monkeypatch.setattr(records, "IDLE_S", 3600.0)
    monkeypatch.setattr(records, "connection", connection := Connection())
    recorder = Recorder()
    recorder.submit(Record(connection.fail))
    for _ in range(3):
        recorder.submit(Record(connection.write))
    recorder.close(10)
    kept = (connection.opened, connection.connection)
    connection.closed.clear()
    monkeypatch.setattr(records, "IDLE_S", 0.001)
    idle = Recorder()
    idle.submit(Record(connection.write))
    was_closed = connection.closed.wait(10)
    idle.submit(Record(connection.write))
    idle.close(10)

    assert kept == (2, None)
    assert was_closed
    assert (connection.opened, connection.connection) == (4, None)
    assert not idle._thread.is_alive()
