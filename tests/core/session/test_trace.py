"""What of a session the records get besides its finals: stages, partials, events."""

import pytest

from tests.core.session.fakes import FAST, Talk, transcript, with_vad
from transcription.core.contract.jobs import Failure, Kind
from transcription.core.session.effects import Close, Effect, RecordClosed, RecordFailedSegment, RecordSegment
from transcription.core.session.effort import effort
from transcription.core.session.endpointing import Opened
from transcription.core.session.language import SpokenLanguage
from transcription.core.session.trace import MAX_EVENT_CHARS, MAX_EVENTS, EventLog
from transcription.core.session.utterance import MAX_PARTIALS, Utterance


def recorded(effects: list[Effect]) -> RecordSegment | RecordFailedSegment:
    (record,) = [effect for effect in effects if isinstance(effect, RecordSegment | RecordFailedSegment)]
    return record


def test_the_stages_of_a_final_add_up_to_the_time_since_speech_ended() -> None:
    """96 ms of silence, then 100 ms of which the worker accounts for 46.5."""
    talk = Talk()
    talk.start()
    talk.windows(10, speaking=True)
    talk.windows(3, speaking=False)
    talk.now += 0.1
    job = talk.final()
    answer = transcript(job, preprocess_ms=1.0, inference_ms=40.0, postprocess_ms=0.5, batch_wait_ms=5.0, batch_size=4)
    trace = recorded(talk.take(talk.session.receive_result(answer, talk.now))).trace
    split = trace.latency

    assert split.vad_wait == pytest.approx(96, abs=0.1)
    assert split.queue == pytest.approx(100 - 41.5 - 5.0, abs=0.1)
    assert (split.batch_wait, split.model, split.delivery) == (5.0, 41.5, 0.0)
    assert trace.latency_ms == pytest.approx(196, abs=0.1)
    assert trace.speech_end_ms == pytest.approx(320, abs=0.1)
    assert trace.sent_ms == trace.answered_ms == pytest.approx(trace.asked_ms + 100, abs=0.1)
    assert (trace.attempts, trace.batch_size) == (1, 4)


def test_a_final_decoded_ahead_is_held_for_the_endpoint() -> None:
    """Asked 64 ms into the silence, answered at once: the rest of the 192 ms is delivery, not queue."""
    talk = Talk(with_vad(FAST, speculate_ms=64, min_silence_ms=192))
    talk.start()
    talk.windows(10, speaking=True)
    talk.windows(2, speaking=False)
    talk.take(talk.session.receive_result(transcript(talk.final()), talk.now))
    talk.vad.speaking = False
    effects: list[Effect] = []
    for _ in range(4):
        talk.now += 0.032
        effects += talk.take(talk.session.receive_audio(bytes(1024), talk.now))
    trace = recorded(effects).trace

    assert trace.latency.vad_wait == pytest.approx(64, abs=0.1)
    assert trace.latency.delivery == pytest.approx(128, abs=0.1)
    assert trace.latency_ms == pytest.approx(192 + trace.latency.model, abs=0.1)


def test_tries_and_the_failure_are_in_the_trace() -> None:
    """Two answers that may be tried again, then one that may not."""
    talk = Talk()
    talk.start()
    talk.windows(10, speaking=True)
    talk.windows(3, speaking=False)
    job, effects = talk.final(), []
    for retryable in (True, False):
        failure = Failure(
            job_id=job.job_id, segment_id=job.segment_id, kind=Kind.FINAL, reason="Broken", retryable=retryable
        )
        effects = talk.take(talk.session.receive_result(failure, talk.now))
    record = recorded(effects)

    assert isinstance(record, RecordFailedSegment)
    assert (record.trace.attempts, record.trace.latency.model) == (2, 0.0)


def test_partials_are_kept_without_their_text() -> None:
    """Where each ends, how long it took, how many characters."""
    talk = Talk()
    talk.start()
    talk.windows(10, speaking=True)
    partial = next(job for job in talk.jobs if job.kind is Kind.PARTIAL)
    talk.answer(partial, "olá mundo")
    talk.windows(3, speaking=False)
    effects = talk.take(talk.session.receive_result(transcript(talk.final()), talk.now))
    ((end_ms, latency_ms, chars),) = recorded(effects).trace.partials

    assert end_ms == talk.sent[-3].audio_end_ms if hasattr(talk.sent[-3], "audio_end_ms") else end_ms > 0
    assert latency_ms > 0
    assert chars == len("olá mundo")


def test_partials_kept_are_bounded() -> None:
    """However long a segment is."""
    utterance = Utterance(FAST, SpokenLanguage("pt"), effort(0, FAST), "uid", "seg-0001", Opened(0, 0), 0.0)
    for i in range(MAX_PARTIALS + 5):
        utterance.note_shown(i, 1.0, 1)

    assert len(utterance.partials) == MAX_PARTIALS


def test_events_have_their_place_and_reach_the_record() -> None:
    """An error of the client's, one noted from outside, the operator's cancel with what it dropped."""
    talk = Talk()
    talk.start()
    talk.windows(10, speaking=True)
    talk.text("nonsense")
    talk.session.note("partials every 600 ms: the queue is long")
    effects = talk.take(talk.session.cancel())
    (closed,) = [effect for effect in effects if isinstance(effect, RecordClosed)]
    error, noted, cancelled, dropped = closed.events

    assert error.what.startswith("INVALID_MESSAGE: ")
    assert (noted.what, noted.t_ms) == ("partials every 600 ms: the queue is long", 320.0)
    assert cancelled.what == "cancelled by an operator"
    assert dropped.what == "1 segments dropped unanswered"
    assert closed.reason == "cancelled"
    assert isinstance(effects[-1], Close)


def test_cancelling_what_is_not_live_does_nothing() -> None:
    """Before the start, and after the end."""
    talk = Talk()
    assert talk.session.cancel() == []
    talk.start()
    talk.session.cancel()

    assert talk.session.cancel() == []


def test_what_a_client_wrote_is_kept_without_what_no_database_takes() -> None:
    """NUL, controls, halves of characters, marks that turn the text around."""
    talk = Talk()
    talk.start()
    for name in ("x\\u0000", "x\\ud800", "x\\u202e", "x\\n"):
        talk.text(f'{{"type": "flush", "{name}": 1}}')
    closed = talk.take(talk.session.cancel())[1]
    assert isinstance(closed, RecordClosed)
    text = "".join(event.what for event in closed.events)

    assert text.isprintable()
    assert "x\ufffd" in text
    text.encode()


def test_the_journal_is_bounded_and_counts_repetitions() -> None:
    """In number, in length; the same again takes no room."""
    log = EventLog()
    for _ in range(1000):
        log.note(1.0, "x" * 1000)
    assert [(len(event.what), event.times) for event in log.events] == [(MAX_EVENT_CHARS, 1000)]
    for i in range(1000):
        log.note(float(i), f"event {i}")

    assert len(log.events) == MAX_EVENTS + 1
    assert log.events[-1].times == 1001 - MAX_EVENTS
