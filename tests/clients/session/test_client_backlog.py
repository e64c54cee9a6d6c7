"""What a client keeps of its audio, how fast it sends it, and when it tries again."""

import pytest
from whisper_stt.session import ConnectError, ProtocolError, RefusedError, Retries, limits
from whisper_stt.session.backlog import Backlog
from whisper_stt.session.pace import MAX_UNANSWERED, Pacer
from whisper_stt.session.retries import FIRST_PAUSE_S, LAST_PAUSE_S, STEADY_S

RATE = 1000
CHUNK = 40


def numbered(start: int, count: int) -> bytes:
    return b"".join(n.to_bytes(2, "little") for n in range(start, start + count))


def sent(backlog: Backlog, now: float = 0.0, *, keep: bool = True) -> bytes:
    """All there is to send, flushes by their names."""
    out = b""
    while backlog.peek():
        part = backlog.take(now, keep=keep)
        out += part.pcm or f"<{part.flush_id}>".encode()
    return out


@pytest.mark.parametrize(("keep", "kept_from"), [(False, 85 * CHUNK), (True, 0)])
def test_old_silence_is_forgotten_but_no_speech(keep: bool, kept_from: int) -> None:
    backlog = Backlog(RATE)
    for n in range(100):
        backlog.push(bytes(2 * CHUNK))
        sent(backlog, float(n), keep=keep)
    backlog.push(bytes(2 * CHUNK))
    sent(backlog, 100.0, keep=keep)
    assert backlog.rewind() == kept_from


def test_speech_is_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT_S", 1.0)
    backlog = Backlog(RATE)
    backlog.push(numbered(0, 3000))
    sent(backlog)
    assert backlog.rewind() == 2000
    assert sent(backlog) == numbered(2000, 1000)


def test_g711_has_a_byte_a_sample() -> None:
    """Chunks last as long, and positions are the same."""
    backlog = Backlog(RATE, sample_bytes=1)
    backlog.push(bytes(range(200)))
    assert backlog.peek().pcm == bytes(range(CHUNK))
    assert sent(backlog) == bytes(range(200))
    backlog.push(b"odd")
    backlog.flush("here")
    assert sent(backlog) == b"odd<here>"
    assert backlog.sent_end == 203
    backlog.confirm(123)
    assert backlog.rewind(150) == 150
    assert sent(backlog) == bytes(range(150, 200)) + b"odd<here>"
    assert backlog.rewind() == 123


def test_confirmed_audio_is_not_sent_again() -> None:
    """Cut at the sample."""
    backlog = Backlog(RATE)
    backlog.push(numbered(0, 400))
    sent(backlog)
    backlog.confirm(123)
    assert backlog.rewind() == 123
    assert sent(backlog) == numbered(123, 277)


def test_what_lies_before_a_rewind_may_be_wanted_later() -> None:
    """By a new session, when the one that was resumed is lost for good."""
    backlog = Backlog(RATE)
    backlog.push(numbered(0, 400))
    sent(backlog)
    assert backlog.rewind(200) == 200
    assert sent(backlog) == numbered(200, 200)
    assert backlog.rewind() == 0
    assert sent(backlog) == numbered(0, 400)


def test_bytes_may_come_in_any_number() -> None:
    """Half a sample waits for its other half, whatever comes between."""
    backlog = Backlog(RATE)
    audio = numbered(0, 300)
    backlog.push(audio[:111])
    backlog.flush("a")
    backlog.push(audio[111:112])
    backlog.push(audio[112:])
    backlog.flush()
    assert sent(backlog) == audio[:110] + b"<a>" + audio[110:]


def test_flushes_are_sent_again_where_they_were() -> None:
    """Those without an answer; one whose silence is forgotten, before what is kept."""
    backlog = Backlog(RATE)
    backlog.push(numbered(0, 80))
    backlog.flush("a")
    backlog.push(numbered(80, 80))
    backlog.flush("b")
    backlog.flush("c")
    expected = numbered(0, 80) + b"<a>" + numbered(80, 80) + b"<b><c>"
    assert sent(backlog) == expected
    assert backlog.answered("b")
    assert not backlog.answered("b")
    backlog.rewind()
    assert sent(backlog) == numbered(0, 80) + b"<a>" + numbered(80, 80) + b"<c>"

    backlog.push(numbered(160, 2000))
    sent(backlog, now=limits.SILENCE_KEPT_S, keep=True)
    backlog.push(numbered(2160, CHUNK))
    sent(backlog, now=2 * limits.SILENCE_KEPT_S - 1, keep=False)
    assert backlog.rewind() == 160
    assert sent(backlog) == b"<a><c>" + numbered(160, 2040)
    assert backlog.rewind(160) == 160, "the next resume begins here, and finds them"
    assert sent(backlog) == b"<a><c>" + numbered(160, 2040)


def test_pace_is_bounded_and_waits_for_finals() -> None:
    pacer = Pacer(speed=10)
    pacer.begin(100.0)
    assert pacer.delay(100.0, 0) <= 0
    pacer.sent(1.0, 100.0)
    assert pacer.delay(100.0, 0) == pytest.approx(0.1)
    assert pacer.delay(100.0, MAX_UNANSWERED) == pytest.approx(1.0)
    assert pacer.delay(101.5, MAX_UNANSWERED) <= 0, "speech as it is spoken is never held back"
    pacer.slow_down()
    pacer.sent(1.0, 101.5)
    assert pacer.delay(101.5, 0) <= 0


def test_a_pause_is_not_made_up_for() -> None:
    """Nothing was spoken in it: what comes after it goes out in real time, too, while utterances wait."""
    pacer = Pacer(speed=10)
    pacer.begin(100.0)
    pacer.sent(5.0, 100.0)
    delays = []
    for _ in range(4):
        pacer.sent(1.0, 160.0)
        delays.append(pacer.delay(160.0, MAX_UNANSWERED))

    assert delays == pytest.approx([0.0, 1.0, 2.0, 3.0])


def test_pauses_double_up_to_a_limit_while_patience_lasts() -> None:
    retries = Retries(30.0, 0.0)
    retries.opened(0.0)
    now, pauses = 0.0, []
    while (pause := retries.lost(ConnectError(), now, chance=1.0)) is not None:
        pauses.append(pause)
        now += pause
    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pauses[-1] == LAST_PAUSE_S
    assert now <= 30 < now + LAST_PAUSE_S


def test_clients_that_were_lost_together_come_back_apart() -> None:
    pauses = [Retries(30.0, 0.0).lost(RefusedError("QUEUE_FULL", ""), 0.0, chance) for chance in (0.0, 0.5, 1.0)]
    assert pauses == pytest.approx([FIRST_PAUSE_S / 2, FIRST_PAUSE_S * 0.75, FIRST_PAUSE_S])


@pytest.mark.parametrize("good", ["answered", "steady"])
def test_a_good_session_gives_patience_back(good: str) -> None:
    retries = Retries(1.0, 0.0)
    retries.opened(0.0)
    if good == "answered":
        retries.answered()
    now = 10.0 if good == "answered" else STEADY_S + 0.1
    assert retries.lost(ConnectError(), now, 1.0) == FIRST_PAUSE_S
    assert retries.lost(ConnectError(), now + 1.0, 1.0) is None, "the next was none"


def test_what_is_not_tried_again() -> None:
    """A service never reached, what is refused for good, what is not the service; and nothing past the patience."""
    assert Retries(30.0, 0.0).lost(ConnectError(), 0.0, 1.0) is None
    assert Retries(30.0, 0.0).lost(RefusedError("UNAUTHORIZED", ""), 0.0, 1.0) is None
    assert Retries(30.0, 0.0).lost(ProtocolError(), 0.0, 1.0) is None
    assert Retries(0.0, 0.0).lost(RefusedError("QUEUE_FULL", ""), 0.0, 1.0) is None


def test_the_service_says_when_to_come_back() -> None:
    assert Retries(30.0, 0.0).lost(RefusedError("QUEUE_FULL", "", 3000), 0.0, 1.0) == 3.0
    assert Retries(2.0, 0.0).lost(RefusedError("QUEUE_FULL", "", 3000), 0.0, 1.0) is None
