"""The session among lost jobs, failures and a Redis that is away, one behaviour a test."""

import math
from dataclasses import replace

import pytest

from tests.core.session.fakes import FAST, Talk, transcript, with_vad
from transcription.core.contract.jobs import Failure, Kind
from transcription.core.protocol import (
    CloseCode,
    EndReason,
    Error,
    ErrorCode,
)
from transcription.core.session.effects import (
    CheckJobs,
    Close,
    RecordFailedSegment,
    StoreAudio,
)
from transcription.core.session.session import State


def test_a_worker_clock_that_runs_ahead_gives_no_negative_wait(talk: Talk) -> None:
    """Durations longer than the total leave no waiting, and the parts still add up."""
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)
    talk.take(talk.session.receive_result(transcript(talk.final(), inference_ms=900.0), talk.now))
    timing = talk.sent[-1].timing

    assert timing.queue_wait_ms == 0
    assert timing.server_total_ms == pytest.approx(901.5)


def test_a_lost_partial_does_not_stop_the_next() -> None:
    """A partial nobody answers is given up after five seconds."""
    talk = Talk(replace(FAST, max_utterance_s=30.0))
    talk.start()
    talk.windows(4, speaking=True)
    talk.windows(170, speaking=True)

    assert len(talk.jobs) == 2


def test_a_second_answer_is_ignored(talk: Talk) -> None:
    """A duplicate neither doubles the final nor disturbs what follows."""
    talk.windows(5, speaking=True)
    talk.windows(5, speaking=False)
    talk.answer(talk.final())
    talk.answer(talk.final())

    assert talk.kinds().count("final_transcript") == 1


def test_an_overdue_final_is_sent_again_and_then_given_up(talk: Talk) -> None:
    """Three tries, then an INFERENCE_ERROR that names the segment; the session goes on."""
    talk.windows(5, speaking=True)
    talk.windows(5, speaking=False)
    for _ in range(3):
        talk.now += FAST.result_timeout_s
        effects = talk.take(talk.session.tick(talk.now))

    assert [job.job_id for job in talk.jobs if job.kind is Kind.FINAL] == ["uid:seg-0001:f1"] * 3
    error = talk.sent[-1]
    assert isinstance(error, Error)
    assert (error.code, error.segment_id) == (ErrorCode.INFERENCE_ERROR, "seg-0001")
    assert any(isinstance(effect, RecordFailedSegment) for effect in effects)
    assert talk.session.state is State.STREAMING


def test_a_retryable_failure_is_tried_again_at_once(talk: Talk) -> None:
    """The same job goes out; another failure that cannot be retried is told."""
    talk.windows(5, speaking=True)
    talk.windows(5, speaking=False)
    job = talk.final()
    for retryable in (True, False):
        failure = Failure(
            job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="broken", retryable=retryable
        )
        talk.take(talk.session.receive_result(failure, talk.now))

    assert talk.jobs[-1] == job
    assert (talk.sent[-1].code, talk.sent[-1].message) == (ErrorCode.INFERENCE_ERROR, "broken")


def test_named_flush_of_a_segment_that_fails_is_in_its_error(talk: Talk) -> None:
    """So that nobody waits for it."""
    talk.windows(10, speaking=True)
    talk.text('{"type": "flush", "flush_id": "f-1"}')
    job = talk.final()
    failure = Failure(job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="no", retryable=False)
    talk.take(talk.session.receive_result(failure, talk.now))

    assert isinstance(talk.sent[-1], Error)
    assert (talk.sent[-1].segment_id, talk.sent[-1].flush_id) == ("seg-0001", "f-1")


def test_a_client_is_not_read_from_while_its_audio_backs_up() -> None:
    """Over max_buffer_ms on its way to Redis; nothing that was read is refused or lost."""
    talk = Talk(replace(with_vad(FAST, enabled=False), max_buffer_ms=320, partial_results=False), redis_up=False)
    talk.start()
    talk.windows(9, speaking=True)
    assert not talk.session.saturated
    talk.windows(21, speaking=True)
    assert talk.session.saturated
    talk.redis_up = True
    for effect in talk.stored:
        talk.session.audio_stored(effect.segment_id, len(effect.pcm) // 2)
    assert not talk.session.saturated
    talk.text('{"type": "end_session"}')
    talk.answer(talk.final())

    assert talk.kinds() == ["session_started", "final_transcript", "session_ended"]
    assert talk.sent[-1].total_audio_ms == talk.sent[-2].audio_duration_ms == 30 * 32


def test_a_client_that_is_not_read_from_is_not_silent() -> None:
    """However long Redis is away; from when it is read from again its time runs anew."""
    talk = Talk(replace(with_vad(FAST, enabled=False), max_buffer_ms=320, partial_results=False), redis_up=False)
    talk.start()
    talk.windows(12, speaking=True)
    for _ in range(3):
        talk.now += FAST.idle_timeout_s
        talk.take(talk.session.tick(talk.now, math.inf))
    assert talk.session.state is State.STREAMING
    for effect in talk.stored:
        talk.session.audio_stored(effect.segment_id, len(effect.pcm) // 2)
    talk.now += FAST.idle_timeout_s / 2
    talk.take(talk.session.tick(talk.now))
    assert talk.session.state is State.STREAMING
    talk.now += FAST.idle_timeout_s / 2
    talk.take(talk.session.tick(talk.now))

    assert talk.session.state is State.ENDING


def test_a_client_is_not_read_from_while_too_many_finals_are_owed_to_it() -> None:
    """Sent faster than it is answered, a recording would else come before everybody else's utterances."""
    talk = Talk()
    talk.start()
    for _ in range(FAST.max_pending_finals):
        assert not talk.session.saturated
        talk.windows(5, speaking=True)
        talk.windows(5, speaking=False)
    assert talk.session.saturated
    talk.answer(next(job for job in talk.jobs if job.kind is Kind.FINAL))

    assert not talk.session.saturated


def test_audio_reaches_redis_before_the_job_that_needs_it(talk: Talk) -> None:
    """When a final is submitted, all its samples have been asked to be stored, once each."""
    talk.windows(7, speaking=True)
    talk.windows(3, speaking=False)
    stored = [effect for effect in talk.stored if isinstance(effect, StoreAudio)]
    offsets = [effect.offset for effect in stored]
    lengths = [len(effect.pcm) // 2 for effect in stored]

    assert offsets == [sum(lengths[:i]) for i in range(len(lengths))]
    assert sum(lengths) == talk.final().end


def test_a_fault_ends_the_session_without_details(talk: Talk) -> None:
    """INTERNAL_ERROR, session_ended with reason error, close 1011."""
    effects = talk.take(talk.session.fail())

    assert talk.sent[-2].code is ErrorCode.INTERNAL_ERROR
    assert talk.sent[-1].reason is EndReason.ERROR
    assert effects[-1] == Close(CloseCode.INTERNAL_ERROR)
    assert talk.session.fail() == []


def test_a_final_that_waits_too_long_is_given_up_as_queue_full() -> None:
    """Its turn never came: told and recorded; its late answer is ignored."""
    talk = Talk(replace(FAST, max_final_wait_s=12.0))
    talk.start()
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)
    asked = len(talk.jobs)
    talk.now += 11
    talk.take(talk.session.tick(talk.now, queue_wait_s=9.0))
    assert len(talk.jobs) == asked, "what has to wait is not lost, and not sent again"
    talk.now += 1
    effects = talk.take(talk.session.tick(talk.now, queue_wait_s=9.0))
    error = talk.sent[-1]
    talk.answer(talk.final())

    assert isinstance(error, Error)
    assert (error.code, error.segment_id) == (ErrorCode.QUEUE_FULL, "seg-0001")
    (failed,) = (effect for effect in effects if isinstance(effect, RecordFailedSegment))
    assert failed.reason == error.message == "Queue full: no worker got to this segment within 12 s"
    assert talk.sent[-1] is error


def test_a_lost_final_is_sent_again_after_its_wait(talk: Talk) -> None:
    """The queue's length is allowed for, then it counts as lost."""
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)
    final = talk.final()
    talk.now += 6
    talk.take(talk.session.tick(talk.now, queue_wait_s=3.0))
    before = talk.jobs.count(final)
    talk.now += 3
    talk.take(talk.session.tick(talk.now, queue_wait_s=3.0))

    assert (before, talk.jobs.count(final)) == (1, 2)


def test_a_final_not_answered_is_asked_after_and_sent_again_with_its_audio(talk: Talk) -> None:
    """Whoever lost the job may have lost the audio too."""
    talk.windows(5, speaking=True)
    talk.windows(5, speaking=False)
    job = talk.final()
    talk.now += 1.6
    inquiry = talk.take(talk.session.tick(talk.now))
    unanswered = talk.take(talk.session.tick(talk.now + 1.0))
    talk.take(talk.session.receive_loss({job.job_id}, talk.now, worker_died=False))

    assert inquiry == [CheckJobs((job.job_id,))]
    assert unanswered == [], "asked not every tick"
    assert [resent.job for resent in talk.resent] == [job]
    assert talk.resent[0].pcm == b"".join(stored.pcm for stored in talk.stored) == talk.session.audio_of("seg-0001")
    talk.answer(job)
    assert talk.session.audio_of("seg-0001") == b""
    assert talk.kinds()[-1] == "final_transcript"


def test_a_segment_that_kills_workers_is_given_up_after_three(talk: Talk) -> None:
    """A job that merely got lost is not counted against it."""
    talk.windows(5, speaking=True)
    talk.windows(5, speaking=False)
    job = talk.final()
    for died in (False, True, False, True, False, True):
        talk.take(talk.session.receive_loss({job.job_id, "another's"}, talk.now, worker_died=died))

    assert len(talk.resent) == 5
    assert (talk.sent[-1].code, talk.sent[-1].segment_id) == (ErrorCode.INFERENCE_ERROR, "seg-0001")
    assert talk.sent[-1].message == "3 workers failed on this segment"
    assert talk.session.audio_of("seg-0001") == b""
