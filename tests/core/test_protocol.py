"""Reading and writing messages."""

import json

import pytest

from transcription.core import protocol
from transcription.core.config import SessionConfig
from transcription.core.encodings import Encoding
from transcription.core.languages import normalise_language
from transcription.core.protocol import (
    Cancel,
    EndSession,
    Error,
    ErrorCode,
    Flush,
    ProtocolError,
    StartSession,
    decode,
    encode,
)
from transcription.core.session.options import merge


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "start_session"}', StartSession()),
        ('{"type": "start_session", "session_id": "my-session", "config": {}}', StartSession(session_id="my-session")),
        ('{"type": "flush"}', Flush()),
        ('{"type": "end_session"}', EndSession()),
        ('{"type": "cancel"}', Cancel()),
    ],
)
def test_client_messages_are_read(text: str, message: object) -> None:
    """Each type, with and without its optional fields."""
    assert decode(text) == message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("olá", "JSON"),
        ("", "JSON"),
        ("[1]", "object"),
        ("{}", "type"),
        ('{"type": "sing"}', "one of `start_session`, .*, got 'sing'"),
        ('{"type": "flush", "now": true}', "now"),
        ('{"type": "start_session", "session_id": 7}', "session_id"),
        ('{"type": "start_session", "session_id": ""}', "session_id"),
        ('{"type": "start_session", "session_id": "a b"}', "printable ASCII .*session_id"),
        ('{"type": "start_session", "config": {"format": "pt"}}', "one of `pt-BR`, `off`, got 'pt' .*config.format"),
        ('{"type": "configure", "turn_mode": "auto "}', "one of `auto`, .*, got 'auto ' .*turn_mode"),
        ('{"type": "start_session", "config": {"keyterms": ["a", "12"]}}', r"with a letter .*keyterms\[1\]"),
        ('{"type": "start_session", "config": {"lang": "pt"}}', "lang"),
        ('{"type": "start_session", "config": {"lang_code": "klingon"}}', "lang_code"),
        ('{"type": "start_session", "config": {"sample_rate": "16000"}}', "sample_rate"),
        ('{"type": "start_session", "config": {"sample_rate": 7999}}', "sample_rate"),
        ('{"type": "start_session", "config": {"encoding": "opus"}}', "encoding: .*`mulaw`, `alaw`, got `opus`"),
        ('{"type": "start_session", "config": {"encoding": "MULAW"}}', "encoding"),
        ('{"type": "start_session", "config": {"encoding": 7}}', "encoding"),
        ('{"type": "start_session", "config": {"vad_threshold": 1.5}}', "vad_threshold"),
        ('{"type": "start_session", "config": {"vad_enabled": 1}}', "vad_enabled"),
        ('{"type": "start_session", "config": {"partial_results": null, "word_timestamps": "yes"}}', "word_timestamps"),
        ('{"type": "start_session", "config": {"sample_rate": 16000.5}}', "sample_rate"),
        ('{"type": "start_session", "session_id": "a\\n"}', "session_id"),
        (f'{{"type": "start_session", "session_id": "{"a" * 128}\\n"}}', "session_id"),
        ('{"type": "flush"} {"type": "flush"}', "JSON"),
        ('{"type": "\\ud800"}', "JSON"),
    ],
)
def test_what_is_wrong_is_named(text: str, named: str) -> None:
    """The error names the field, or what was expected."""
    with pytest.raises(ProtocolError, match=named):
        decode(text)


@pytest.mark.parametrize(
    "text",
    [
        f'{{"type": "flush", "{"x" * 100_000}": 1}}',
        f'{{"type": "{"y" * 100_000}"}}',
        f'{{"type": "start_session", "config": {{"{"z" * 100_000}": 1}}}}',
        f'{{"type": "start_session", "config": {{"lang_code": "{"w" * 100_000}"}}}}',
        f'{{"type": "start_session", "config": {{"format": "{"v" * 100_000}"}}}}',
    ],
    ids=["field", "type", "option", "value", "choice"],
)
def test_what_a_client_wrote_is_quoted_in_part(text: str) -> None:
    """Enough of it to be recognised."""
    with pytest.raises(ProtocolError) as raised:
        decode(text)

    assert len(str(raised.value)) < 200


def test_a_whole_number_may_be_written_as_a_float() -> None:
    """JSON knows no difference."""
    message = decode('{"type": "start_session", "config": {"sample_rate": 16000.0}}')

    assert merge(SessionConfig(), message).sample_rate == 16_000


def test_an_optional_field_may_be_null() -> None:
    """As if it were left out."""
    message = decode('{"type": "start_session", "session_id": null, "resume": null, "last_segment_id": null}')

    assert not message.resume


@pytest.mark.parametrize(
    ("asked", "encoding"),
    [("{}", "pcm_s16le"), ('{"encoding": null}', "pcm_s16le"), ('{"encoding": "alaw"}', "alaw")],
)
def test_samples_are_16_bit_unless_another_encoding_is_asked_for(asked: str, encoding: str) -> None:
    message = decode(f'{{"type": "start_session", "config": {asked}}}')

    assert merge(SessionConfig(), message).encoding is Encoding(encoding)


def test_an_error_leaves_out_what_does_not_apply() -> None:
    """segment_id and retry_after_ms appear only where they mean something."""
    error = Error(code=ErrorCode.QUEUE_FULL, message="Queue full: 20/20", session_id="s")

    assert json.loads(encode(error)) == {
        "type": "error",
        "code": "QUEUE_FULL",
        "message": "Queue full: 20/20",
        "session_id": "s",
    }


@pytest.mark.parametrize(
    ("tag", "code"), [("pt", "pt"), ("pt-BR", "pt"), ("PT_br", "pt"), ("yue", "yue"), ("xx", None), ("", None)]
)
def test_language_tags_become_whisper_codes(tag: str, code: str | None) -> None:
    """Regions and case do not matter."""
    assert normalise_language(tag) == code


def test_error_codes_are_those_of_the_contract_and_two_for_api_keys() -> None:
    """No code is lost or renamed."""
    assert {code.value for code in protocol.ErrorCode} - {"UNAUTHORIZED", "QUOTA_EXCEEDED"} == {
        "INVALID_MESSAGE",
        "SESSION_EXISTS",
        "MAX_SESSIONS_REACHED",
        "QUEUE_FULL",
        "QUEUE_CONGESTION",
        "INFERENCE_ERROR",
        "INTERNAL_ERROR",
    }
