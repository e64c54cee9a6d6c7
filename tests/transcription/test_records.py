"""The queue of the audit's writer."""

import threading

import pytest

from transcription import metrics, records
from transcription.records import Recorder


def test_records_wait_to_a_bound_and_what_is_over_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that hangs holds nobody up and fills no memory; what was queued is written when it goes on."""
    monkeypatch.setattr(records, "MAX_PENDING", 3)
    taken, hangs, written = threading.Event(), threading.Event(), []

    def hang() -> None:
        taken.set()
        hangs.wait(10)

    recorder = Recorder()
    recorder.submit(hang)
    assert taken.wait(10)
    before = metrics.records_lost_total._value.get()
    for number in range(5):
        recorder.submit(lambda number=number: written.append(number))

    assert metrics.records_lost_total._value.get() == before + 2
    assert metrics.records_pending._value.get() == 3
    hangs.set()
    recorder.close(10)
    assert written == [0, 1, 2]
