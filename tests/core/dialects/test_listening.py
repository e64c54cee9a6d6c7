"""What a listener passes on, and when it is over."""

import json

from transcription.core.dialects.listening import Hearing


def text(kind: str) -> str:
    return json.dumps({"type": kind})


def test_what_is_written_twice_is_heard_once() -> None:
    """Each session counts for itself."""
    hearing = Hearing()

    assert [hearing.is_new(session, number, text("error")) for session, number in (("a", 1), ("a", 1), ("b", 1))] == [
        True, False, True,
    ]  # fmt: skip


def test_it_is_over_when_every_stream_has_ended() -> None:
    """One that was not admitted ends, too."""
    hearing = Hearing()
    assert not hearing.begun
    assert not hearing.over
    hearing.is_new("a", 1, text("stream_started"))
    hearing.is_new("b", 2, text("stream_started"))
    hearing.is_new("b", 3, text("session_started"))
    hearing.is_new("a", 4, text("stream_ended"))
    assert hearing.admitted == {"b"}
    assert not hearing.over
    hearing.is_new("b", 5, text("stream_ended"))

    assert hearing.begun
    assert hearing.over
    assert hearing.admitted == set()
