"""The session's dealings, one behaviour a test."""

import itertools
import json
from dataclasses import replace

import pytest

from tests.core.fakes import FAST, HUM, Talk, transcript, with_vad
from transcription.core.admission import Refusal
from transcription.core.effects import (
    Admit,
    Close,
    DiscardAudio,
    Inquire,
    Overtake,
    RecordClosed,
    RecordFailedSegment,
    StoreAudio,
)
from transcription.core.jobs import Failure, Kind
from transcription.core.protocol import (
    CloseCode,
    EndReason,
    Error,
    ErrorCode,
    FinalTranscript,
    PartialTranscript,
    Status,
    Word,
)
from transcription.core.session import State


@pytest.fixture
def talk() -> Talk:
    talk = Talk()
    talk.start()
    return talk


def test_one_utterance_is_told_in_order(talk: Talk) -> None:
    """speech_start, partials of the segment, speech_end, its final, session_ended."""
    talk.windows(10, speaking=True)
    talk.answer(talk.jobs[-1], "ol")
    talk.windows(10, speaking=False)
    talk.answer(talk.final(), "olá")
    talk.text('{"type": "end_session"}')

    assert talk.kinds() == [
        "session_started",
        "speech_start",
        "partial_transcript",
        "speech_end",
        "final_transcript",
        "session_ended",
    ]


def test_final_covers_pre_roll_and_trailing_silence(talk: Talk) -> None:
    """The segment starts before the first speech window and ends at the endpoint."""
    talk.windows(10, speaking=False)
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)
    talk.answer(talk.final())
    final = talk.sent[-1]
    assert isinstance(final, FinalTranscript)

    assert (final.audio_start_ms, final.audio_duration_ms) == (320 - 64, 64 + 5 * 32 + 3 * 32)


def test_timing_parts_add_up_to_the_total(talk: Talk) -> None:
    """What the worker did not account for was waiting."""
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)
    talk.now += 0.5
    talk.answer(talk.final())
    timing = talk.sent[-1].timing

    assert timing.server_total_ms == pytest.approx(510, abs=1)
    parts = (timing.preprocess_ms, timing.queue_wait_ms, timing.inference_ms, timing.postprocess_ms)
    assert timing.server_total_ms == pytest.approx(sum(parts), abs=0.011)


def test_a_worker_clock_that_runs_ahead_gives_no_negative_wait(talk: Talk) -> None:
    """Durations longer than the total leave no waiting, and the parts still add up."""
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)
    talk.take(talk.session.receive_result(transcript(talk.final(), inference_ms=900.0), talk.now))
    timing = talk.sent[-1].timing

    assert timing.queue_wait_ms == 0
    assert timing.server_total_ms == pytest.approx(901.5)


def test_never_two_partials_outstanding(talk: Talk) -> None:
    """A second partial waits for the first one's answer, however long it takes."""
    talk.windows(20, speaking=True)

    assert [job.kind for job in talk.jobs] == [Kind.PARTIAL]
    talk.answer(talk.jobs[0])
    assert len(talk.jobs) == 2


def test_a_lost_partial_does_not_stop_the_next() -> None:
    """A partial nobody answers is given up after five seconds."""
    talk = Talk(replace(FAST, max_utterance_s=30.0))
    talk.start()
    talk.windows(4, speaking=True)
    talk.windows(170, speaking=True)

    assert len(talk.jobs) == 2


def test_a_late_partial_is_not_sent_after_speech_end(talk: Talk) -> None:
    """A partial that arrives after its segment's endpoint is dropped."""
    talk.windows(10, speaking=True)
    late = talk.jobs[0]
    talk.windows(5, speaking=False)
    talk.answer(late)

    assert talk.kinds()[-1] == "speech_end"


def test_finals_leave_in_order_of_speech(talk: Talk) -> None:
    """The second segment's answer waits for the first one's."""
    finals = []
    for _ in range(2):
        talk.windows(5, speaking=True)
        talk.windows(5, speaking=False)
        finals.append(talk.final())
    talk.answer(finals[1], "dois")
    assert "final_transcript" not in talk.kinds()
    talk.answer(finals[0], "um")

    assert [m.text for m in talk.sent if isinstance(m, FinalTranscript)] == ["um", "dois"]


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


def test_flush_ends_the_utterance_and_is_harmless_without_one(talk: Talk) -> None:
    """A flush in silence says nothing; in speech it is an endpoint."""
    talk.text('{"type": "flush"}')
    assert talk.kinds() == ["session_started"]
    talk.windows(5, speaking=True)
    talk.text('{"type": "flush"}')
    talk.text('{"type": "flush"}')

    assert talk.kinds()[1:] == ["speech_start", "speech_end"]
    assert [job.kind for job in talk.jobs if job.kind is Kind.FINAL] == [Kind.FINAL]


def test_cancel_drops_everything_and_closes(talk: Talk) -> None:
    """Audio of open and awaited segments is deleted, so that their jobs are not run."""
    talk.windows(5, speaking=True)
    talk.windows(5, speaking=False)
    talk.windows(5, speaking=True)
    effects = talk.text('{"type": "cancel"}')

    assert DiscardAudio(("seg-0001", "seg-0002")) in effects
    assert effects[-1] == Close(CloseCode.NORMAL)
    assert talk.sent[-1].reason is EndReason.CANCELLED
    assert talk.take(talk.session.receive_result(transcript(talk.final()), talk.now)) == []


def test_end_waits_for_the_finals(talk: Talk) -> None:
    """session_ended comes after the last final, with the session's figures."""
    talk.windows(10, speaking=True)
    talk.text('{"type": "end_session"}')
    assert talk.session.state is State.ENDING
    talk.answer(talk.final())
    ended = talk.sent[-1]

    assert (ended.reason, ended.total_audio_ms, ended.total_segments) == (EndReason.COMPLETED, 320.0, 1)


def test_a_gone_client_is_still_transcribed_and_recorded(talk: Talk) -> None:
    """Disconnecting mid-speech ends the utterance; its final is awaited, then the session is recorded."""
    talk.windows(10, speaking=True)
    talk.take(talk.session.disconnect(talk.now))
    assert talk.session.state is State.ENDING
    effects = talk.session.receive_result(transcript(talk.final()), talk.now)

    assert any(isinstance(e, RecordClosed) and e.reason is EndReason.DISCONNECTED for e in effects)


def test_an_idle_session_times_out(talk: Talk) -> None:
    """Nothing heard for the idle time ends the session with `timeout`."""
    talk.now += FAST.idle_timeout_s
    talk.take(talk.session.tick(talk.now))

    assert talk.sent[-1].reason is EndReason.TIMEOUT


def test_a_connection_that_never_starts_is_closed() -> None:
    """An error says why, the close code is 1008."""
    talk = Talk()
    talk.now += FAST.start_timeout_s
    effects = talk.take(talk.session.tick(talk.now))

    assert talk.sent[0].code is ErrorCode.INVALID_MESSAGE
    assert effects[-1] == Close(CloseCode.POLICY_VIOLATION)


def test_a_refused_start_can_be_tried_again() -> None:
    """The refusal carries code, message and retry_after_ms; the connection stays, options are forgotten."""
    talk = Talk()
    talk.text('{"type": "start_session", "session_id": "a", "config": {"lang_code": "en"}}')
    refusal = Refusal(ErrorCode.QUEUE_FULL, "Queue full: 20/20", 1000)
    talk.take(talk.session.receive_admission(refusal, talk.now))
    effects = talk.text('{"type": "start_session", "session_id": "b"}')

    error = talk.sent[0]
    assert (error.code, error.message, error.session_id, error.retry_after_ms) == (
        ErrorCode.QUEUE_FULL,
        "Queue full: 20/20",
        "a",
        1000,
    )
    assert effects == [Admit("b")]
    assert talk.session.config.language == "pt"


def test_a_second_start_is_refused_and_the_session_goes_on(talk: Talk) -> None:
    """One session a connection."""
    talk.text('{"type": "start_session", "session_id": "other"}')
    talk.windows(10, speaking=True)

    assert talk.sent[1].code is ErrorCode.SESSION_EXISTS
    assert talk.kinds()[-1] == "speech_start"


def test_audio_in_the_wrong_place_is_told_once() -> None:
    """A client that streams before session_started gets one error, not one a frame."""
    talk = Talk()
    talk.windows(5, speaking=True)

    assert [message.code for message in talk.sent] == [ErrorCode.INVALID_MESSAGE]


@pytest.mark.parametrize(
    ("frame", "said"), [(b"odd", "even number"), (bytes(FAST.max_frame_bytes + 2), "at most 131072")]
)
def test_a_bad_binary_frame_is_an_error_and_nothing_else(talk: Talk, frame: bytes, said: str) -> None:
    """The frame is not heard; the session is as before."""
    talk.take(talk.session.receive_audio(frame, talk.now))
    talk.text('{"type": "end_session"}')

    assert said in talk.sent[1].message
    assert talk.sent[-1].total_audio_ms == 0


def test_too_long_text_is_an_error(talk: Talk) -> None:
    """It is not even parsed."""
    talk.text(" " * (FAST.max_frame_bytes + 1))

    assert "too long" in talk.sent[-1].message


def test_an_utterance_is_cut_at_its_maximum_without_loss_or_doubling(talk: Talk) -> None:
    """The next segment begins with the very next sample, and no VAD event says that speech stopped."""
    talk.windows(80, speaking=True)
    talk.text('{"type": "end_session"}')
    for job in [job for job in talk.jobs if job.kind is Kind.FINAL]:
        talk.answer(job)
    finals = [message for message in talk.sent if isinstance(message, FinalTranscript)]

    assert len(finals) >= 3
    for before, after in itertools.pairwise(finals):
        assert after.audio_start_ms == pytest.approx(before.audio_start_ms + before.audio_duration_ms, abs=0.02)
    assert talk.kinds().count("speech_start") == talk.kinds().count("speech_end") == 1
    assert sum(final.audio_duration_ms for final in finals) == pytest.approx(80 * 32, abs=0.1)


def test_without_vad_the_whole_stream_is_one_utterance() -> None:
    """No VAD events; silence does not end it, end_session does."""
    talk = Talk()
    talk.start('{"vad_enabled": false}')
    talk.windows(20, speaking=False)
    talk.text('{"type": "end_session"}')
    talk.answer(talk.final())

    assert [kind for kind in talk.kinds() if kind.startswith("speech")] == []
    assert talk.sent[-2].audio_duration_ms == 640


def test_without_vad_even_a_few_samples_are_an_utterance() -> None:
    """Less than one VAD window is not lost."""
    talk = Talk()
    talk.start('{"vad_enabled": false}')
    talk.take(talk.session.receive_audio(bytes(200), talk.now))
    talk.text('{"type": "flush"}')

    assert talk.final().end == 100


def test_other_rates_are_resampled() -> None:
    """Audio counts in the client's rate, segments in ours."""
    talk = Talk()
    talk.start('{"sample_rate": 32000, "vad_enabled": false}')
    talk.take(talk.session.receive_audio(bytes(2 * 3200), talk.now))
    talk.text('{"type": "end_session"}')
    talk.answer(talk.final())

    assert talk.sent[-1].total_audio_ms == 100
    assert talk.sent[-2].audio_duration_ms == 100


def test_partials_can_be_switched_off() -> None:
    """No partial job is ever sent."""
    talk = Talk()
    talk.start('{"partial_results": false}')
    talk.windows(20, speaking=True)

    assert talk.jobs == []


def test_a_partial_looks_at_no_more_than_its_window() -> None:
    """With nothing agreed on, the window jumps ahead; the job is bounded by where it starts."""
    talk = Talk(replace(FAST, max_partial_window_s=0.5))
    talk.start()
    for i in range(25):
        talk.windows(1, speaking=True)
        for job in talk.jobs[-1:]:
            talk.answer(job, f"outra coisa {i}")

    assert talk.jobs[-1].start > 0
    assert all(job.end is None for job in talk.jobs)


def test_agreed_words_become_stable_and_the_prefix_of_the_next_partial() -> None:
    """Two hypotheses agree on all but the last word of the shorter one; those of little audio do not count."""
    talk = Talk(replace(FAST, max_partial_window_s=2.0, max_utterance_s=30.0))
    talk.start()
    audio_ms = 100
    for text in ("viradi a", "viradi a direita", "vire a", "vire a direita", "vire a direita na"):
        talk.windows(8, speaking=True)
        audio_ms += 150
        talk.take(talk.session.receive_result(transcript(talk.jobs[-1], text, audio_end=audio_ms * 16), talk.now))

    stable = [message.stable_text for message in talk.sent if isinstance(message, PartialTranscript)]
    assert stable == ["", "", "", "vire", "vire a"]
    assert talk.jobs[-1].prefix == "vire a"


def test_the_window_slides_to_the_end_of_a_stable_word_and_keeps_its_text() -> None:
    """Near the window's end word times are asked for; the words before the new start stay in the text."""
    talk = Talk(replace(FAST, max_partial_window_s=0.5))
    talk.start()
    words = [
        Word(word=w, start=i * 0.1, end=i * 0.1 + 0.1, probability=1.0) for i, w in enumerate("um dois tres".split())
    ]
    while not talk.jobs or not talk.jobs[-1].word_timestamps:
        talk.windows(1, speaking=True)
        if talk.jobs and not talk.jobs[-1].word_timestamps:
            talk.answer(talk.jobs[-1], "um dois tres")
    answer = transcript(talk.jobs[-1], "um dois tres", words=words)
    talk.take(talk.session.receive_result(answer, talk.now))
    talk.windows(4, speaking=True)
    talk.answer(talk.jobs[-1], "tres quatro")

    assert talk.jobs[-1].start == 3200
    assert talk.sent[-1].text == "um dois tres quatro"
    assert talk.sent[-1].stable_text == "um dois"


@pytest.fixture
def hasty() -> Talk:
    """Speculates after two windows of silence; the endpoint comes after five."""
    talk = Talk(with_vad(FAST, speculate_ms=64, min_silence_ms=160))
    talk.start()
    return talk


def test_a_pause_has_its_final_decoded_ahead_and_released_at_the_endpoint(hasty: Talk) -> None:
    """The answer comes during the silence, as a speculative partial; at the endpoint it is the final, at once."""
    hasty.windows(8, speaking=True)
    hasty.windows(2, speaking=False)
    hasty.answer(hasty.final(), "sim")
    assert (hasty.sent[-1].speculative, hasty.sent[-1].text) == (True, "sim")
    jobs = len(hasty.jobs)
    hasty.windows(3, speaking=False)

    assert hasty.kinds()[-2:] == ["speech_end", "final_transcript"]
    assert hasty.sent[-1].text == "sim"
    assert hasty.sent[-1].audio_duration_ms == 13 * 32
    assert len(hasty.jobs) == jobs


def test_an_answer_after_the_endpoint_is_the_final_all_the_same(hasty: Talk) -> None:
    """The speculation was late, not wrong: it is not decoded again."""
    hasty.windows(8, speaking=True)
    hasty.windows(5, speaking=False)
    assert hasty.kinds()[-1] == "speech_end"
    hasty.answer(hasty.final(), "sim")

    assert hasty.sent[-1].text == "sim"
    assert len([job for job in hasty.jobs if job.kind is Kind.FINAL]) == 1


def test_speech_that_resumes_makes_the_speculation_void(hasty: Talk) -> None:
    """Its answer is ignored; the endpoint's own final covers everything."""
    hasty.windows(8, speaking=True)
    hasty.windows(2, speaking=False)
    early = hasty.final()
    hasty.windows(3, speaking=True)
    hasty.answer(early, "sim")
    hasty.windows(5, speaking=False)
    hasty.answer(hasty.final(), "sim senhor")
    finals = [message.text for message in hasty.sent if isinstance(message, FinalTranscript)]

    assert finals == ["sim senhor"]
    assert early.job_id != hasty.final().job_id


def test_a_failed_speculation_is_decoded_again_at_the_endpoint(hasty: Talk) -> None:
    """It counts as none."""
    hasty.windows(8, speaking=True)
    hasty.windows(2, speaking=False)
    job = hasty.final()
    failure = Failure(job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="no", retryable=True)
    hasty.take(hasty.session.receive_result(failure, hasty.now))
    hasty.windows(3, speaking=False)
    hasty.answer(hasty.final(), "sim")

    assert hasty.final() != job
    assert hasty.sent[-1].text == "sim"


def test_a_partial_outstanding_when_the_final_is_asked_for_is_overtaken(talk: Talk) -> None:
    """The workers are told not to decode it."""
    talk.windows(8, speaking=True)
    effects = []
    talk.vad.speaking = False
    for _ in range(3):
        effects += talk.session.receive_audio(HUM, talk.now)

    assert Overtake("seg-0001", 1) in effects


def test_audio_backing_up_is_refused_and_told_once_an_episode() -> None:
    """Over max_buffer_ms on its way to Redis, frames are refused; once it drains they are taken again."""
    talk = Talk(replace(with_vad(FAST, enabled=False), max_buffer_ms=320, partial_results=False), redis_up=False)
    talk.start()
    talk.windows(30, speaking=True)
    assert [message.code for message in talk.sent[1:]] == [ErrorCode.QUEUE_CONGESTION]
    talk.redis_up = True
    for effect in talk.stored:
        talk.session.audio_stored(len(effect.pcm) // 2)
    talk.windows(2, speaking=True)
    talk.text('{"type": "end_session"}')
    talk.answer(talk.final())

    accepted = talk.sent[-1].total_audio_ms
    assert 320 <= accepted < 30 * 32
    assert talk.sent[-2].audio_duration_ms == accepted


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


def test_a_holder_that_may_not_go_on_is_told_and_what_it_said_is_answered(talk: Talk) -> None:
    """The error first, then the open speech's final, session_ended with reason error, close 1008."""
    talk.windows(6, speaking=True)
    talk.take(talk.session.bar(ErrorCode.QUOTA_EXCEEDED, "spent", talk.now))
    told = talk.sent[-2:]
    heard = talk.session.audio_ms
    talk.windows(3, speaking=True)
    before = len(talk.sent)
    effects = talk.take(talk.session.receive_result(transcript(talk.final()), talk.now))

    assert (told[0].code, told[0].session_id, told[0].segment_id) == (ErrorCode.QUOTA_EXCEEDED, "s", None)
    assert talk.session.audio_ms == heard, "nothing more is heard"
    assert [message.__struct_config__.tag for message in talk.sent[before:]] == ["final_transcript", "session_ended"]
    assert talk.sent[-1].reason is EndReason.ERROR
    assert effects[-1] == Close(CloseCode.POLICY_VIOLATION)
    assert talk.session.bar(ErrorCode.QUOTA_EXCEEDED, "spent", talk.now) == []


def test_a_holder_that_may_not_go_on_cannot_start() -> None:
    """Before a session there is nothing to wait for."""
    talk = Talk()
    effects = talk.take(talk.session.bar(ErrorCode.UNAUTHORIZED, "revoked", talk.now))
    talk.text('{"type": "start_session"}')

    assert [message.code for message in talk.sent] == [ErrorCode.UNAUTHORIZED]
    assert effects[-1] == Close(CloseCode.POLICY_VIOLATION)


def test_nothing_follows_session_ended(talk: Talk) -> None:
    """Whatever happens after the end is ignored."""
    talk.text('{"type": "cancel"}')
    before = len(talk.sent)
    talk.text('{"type": "flush"}')
    talk.text(json.dumps({"type": "start_session"}))
    talk.windows(3, speaking=True)
    talk.take(talk.session.tick(talk.now + 1000))
    talk.take(talk.session.disconnect(talk.now))

    assert len(talk.sent) == before


def test_a_step_makes_partials_rarer_and_is_told_once(talk: Talk) -> None:
    """Twice the interval; the same step again says nothing."""
    talk.take(talk.session.shed(1))
    talk.take(talk.session.shed(1))
    talk.windows(6, speaking=True)
    early = list(talk.jobs)
    talk.windows(3, speaking=True)

    assert [m for m in talk.sent if isinstance(m, Status)] == [
        Status(session_id="s", step=1, partials=True, partial_interval_ms=200)
    ]
    assert not early
    assert [job.kind for job in talk.jobs] == [Kind.PARTIAL]


def test_a_step_reaches_an_open_utterance(talk: Talk) -> None:
    """No partial more, a small beam for its final; back at step 0 the next one gets all again."""
    talk.windows(10, speaking=True)
    talk.answer(talk.jobs[-1])
    asked = len(talk.jobs)
    talk.take(talk.session.shed(4))
    talk.windows(8, speaking=True)
    assert len(talk.jobs) == asked
    talk.windows(3, speaking=False)
    small = talk.final()
    talk.take(talk.session.shed(0))
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)

    assert (small.beam_size, talk.final().beam_size) == (1, FAST.beam_size)
    assert [m.partials for m in talk.sent if isinstance(m, Status)] == [False, True]


def test_a_session_is_told_nothing_before_it_is_open() -> None:
    """Nor after its end."""
    talk = Talk()
    assert talk.session.shed(3) == []
    talk.start()
    talk.text('{"type": "cancel"}')

    assert talk.session.shed(3) == []


def test_a_final_that_waits_too_long_is_given_up_as_queue_full() -> None:
    """Its turn never came: told and recorded; its late answer is ignored."""
    talk = Talk(replace(FAST, max_final_wait_s=12.0))
    talk.start()
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)
    asked = len(talk.jobs)
    talk.now += 11
    talk.take(talk.session.tick(talk.now, backlog_s=9.0))
    assert len(talk.jobs) == asked, "what has to wait is not lost, and not sent again"
    talk.now += 1
    effects = talk.take(talk.session.tick(talk.now, backlog_s=9.0))
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
    talk.take(talk.session.tick(talk.now, backlog_s=3.0))
    before = talk.jobs.count(final)
    talk.now += 3
    talk.take(talk.session.tick(talk.now, backlog_s=3.0))

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

    assert inquiry == [Inquire((job.job_id,))]
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
