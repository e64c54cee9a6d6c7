"""The session's life: start, end, what it takes from a client and when, one behaviour a test."""

import itertools
import json

import numpy as np
import pytest

from tests.core.session.fakes import FAST, Talk, transcript, with_vad
from transcription.core.capacity.admission import Refusal
from transcription.core.contract.jobs import Kind
from transcription.core.encodings import Encoding
from transcription.core.g711 import to_pcm
from transcription.core.protocol import (
    CloseCode,
    EndReason,
    Error,
    ErrorCode,
)
from transcription.core.session.complaints import BURST
from transcription.core.session.effects import (
    Admit,
    Close,
    DiscardAudio,
    RecordClosed,
)
from transcription.core.session.endpointing import WINDOW
from transcription.core.session.session import State


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


def test_a_sign_of_life_is_no_audio_in_the_wrong_place(talk: Talk) -> None:
    """Clients send them while they wait for the last finals, too."""
    early = Talk()
    early.take(early.session.receive_audio(b"", early.now))
    talk.windows(10, speaking=True)
    talk.text('{"type": "end_session"}')
    talk.take(talk.session.receive_audio(b"", talk.now))

    assert "error" not in early.kinds() + talk.kinds()


def test_a_frame_too_long_is_refused_and_no_final_spans_the_hole(talk: Talk) -> None:
    """What was said before it is a segment, what comes after it another."""
    talk.windows(10, speaking=True)
    talk.take(talk.session.receive_audio(bytes(FAST.max_frame_bytes + 2), talk.now))
    talk.windows(10, speaking=True)
    talk.text('{"type": "end_session"}')
    finals = [job for job in talk.jobs if job.kind is Kind.FINAL]

    assert "at most 131072" in next(message.message for message in talk.sent if isinstance(message, Error))
    assert [(job.segment_id, job.end) for job in finals] == [("seg-0001", 10 * WINDOW), ("seg-0002", 10 * WINDOW)]
    assert talk.session.audio_ms == 640


@pytest.mark.parametrize("before", [0, 1, 640, 641])
@pytest.mark.parametrize("more", [1, 2, 3])
def test_what_follows_a_refused_frame_is_read_in_its_phase(talk: Talk, before: int, more: int) -> None:
    """Samples that the client has cut anywhere are whole again after it, but for the one whose half was refused."""
    size = FAST.max_frame_bytes + more
    pcm = np.arange(before + size + 4000, dtype="<u2").tobytes()
    for begin, end in ((0, before), (before, before + size), (before + size, before + size + 4000)):
        talk.take(talk.session.receive_audio(pcm[begin:end], talk.now))
    talk.text('{"type": "flush"}')
    heard = b"".join(stored.pcm for stored in talk.stored if stored.segment_id == talk.stored[-1].segment_id)
    odd = (before + size) % 2

    assert talk.session.audio_ms == pytest.approx((before // 2 + (4000 - odd) // 2) / 16, abs=0.01)
    assert not heard or heard in pcm[before + size + odd :]


@pytest.mark.parametrize("sizes", [[1], [3], [1023, 1025], [1, 640], [2]])
def test_a_sample_may_be_split_over_frames(sizes: list[int]) -> None:
    """Half of it waits for the other half, over a flush too; nobody is told of what is no fault."""
    talk = Talk(with_vad(FAST, enabled=False))
    talk.start()
    pcm, at = np.arange(1, 3000, dtype="<i2").tobytes(), 0
    for size in itertools.cycle(sizes):
        talk.take(talk.session.receive_audio(pcm[at : at + size], talk.now))
        at += size
        if at >= len(pcm):
            break
        if at == 1023:
            talk.text('{"type": "flush"}')
    talk.text('{"type": "end_session"}')

    assert b"".join(effect.pcm for effect in talk.stored) == pcm
    assert not any(isinstance(message, Error) for message in talk.sent)


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
@pytest.mark.parametrize("sizes", [[1], [3], [1023, 1025]])
def test_a_byte_of_g711_is_a_sample(encoding: str, sizes: list[int]) -> None:
    """However the frames are cut, none waits for another; times and audio count samples."""
    talk = Talk(with_vad(FAST, enabled=False))
    talk.start(f'{{"encoding": "{encoding}"}}')
    raw, at = bytes(range(256)) * 20 + b"\x13", 0
    for size in itertools.cycle(sizes):
        talk.take(talk.session.receive_audio(raw[at : at + size], talk.now))
        at += size
        if at >= len(raw):
            break
    talk.text('{"type": "end_session"}')
    final = talk.final()

    assert b"".join(effect.pcm for effect in talk.stored) == to_pcm(raw, Encoding(encoding))
    assert talk.session.audio_ms == round(len(raw) / 16, 2)
    assert (final.start, final.end) == (0, len(raw))


def test_a_frame_of_g711_may_have_as_many_bytes_as_any() -> None:
    """Twice the samples."""
    talk = Talk()
    talk.start('{"encoding": "mulaw"}')
    talk.take(talk.session.receive_audio(bytes(FAST.max_frame_bytes), talk.now))
    assert talk.session.audio_ms == FAST.max_frame_bytes / 16
    talk.take(talk.session.receive_audio(bytes(FAST.max_frame_bytes + 1), talk.now))
    assert "at most 131072" in talk.sent[-1].message


def test_what_is_wrong_is_told_each_time_at_first_and_then_only_so_often() -> None:
    """The records count all of it."""
    talk = Talk()
    talk.start()
    for _ in range(500):
        talk.now += 0.001
        talk.text("nonsense")
    told = [message for message in talk.sent if isinstance(message, Error)]
    closed = talk.take(talk.session.cancel())[1]
    talk.now += 5

    assert BURST <= len(told) <= BURST + 1
    assert isinstance(closed, RecordClosed)
    assert closed.errors == 500


def test_too_long_text_is_an_error(talk: Talk) -> None:
    """It is not even parsed."""
    talk.text(" " * (FAST.max_frame_bytes + 1))

    assert "too long" in talk.sent[-1].message


def test_a_holder_that_may_not_go_on_is_told_and_what_it_said_is_answered(talk: Talk) -> None:
    """The error first, then the open speech's final, session_ended with reason error, close 1008."""
    talk.windows(6, speaking=True)
    talk.take(talk.session.revoke(ErrorCode.QUOTA_EXCEEDED, "spent", talk.now))
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
    assert talk.session.revoke(ErrorCode.QUOTA_EXCEEDED, "spent", talk.now) == []


def test_a_holder_that_may_not_go_on_cannot_start() -> None:
    """Before a session there is nothing to wait for."""
    talk = Talk()
    effects = talk.take(talk.session.revoke(ErrorCode.UNAUTHORIZED, "revoked", talk.now))
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
