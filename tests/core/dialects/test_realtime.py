"""OpenAI's Realtime API, where a session is refused or broken off; `test_traces.py` has what always holds."""

import base64
import json
from typing import Any

import pytest

from tests.core.dialects.messages import STARTED, TIMING, failed, final
from transcription.core.dialects.dialect import Hangup, Reply
from transcription.core.dialects.realtime import OpenAIRealtime
from transcription.core.protocol import ErrorCode, Flush, PartialTranscript, ServerMessage, StartSession

UPDATE = '{"type": "session.update", "session": {"type": "transcription"}}'


def told(*messages: ServerMessage) -> list[Any]:
    """What follows an update and these messages: events, and what closes the connection."""
    realtime = OpenAIRealtime("intent=transcription", "id")
    realtime.open()
    realtime.hear(UPDATE)
    steps = [step for message in messages for step in realtime.tell(message)]
    return [json.loads(step.text) if isinstance(step, Reply) else step for step in steps]


@pytest.mark.parametrize("code", [ErrorCode.MAX_SESSIONS_REACHED, ErrorCode.QUEUE_CONGESTION, ErrorCode.QUEUE_FULL])
def test_a_refusal_that_passes_is_told_by_the_close(code: ErrorCode) -> None:
    """With why. After an `error` LiveKit's plugin would not come back."""
    assert told(failed(code)) == [Hangup(1013, "No luck")]


@pytest.mark.parametrize("code", [ErrorCode.QUOTA_EXCEEDED, ErrorCode.UNAUTHORIZED])
def test_one_that_does_not_is_an_error_too(code: ErrorCode) -> None:
    error, close = told(failed(code))

    assert (error["type"], error["error"]["code"]) == ("error", str(code).lower())
    assert close == Hangup(1008, "No luck")


def test_a_session_that_is_broken_off_is_told_by_its_close() -> None:
    """Which the session sends: 1011, or 1012 where the server is restarted."""
    assert told(STARTED, failed(ErrorCode.INTERNAL_ERROR)) == []


def test_what_is_wrong_in_mid_session_is_an_error() -> None:
    (error,) = told(STARTED, failed(ErrorCode.UNAUTHORIZED))

    assert error["type"] == "error"


def test_keywords_are_listened_for() -> None:
    """What a session would not take is left out."""
    asked = {"audio": {"input": {"transcription": {"model": "m", "keywords": ["Sicoob", 12, "Conta Fácil"]}}}}
    realtime = OpenAIRealtime("intent=transcription", "id")
    realtime.open()
    start, *_ = realtime.hear(json.dumps({"type": "session.update", "session": {"type": "transcription"} | asked}))

    assert isinstance(start, StartSession)
    assert start.config.keyterms == ["Sicoob", "Conta Fácil"]


def test_deltas_of_a_long_commit_wait_for_the_text_before_them() -> None:
    """A part of it that was cut for its length may be decoded after partials of the next."""
    realtime = OpenAIRealtime("intent=transcription", "id")
    realtime.open()
    realtime.hear(UPDATE[:-2] + ', "audio": {"input": {"turn_detection": null}}}}')
    partial = PartialTranscript(
        session_id="s", segment_id="seg-0002", text="depois.", confidence=0.8, stable_text="depois.",
        speculative=False, audio_end_ms=1500.0, timing=TIMING,
    )  # fmt: skip
    steps = [step for m in (STARTED, partial, final("Primeiro,"), partial) for step in realtime.tell(m)]
    deltas = [json.loads(step.text)["delta"] for step in steps if isinstance(step, Reply)]

    assert deltas == ["Primeiro,", " depois."]


@pytest.mark.parametrize(
    ("given", "code", "languages"),
    [({"languages": ["pt", "es"]}, "auto", ["pt", "es"]), ({"languages": ["es"]}, "es", None), ({}, None, None)],
)
def test_a_session_s_languages(given: dict[str, Any], code: str | None, languages: list[str] | None) -> None:
    realtime = OpenAIRealtime("intent=transcription", "id")
    realtime.open()
    session = {"type": "transcription", "audio": {"input": {"transcription": given}}}
    start, *_ = realtime.hear(json.dumps({"type": "session.update", "session": session}))

    assert isinstance(start, StartSession)
    assert (start.config.lang_code, start.config.languages) == (code, languages)


def update(**given: Any) -> str:
    return json.dumps({"type": "session.update", "session": {"type": "transcription", "audio": {"input": given}}})


BETA = json.dumps({"type": "transcription_session.update", "session": {"input_audio_noise_reduction": None}})


@pytest.mark.parametrize("later", [update(transcription={"model": "n", "language": "en"}), UPDATE, BETA])
def test_what_a_later_update_does_not_name_is_as_it_was(later: str) -> None:
    """It is no other format, and the answer says what the session goes by."""
    realtime = OpenAIRealtime("intent=transcription", "id")
    realtime.open()
    given = {"format": {"type": "audio/pcm", "rate": 16_000}, "turn_detection": None}
    start, first = realtime.hear(update(**given, transcription={"model": "m", "language": "pt"}))
    (answer,) = realtime.hear(later)

    assert isinstance(start, StartSession) and isinstance(first, Reply) and isinstance(answer, Reply)
    session = json.loads(answer.text)["session"]
    heard = session.get("input_audio_transcription") or session["audio"]["input"]["transcription"]
    assert heard == {"model": "m", "language": "pt", "prompt": ""}
    if later != BETA:
        assert session == json.loads(first.text)["session"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"format": {"type": "audio/pcm", "rate": 96_000}}, "Expected `float` <= 48000.0 - at `format.rate`"),
        ({"turn_detection": {"type": "server_vad", "threshold": 9}}, "at `turn_detection.threshold`"),
        (
            {"turn_detection": {"type": "none"}},
            "turn_detection: expected server_vad or semantic_vad, or null, got",
        ),
        ({"format": "mp3"}, "format: expected one of audio/pcm, audio/pcmu, audio/pcma, got `mp3`"),
    ],
)
def test_what_is_wrong_has_the_client_s_name(given: dict[str, Any], message: str) -> None:
    realtime = OpenAIRealtime("intent=transcription", "id")
    realtime.open()
    (answer,) = realtime.hear(update(**given))

    assert isinstance(answer, Reply)
    assert message in json.loads(answer.text)["error"]["message"]
    assert isinstance(realtime.hear(UPDATE)[0], StartSession)


def test_what_is_cleared_before_the_session_has_started_is_only_what_was_not_committed() -> None:
    realtime = OpenAIRealtime("intent=transcription", "id")
    realtime.open()
    realtime.hear(update(turn_detection=None))
    for audio in (b"a" * 9_600, b"b" * 4_800):
        realtime.hear(json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()}))
        realtime.hear('{"type": "input_audio_buffer.%s"}' % ("commit" if audio[0] == ord("a") else "clear"))

    assert realtime.tell(STARTED) == [b"a" * 9_600, Flush(flush_id="flush-1")]
