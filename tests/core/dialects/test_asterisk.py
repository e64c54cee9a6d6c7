"""Asterisk's WebSocket channel, message by message."""

import json
from typing import Any

import pytest

from tests.core.dialects.messages import ENDED, STARTED, failed, final
from transcription.core.dialects.asterisk import AsteriskChannel, event
from transcription.core.dialects.dialect import Hangup, Notice, Reply, Step
from transcription.core.protocol import ErrorCode, StartConfig, StartSession

CHANNEL = "WebSocket/stt/0x7f3a440"
PLAIN = (
    f"MEDIA_START connection_id:stt channel:{CHANNEL} channel_id:1699.42 format:ulaw optimal_frame_size:160 ptime:20"
)
BEFORE = f"MEDIA_START connection_id:stt channel:{CHANNEL} format:alaw optimal_frame_size:160"
"""As versions wrote it that did not tell the channel's id."""
JSON = json.dumps(
    {
        "event": "MEDIA_START",
        "connection_id": "stt",
        "channel": CHANNEL,
        "channel_id": "1699.42",
        "format": "slin16",
        "optimal_frame_size": 640,
        "ptime": 20,
        "channel_variables": {"DIALEDPEERNUMBER": "stt/c(slin16)"},
    }
)


def started(frame: str, query: str = "") -> tuple[AsteriskChannel, Notice, StartSession]:
    dialect = AsteriskChannel(query, "id")
    assert not dialect.open()
    begins, starts = dialect.hear(frame)
    assert isinstance(begins, Notice)
    assert isinstance(starts, StartSession)
    return dialect, begins, starts


def told(*steps: Step) -> list[dict[str, Any]]:
    return [json.loads(step.text) for step in steps if isinstance(step, Notice)]


@pytest.mark.parametrize(
    ("frame", "query", "call", "encoding", "rate"),
    [
        (PLAIN, "", "1699.42", "mulaw", 8000),
        (JSON, "", "1699.42", "pcm_s16le", 16000),
        (BEFORE, "", CHANNEL, "alaw", 8000),
        (PLAIN, "call=1700.7&language=es", "1700.7", "mulaw", 8000),
    ],
)
def test_a_channel_starts_a_session(frame: str, query: str, call: str, encoding: str, rate: int) -> None:
    """In either form; named by the dial string, else by the channel."""
    _, begins, starts = started(frame, query)
    language = "es" if query else None

    assert starts == StartSession(
        session_id=f"{call}/id", config=StartConfig(encoding=encoding, sample_rate=rate, lang_code=language)
    )
    (message,) = told(begins)
    assert (message["type"], message["call"], message["channel"]) == ("stream_started", call, CHANNEL)
    assert begins.call == call


@pytest.mark.parametrize(
    ("form", "rate"),
    [("slin", 8000), ("slin12", 12000), ("slin24", 24000), ("slin32", 32000), ("slin44", 44100), ("slin48", 48000)],
)
def test_signed_linear_of_any_rate_is_heard(form: str, rate: int) -> None:
    config = started(PLAIN.replace("ulaw", form))[2].config

    assert (config.encoding, config.sample_rate) == ("pcm_s16le", rate)


def test_media_is_audio() -> None:
    dialect, _, _ = started(PLAIN)

    assert dialect.hear(b"\x7f" * 160) == [b"\x7f" * 160]
    assert [len(step) for step in dialect.hear(bytes(40_000))] == [32_000, 8_000]


@pytest.mark.parametrize(
    ("frame", "query", "names"),
    [
        (PLAIN.replace("ulaw", "opus"), "", "format"),
        (PLAIN.replace("format:ulaw ", ""), "", "format"),
        (PLAIN, "min_silence_ms=soon", "min_silence_ms"),
        (PLAIN, "call=a%20b", "call"),
        (PLAIN, f"call={'a' * 81}", "call"),
        ("MEDIA_START format:ulaw", "", "call"),
        (JSON.replace("slin16", "g722"), "", "format"),
        (b"\x7f" * 160, "", "MEDIA_START"),
    ],
)
def test_what_cannot_be_served_hangs_the_channel_up(frame: str | bytes, query: str, names: str) -> None:
    """By Asterisk's own command, in the form it speaks; the close says why."""
    dialect = AsteriskChannel(query, "id")
    command, hangup = dialect.hear(frame)

    assert command == Reply('{"command":"HANGUP"}' if frame == JSON.replace("slin16", "g722") else "HANGUP")
    assert isinstance(hangup, Hangup)
    assert hangup.code == 1008
    assert names in hangup.reason
    assert dialect.hear(PLAIN) == []


@pytest.mark.parametrize(("frame", "command"), [(PLAIN, "HANGUP"), (JSON, '{"command":"HANGUP"}')])
def test_a_session_that_is_not_admitted_hangs_the_channel_up(frame: str, command: str) -> None:
    dialect, _, _ = started(frame)
    hang_up, error, ended, hangup = dialect.tell(failed(ErrorCode.QUEUE_CONGESTION))

    assert hang_up == Reply(command)
    assert [message["type"] for message in told(error, ended)] == ["error", "stream_ended"]
    assert hangup == Hangup(1013, "No luck")
    assert dialect.hear(b"\x7f" * 160) == []


def test_a_session_that_ends_before_the_start_hangs_up() -> None:
    assert AsteriskChannel("", "id").tell(failed())[-1] == Hangup(1008, "No luck")


def test_nothing_is_said_to_the_channel_itself() -> None:
    """It would warn of each transcript in its log."""
    dialect, _, _ = started(PLAIN)
    steps = [step for message in (STARTED, final("Bom dia."), ENDED) for step in dialect.tell(message)]

    assert [message["type"] for message in told(*steps)] == [
        "session_started", "final_transcript", "session_ended", "stream_ended",
    ]  # fmt: skip
    assert all(isinstance(step, Notice) for step in steps)


@pytest.mark.parametrize(
    "frame",
    ["DTMF_END digit:5 channel_id:1699.42", '{"event":"DTMF_END","channel_id":"1699.42","digit":"5"}'],
)
def test_a_key_is_told(frame: str) -> None:
    dialect, _, _ = started(PLAIN)

    assert told(*dialect.hear(frame)) == [{"type": "dtmf", "session_id": "1699.42/id", "digit": "5"}]


@pytest.mark.parametrize(
    "frame",
    [
        "MEDIA_XOFF",
        "MEDIA_XON",
        "QUEUE_DRAINED",
        "MEDIA_BUFFERING_COMPLETED x",
        "MEDIA_MARK_PROCESSED",
        "STATUS channel_id:1 queue_length:0",
        "ERROR channel_id:1 error_text:no",
        PLAIN,
        "",
        "{",
        "[" * 5_000,
        "{" * 5_000,
        '{"event": 7}',
        '{"digit": "5"}',
    ],
)
def test_other_events_are_ignored(frame: str) -> None:
    dialect, _, _ = started(PLAIN)

    assert dialect.hear(frame) == []
    assert dialect.hear(b"x") == [b"x"]


def test_a_value_may_have_a_colon() -> None:
    assert event("MEDIA_START channel:a:b x") == {"event": "MEDIA_START", "channel": "a:b"}
