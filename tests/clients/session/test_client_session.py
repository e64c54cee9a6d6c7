"""A client's session, message by message: what it sends, tells and gives up."""

import pytest
from talk import SECOND, Talk
from whisper_stt.session import (
    ConnectError,
    EndedError,
    FinalTranscript,
    ProtocolError,
    RefusedError,
    Retries,
    SessionStarted,
    TimedOutError,
    Wait,
)
from whisper_stt.session.errors import closed_for_good
from whisper_stt.session.limits import LAST_WORD_S
from whisper_stt.session.messages import Configure, Configured, ServerError


def test_nothing_but_the_start_is_sent_until_it_is_answered() -> None:
    """Then audio in chunks of 40 ms, the rest when there is no more."""
    talk = Talk()
    talk.session.push(bytes(2 * 650))
    talk.connect()
    (start,) = talk.sent()
    assert start["type"] == "start_session"
    assert start["resume"] is True
    assert start.keys() == {"type", "resume", "config"}

    (started,) = talk.say("session_started")
    assert isinstance(started, SessionStarted)
    assert talk.sent() == [640]
    talk.session.end()
    assert talk.sent() == [10, {"type": "end_session"}]
    assert not talk.session.over
    talk.end("completed")
    assert talk.session.over


def test_a_lost_session_is_asked_for_by_its_name_and_last_answer() -> None:
    talk = Talk()
    talk.begin()
    talk.session.push(SECOND)
    talk.sent()
    talk.final("seg-1", 0, 200)
    talk.connect()
    (start,) = talk.sent()
    assert (start["session_id"], start["last_segment_id"], start["resume"]) == ("s", "seg-1", True)

    (started,) = talk.say("session_started", resumed=True, audio_received_ms=200)
    assert isinstance(started, SessionStarted)
    assert started.resumed
    assert talk.sent() == [12_800]
    assert talk.final("seg-1", 0, 200) == [], "told to the lost connection"
    (final,) = talk.final("seg-2", 200, 300)
    assert isinstance(final, FinalTranscript)
    assert (final.start, final.end) == (0.2, 0.5)


@pytest.mark.parametrize("code", ["INVALID_MESSAGE", "SESSION_EXISTS"])
def test_without_resume_a_session_is_asked_for_as_of_old(code: str) -> None:
    """And hears, from its own beginning, what has no final; times stay those of the stream."""
    talk = Talk()
    talk.begin()
    talk.session.push(SECOND)
    talk.sent()
    talk.final("seg-1", 0, 200)
    talk.connect()
    talk.sent()
    assert talk.say("error", code=code, message="no") == []
    (start,) = talk.sent()
    assert start.keys() == {"type", "config"}
    talk.say("session_started")
    assert talk.sent() == [12_800]
    (final,) = talk.final("seg-1", 0, 300)
    assert isinstance(final, FinalTranscript)
    assert (final.start, final.end) == (0.2, 0.5)

    talk.connect()
    talk.say("error", code="INVALID_MESSAGE", message="no")
    with pytest.raises(RefusedError, match="still no"):
        talk.say("error", code="INVALID_MESSAGE", message="still no")


@pytest.mark.parametrize(
    ("code", "status", "transient"),
    [
        ("INVALID_MESSAGE", 400, False),
        ("UNAUTHORIZED", 401, False),
        ("QUOTA_EXCEEDED", 403, False),
        ("SESSION_EXISTS", 409, False),
        ("MAX_SESSIONS_REACHED", 429, True),
        ("QUEUE_FULL", 429, True),
        ("INTERNAL_ERROR", 500, True),
        ("QUEUE_CONGESTION", 503, True),
        ("FROM_THE_FUTURE", 500, True),
        ("HTTP 401", 401, False),
        ("HTTP 408", 408, True),
        ("HTTP 503", 503, True),
    ],
)
def test_what_a_refusal_means(code: str, status: int, transient: bool) -> None:
    """As an HTTP status, and whether another try may be admitted."""
    refusal = RefusedError(code, "no", 1500)
    assert (refusal.status, refusal.transient, refusal.retry_after_s) == (status, transient, 1.5)
    assert RefusedError(code, "no").retry_after_s == 0


def test_a_refused_start_says_when_to_come_back() -> None:
    talk = Talk()
    talk.connect()
    talk.sent()
    with pytest.raises(RefusedError, match="QUEUE_FULL: full") as caught:
        talk.say("error", code="QUEUE_FULL", message="full", retry_after_ms=700)
    assert caught.value.retry_after_s == 0.7
    assert talk.session.needed


@pytest.mark.parametrize(("code", "slower"), [("QUEUE_CONGESTION", True), ("INTERNAL_ERROR", False)])
def test_a_session_that_dropped_audio_is_not_resumed(code: str, slower: bool) -> None:
    """Another one hears all of it again; after congestion, no faster than half as fast."""
    talk = Talk(speed=10)
    talk.begin()
    talk.session.push(SECOND)
    talk.sent()
    with pytest.raises(RefusedError, match=code):
        talk.say("error", code=code, message="no")
    talk.connect()
    (start,) = talk.sent()
    assert "session_id" not in start

    talk.say("session_started")
    assert talk.sent() == [640]
    wait = talk.session.poll(talk.now)
    assert isinstance(wait, Wait)
    assert wait.seconds == pytest.approx(0.04 / (5 if slower else 10))


def test_who_may_not_go_on_still_hears_what_was_said() -> None:
    """Nothing more is sent; the refusal comes with the session's end."""
    talk = Talk()
    talk.begin()
    talk.session.push(SECOND)
    talk.sent()
    assert talk.say("error", code="UNAUTHORIZED", message="revoked") == []
    talk.session.push(SECOND)
    assert talk.sent() == []
    assert len(talk.final("seg-1", 0, 500)) == 1
    with pytest.raises(RefusedError, match="UNAUTHORIZED: revoked"):
        talk.end("error")


def test_no_answer_in_time() -> None:
    """To the start until its deadline; to the end, from the last thing that was said."""
    talk = Talk()
    talk.connect()
    talk.sent()
    assert talk.session.poll(talk.now) == Wait(10.0)
    talk.now += 10
    with pytest.raises(TimedOutError, match="open a session"):
        talk.session.poll(talk.now)

    talk = Talk()
    talk.begin()
    talk.session.end()
    assert talk.sent() == [{"type": "end_session"}]
    talk.now += LAST_WORD_S - 1
    talk.say("status", step=1, partials=True, partial_interval_ms=600)
    talk.now += LAST_WORD_S - 1
    assert talk.session.poll(talk.now) == Wait(1.0)
    talk.now += 1
    with pytest.raises(TimedOutError, match="end_session"):
        talk.session.poll(talk.now)


def test_an_idle_session_waits_for_audio() -> None:
    """What the service has accepted is answered: it is not sent again."""
    talk = Talk()
    talk.begin()
    talk.session.push(SECOND)
    talk.sent()
    talk.end("timeout", 1000)
    assert (talk.session.connected, talk.session.needed, talk.session.over) == (False, False, False)
    talk.session.push(bytes(1280))
    assert talk.session.needed
    assert talk.begin() == [640]
    talk.session.end()
    talk.sent()
    talk.end("completed")
    assert talk.session.over


def test_what_crosses_the_end_of_an_idle_session_is_sent_again() -> None:
    """A flush too."""
    talk = Talk()
    talk.begin()
    talk.session.push(SECOND)
    talk.session.flush("turn")
    talk.session.end()
    talk.sent()
    talk.end("timeout", 800)
    assert talk.session.needed
    assert not talk.session.over
    assert talk.begin() == [3_200, {"type": "flush", "flush_id": "turn"}, {"type": "end_session"}]


def test_the_input_of_an_idle_session_may_end() -> None:
    """Without another connection."""
    talk = Talk()
    talk.begin()
    talk.end("timeout")
    talk.session.end()
    assert talk.session.over


def test_ended_for_another_reason_is_lost() -> None:
    talk = Talk()
    talk.begin()
    talk.session.push(SECOND)
    talk.sent()
    with pytest.raises(ConnectError, match="ended the session: error"):
        talk.end("error")
    assert talk.session.needed
    assert talk.begin() == [16_000]


def test_what_is_no_message_is_refused_and_what_is_unknown_ignored() -> None:
    talk = Talk()
    talk.begin()
    assert talk.say("weather", sunny=True) == []
    assert talk.session.receive('{"news": 1}', talk.now) == []
    for frame in ("hello", "5", "[]", '{"type": 5}', '{"type": "final_transcript"}', b"\0\0"):
        with pytest.raises(ProtocolError, match="does not speak this protocol"):
            talk.session.receive(frame, talk.now)


def test_only_a_live_session_is_cancelled() -> None:
    talk = Talk()
    assert talk.session.farewell() is None
    talk.connect()
    assert talk.session.farewell() is None
    talk.begin()
    assert talk.session.farewell() == '{"type":"cancel"}'
    talk.session.end()
    talk.sent()
    assert talk.session.farewell() == '{"type":"cancel"}'
    talk.end("completed")
    assert talk.session.farewell() is None


def test_sent_audio_is_counted_once() -> None:
    talk = Talk()
    talk.begin()
    talk.session.push(SECOND)
    assert talk.session.unsent_s == 1
    talk.sent()
    assert (talk.session.sent_s, talk.session.unsent_s) == (1, 0)
    talk.begin(resumed=False)
    assert talk.session.sent_s == 1


def test_a_cancel_that_nobody_asked_for_is_the_last_word() -> None:
    """An operator's: no lost connection, after which another session would be opened."""
    talk = Talk()
    talk.begin()
    with pytest.raises(EndedError, match="operator") as caught:
        talk.end("cancelled")

    retries = Retries(30.0, 0.0)
    retries.opened(0.0)
    assert retries.lost(caught.value, 1.0, 0.5) is None


@pytest.mark.parametrize(("code", "last"), [(1008, True), (1009, True), (1011, False), (1006, False), (None, False)])
def test_some_closes_are_the_last_word(code: int | None, last: bool) -> None:
    assert isinstance(closed_for_good(code), EndedError) is last


# Other options

TAKEN = {"lang_code": "pt", "turn_mode": "dictation", "min_silence_ms": 500, "max_hold_ms": 900}


def test_a_change_is_sent_before_the_audio_that_waits_and_asked_for_again_by_later_sessions() -> None:
    """Once the service has taken it."""
    talk = Talk()
    talk.begin()
    talk.session.push(SECOND)
    talk.session.configure(Configure(turn_mode="dictation", max_hold_ms=900))

    assert talk.sent() == [{"type": "configure", "turn_mode": "dictation", "max_hold_ms": 900}, 16_000]
    (configured,) = talk.say("configured", **TAKEN)
    assert isinstance(configured, Configured)
    talk.connect()
    (start,) = talk.sent()
    assert (start["config"]["turn_mode"], start["config"]["max_hold_ms"]) == ("dictation", 900)


def test_a_change_that_a_lost_connection_leaves_unanswered_is_asked_for_again() -> None:
    """In the next session, which begins with the options as they were."""
    talk = Talk()
    talk.begin()
    talk.session.configure(Configure(turn_mode="short"))
    talk.sent()
    talk.connect()

    assert "turn_mode" not in talk.sent()[0]["config"]
    talk.say("session_started")
    assert talk.sent() == [{"type": "configure", "turn_mode": "short"}]


def test_a_refused_change_leaves_the_session_as_it_was() -> None:
    """The error is its answer; another such is a refusal as ever."""
    talk = Talk()
    talk.begin()
    talk.session.configure(Configure(max_hold_ms=-1))
    talk.sent()
    (error,) = talk.say("error", code="INVALID_MESSAGE", message="max_hold_ms", refused="configure")

    assert isinstance(error, ServerError)
    assert talk.session.config.max_hold_ms is None
    with pytest.raises(RefusedError):
        talk.say("error", code="INVALID_MESSAGE", message="another")


def test_an_error_that_crosses_a_change_is_not_taken_for_its_refusal() -> None:
    """Such as one about the audio: it is what it is where nothing was asked."""
    talk = Talk()
    talk.begin()
    talk.session.configure(Configure(max_hold_ms=900))
    talk.sent()

    with pytest.raises(RefusedError, match="The audio looks like"):
        talk.say("error", code="INVALID_MESSAGE", message="The audio looks like stereo")
    (configured,) = talk.say("configured", **TAKEN)
    assert isinstance(configured, Configured)
    assert talk.session.config.max_hold_ms == 900
