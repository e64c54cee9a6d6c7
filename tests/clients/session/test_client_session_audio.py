"""A client's session: which audio is sent again, whose a flush's answer is, with which options what is heard."""

import pytest
from talk import SECOND, Talk, config_of
from whisper_stt.session import FinalTranscript, ServerError, Wait
from whisper_stt.session.pace import MAX_UNANSWERED


def test_a_flush_is_answered_once() -> None:
    """The empty answer to one that was sent twice is nobody's; one with words is told without its name."""
    talk = Talk()
    talk.begin()
    talk.session.push(bytes(3200))
    talk.session.flush("one")
    talk.session.flush("two")
    assert talk.sent()[-1] == {"type": "flush", "flush_id": "two"}
    assert talk.begin(resumed=True)[1:] == [{"type": "flush", "flush_id": "one"}, {"type": "flush", "flush_id": "two"}]

    (answer,) = talk.final("seg-1", 0, 100, flush_id="one")
    assert isinstance(answer, FinalTranscript)
    assert answer.flush_id == "one"
    assert talk.final("seg-2", 100, 0, text="", flush_id="one") == []
    (answer,) = talk.final("seg-3", 100, 50, flush_id="one")
    assert isinstance(answer, FinalTranscript)
    assert answer.flush_id is None
    (failed,) = talk.say("error", code="INFERENCE_ERROR", message="no", segment_id="seg-4", flush_id="two")
    assert isinstance(failed, ServerError)
    assert failed.flush_id == "two"


def test_new_options_hold_from_what_was_not_sent() -> None:
    """A flush that was asked for before goes to the session that heard what it is about."""
    talk = Talk(config_of("pt"))
    talk.begin()
    talk.session.push(SECOND)
    talk.sent()
    talk.session.flush("turn")
    talk.session.restart(config_of("en"))
    talk.session.push(bytes(1280))
    assert talk.sent() == [{"type": "flush", "flush_id": "turn"}, {"type": "end_session"}]
    assert talk.session.restarting
    talk.final("seg-1", 0, 500, flush_id="turn")
    talk.end("completed", 1000)

    assert talk.session.needed
    talk.connect()
    (start,) = talk.sent()
    assert start["config"]["lang_code"] == "en"
    assert "session_id" not in start
    assert not talk.session.restarting
    talk.say("session_started")
    assert talk.sent() == [640]


def test_a_connection_lost_amid_new_options_hears_the_rest_with_the_old() -> None:
    talk = Talk(config_of("pt"))
    talk.begin()
    talk.session.push(SECOND)
    talk.sent()
    talk.session.restart(config_of("en"))
    talk.session.restart(config_of("es"))
    talk.session.push(bytes(1280))
    talk.connect()
    (start,) = talk.sent()
    assert start["config"]["lang_code"] == "pt"
    talk.say("session_started", resumed=False)
    assert talk.sent() == [16_000, {"type": "end_session"}]
    talk.end("completed")
    talk.connect()
    (start,) = talk.sent()
    assert start["config"]["lang_code"] == "es"


def test_audio_of_an_utterance_without_its_final_is_kept() -> None:
    """However long the final takes, and however much silence follows; after the final, silence is forgotten."""
    talk = Talk()
    talk.begin()

    def hear_silence(seconds: int) -> None:
        for _ in range(seconds):
            talk.now += 1
            talk.session.push(SECOND)
            talk.sent()

    hear_silence(1)
    talk.speech("start", "seg-1")
    talk.speech("end", "seg-1")
    hear_silence(30)
    assert talk.begin(resumed=False) == [31 * 16_000]
    talk.speech("start", "seg-1")
    hear_silence(30)
    talk.speech("end", "seg-1")
    talk.final("seg-1", 0, 61_000)
    hear_silence(30)
    assert talk.begin(resumed=False) == [16 * 16_000]


def test_times_are_the_stream_s_where_silence_is_not_sent_again() -> None:
    """The service counts from the first sample it is sent; a final further on confirms what it is about."""
    talk = Talk()
    talk.begin()
    for _ in range(30):
        talk.now += 1
        talk.session.push(SECOND)
        talk.sent()
    assert talk.begin(resumed=True, audio_received_ms=0.0) == [16 * 16_000]
    (final,) = talk.final("seg-1", 1000, 500)
    assert isinstance(final, FinalTranscript)
    assert (final.start, final.end) == (15.0, 15.5)
    assert talk.begin(resumed=True, audio_received_ms=1500.0) == [232_000]
    (final,) = talk.final("seg-2", 2000, 500)
    assert isinstance(final, FinalTranscript)
    assert (final.start, final.end) == (16.0, 16.5)


def test_a_resumed_session_owes_nothing_from_before() -> None:
    """It says again what was unanswered, under whatever name: what is never answered would hold audio back for ever."""
    talk = Talk(speed=20)
    talk.begin()
    talk.session.push(SECOND)
    for n in range(MAX_UNANSWERED):
        talk.speech("end", f"seg-{n}")
    talk.now += 1
    talk.begin(resumed=True)
    wait = talk.session.poll(talk.now)
    assert isinstance(wait, Wait)
    assert wait.seconds == pytest.approx(0.04 / 20)
