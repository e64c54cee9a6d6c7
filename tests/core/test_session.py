"""The session's life: start, end, what it takes from a client and when, one behaviour a test."""

import json

import pytest

from tests.core.fakes import FAST, Talk, transcript
from transcription.core.admission import Refusal
from transcription.core.effects import (
    Admit,
    Close,
    DiscardAudio,
    RecordClosed,
)
from transcription.core.protocol import (
    CloseCode,
    EndReason,
    ErrorCode,
)
from transcription.core.session import State


@pytest.mark.parametrize("flush_id", ['""', "7", f'"{"x" * 129}"'])
def test_flush_id_is_a_short_string(talk: Talk, flush_id: str) -> None:
    """Anything else is refused by name."""
    talk.text(f'{{"type": "flush", "flush_id": {flush_id}}}')

    assert talk.sent[-1].code is ErrorCode.INVALID_MESSAGE
    assert "$.flush_id" in talk.sent[-1].message


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


def test_a_server_that_stops_ends_the_session(talk: Talk) -> None:
    """An error that says so, session_ended with reason error, close 1012."""
    effects = talk.take(talk.session.stop())

    assert "shutting down" in talk.sent[-2].message
    assert talk.sent[-1].reason is EndReason.ERROR
    assert effects[-1] == Close(CloseCode.SERVICE_RESTART)
    assert talk.session.stop() == talk.session.fail() == []


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


def test_a_session_is_told_nothing_before_it_is_open() -> None:
    """Nor after its end."""
    talk = Talk()
    assert talk.session.shed(3) == []
    talk.start()
    talk.text('{"type": "cancel"}')

    assert talk.session.shed(3) == []
