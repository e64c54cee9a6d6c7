"""The queue of the audit's writer."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import DataError

from transcription import metrics
from transcription.audit import records
from transcription.audit.records import Record, Recorder


def lost() -> float:
    return metrics.records_lost_total._value.get()


@contextmanager
def hanging() -> Iterator[Recorder]:
    """A recorder whose database hangs on a first record; it goes on at the end, and all is written."""
    taken, hangs = threading.Event(), threading.Event()

    def hang() -> None:
        taken.set()
        hangs.wait(10)

    recorder = Recorder()
    recorder.submit(Record(hang))
    assert taken.wait(10)
    yield recorder
    hangs.set()
    recorder.close(10)


def note(written: list[object], what: object) -> Callable[[], None]:
    return lambda: written.append(what)


def test_records_wait_to_a_bound_and_what_is_over_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that hangs holds nobody up and fills no memory; what was queued is written when it goes on."""
    monkeypatch.setattr(records, "MAX_PENDING", 3)
    before, written = lost(), list[object]()
    with hanging() as recorder:
        for number in range(5):
            recorder.submit(Record(note(written, number)))
        pending = metrics.records_pending._value.get()

    assert (lost() - before, pending) == (2, 3)
    assert written == [0, 1, 2]


def test_a_session_cannot_take_the_place_of_others_nor_of_its_own_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that floods loses its own records; beginnings and ends are taken however many wait."""
    monkeypatch.setattr(records, "MAX_PENDING", 6)
    monkeypatch.setattr(records, "MAX_PENDING_OF_A_SESSION", 3)
    written = list[object]()
    with hanging() as recorder:
        for number in range(50):
            recorder.submit(Record(note(written, number), uid="flood"))
        recorder.submit(Record(note(written, "other"), uid="other"))
        for what in ("end of flood", "end of other", "begin", "end"):
            recorder.submit(Record(note(written, what), uid=what, vital=True))

    assert written == [0, 1, 2, "other", "end of flood", "end of other", "begin", "end"]
    lines = [line for line in caplog.messages if "are lost" in line]
    assert [int(line.split(", ")[1].split()[0]) for line in lines] == [1, 10], "a line for each power of ten"


@pytest.mark.parametrize("error", [DataError("NUL"), ValueError("NUL"), UnicodeEncodeError("utf-8", "x", 0, 1, "no")])
def test_what_the_database_refuses_is_written_without_it(error: Exception) -> None:
    """And the records after it; without another way it is lost, and counted."""
    before, written = lost(), list[object]()

    def refuse() -> None:
        raise error

    with hanging() as recorder:
        recorder.submit(Record(refuse, instead=note(written, "in part")))
        recorder.submit(Record(refuse))
        recorder.submit(Record(note(written, "next")))

    assert written == ["in part", "next"]
    assert lost() - before == 1
