"""The session's partials and finals, one behaviour a test."""

import itertools
import json
from dataclasses import replace

import pytest
from msgspec import UNSET

from tests.core.session.fakes import FAST, HUM, Talk, transcript, with_vad
from transcription.core import protocol
from transcription.core.contract.jobs import Failure, Kind
from transcription.core.protocol import (
    FinalTranscript,
    PartialTranscript,
    Status,
    Word,
)
from transcription.core.session.effects import (
    CancelPartials,
    Send,
)


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


def test_never_two_partials_outstanding(talk: Talk) -> None:
    """A second partial waits for the first one's answer, however long it takes."""
    talk.windows(20, speaking=True)

    assert [job.kind for job in talk.jobs] == [Kind.PARTIAL]
    talk.answer(talk.jobs[0])
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


def test_named_flush_is_answered_by_the_final_of_the_segment_it_closed(talk: Talk) -> None:
    """And by no other; a flush without a name leaves the field out."""
    talk.windows(10, speaking=True)
    talk.text('{"type": "flush", "flush_id": "f-1"}')
    talk.answer(talk.final())
    talk.windows(10, speaking=True)
    talk.text('{"type": "flush"}')
    talk.answer(talk.final())
    named, nameless = (message for message in talk.sent if isinstance(message, FinalTranscript))

    assert (named.flush_id, named.text) == ("f-1", "olá")
    assert "flush_id" not in json.loads(protocol.encode(nameless))


def test_named_flush_in_silence_is_answered_by_an_empty_final_in_its_turn(talk: Talk) -> None:
    """After the finals of what was said before, in a segment of its own; nothing is sent to the workers for it."""
    talk.windows(10, speaking=True)
    talk.windows(10, speaking=False)
    jobs = len(talk.jobs)
    effects = talk.text('{"type": "flush", "flush_id": "f-1"}')
    assert not [effect for effect in effects if isinstance(effect, Send)]
    talk.answer(talk.final())
    said, empty = (message for message in talk.sent if isinstance(message, FinalTranscript))

    assert (said.segment_id, said.flush_id) == ("seg-0001", UNSET)
    assert (empty.segment_id, empty.flush_id, empty.text, empty.words) == ("seg-0002", "f-1", "", [])
    assert (empty.audio_start_ms, empty.audio_duration_ms, empty.timing.server_total_ms) == (640.0, 0.0, 0.0)
    assert len(talk.jobs) == jobs
    talk.text('{"type": "end_session"}')
    assert talk.sent[-1].total_segments == 2


def test_flush_ends_the_utterance_and_is_harmless_without_one(talk: Talk) -> None:
    """A flush in silence says nothing; in speech it is an endpoint."""
    talk.text('{"type": "flush"}')
    assert talk.kinds() == ["session_started"]
    talk.windows(5, speaking=True)
    talk.text('{"type": "flush"}')
    talk.text('{"type": "flush"}')

    assert talk.kinds()[1:] == ["speech_start", "speech_end"]
    assert [job.kind for job in talk.jobs if job.kind is Kind.FINAL] == [Kind.FINAL]


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


@pytest.mark.parametrize(("config", "endpointed"), [('{"vad_enabled": false}', False), ("{}", True)])
def test_a_job_tells_whether_an_endpointer_has_found_speech(config: str, endpointed: bool) -> None:
    """Where none has, the worker looks."""
    talk = Talk()
    talk.start(config)
    talk.windows(60, speaking=True)
    talk.text('{"type": "flush"}')

    assert {job.endpointed for job in talk.jobs} == {endpointed}


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


def test_under_load_no_final_is_decoded_ahead(hasty: Talk) -> None:
    """From the second step on; the endpoint asks for it."""
    hasty.take(hasty.session.shed(2))
    hasty.windows(8, speaking=True)
    hasty.windows(2, speaking=False)
    assert [job for job in hasty.jobs if job.kind is Kind.FINAL] == []
    hasty.windows(3, speaking=False)
    hasty.answer(hasty.final(), "sim")

    assert (hasty.kinds()[-1], hasty.sent[-1].text) == ("final_transcript", "sim")


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

    assert CancelPartials("seg-0001", 1) in effects


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
