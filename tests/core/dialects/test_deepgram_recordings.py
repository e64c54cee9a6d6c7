"""Deepgram's API for recordings, without a server."""

import json
from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace

from tests.core.dialects.messages import final
from transcription.core.dialects.deepgram_files import DeepgramRecording
from transcription.core.dialects.dialect import Refused
from transcription.core.dialects.recordings import REMOTE, Answer, Asked, Fetch, Samples
from transcription.core.protocol import Entity, ErrorCode, FinalTranscript, StartConfig, StartSession, Word

JSON = "application/json"


def asked(query: str = "", content_type: str = "audio/wav", *, fetches: bool = True) -> DeepgramRecording:
    return DeepgramRecording(
        Asked(
            request_id="id",
            content_type=content_type,
            language="pt",
            query=query,
            at="2026-11-26T12:00:00.000+00:00",
            fetches=fetches,
        )
    )


def answered(query: str, *finals: FinalTranscript, audio_s: float = 9.0) -> dict[str, Any]:
    recording = asked(query)
    recording.open()
    recording.hear(b"abc")
    for one in finals:
        assert recording.tell(one) == ""
    answer = recording.answer(audio_s)
    assert isinstance(answer, Answer)
    assert dict(answer.headers) == {"dg-request-id": "id"}
    return json.loads(answer.body)


def test_a_recording_starts_its_session_at_once() -> None:
    """What it is made of is told besides; a container that the bytes show counts more."""
    recording = asked("language=pt-BR&encoding=mulaw&sample_rate=8000&channels=2&redact=pci&smart_format=true")
    config = StartConfig(
        lang_code="pt",
        encoding="pcm_s16le",
        partial_results=False,
        word_timestamps=True,
        format="pt-BR",
        redact=["card"],
    )

    assert recording.open() == [StartSession(config=config)]
    assert recording.samples == Samples("mulaw", 8000, 2)
    assert recording.hear(b"abc") == [b"abc"]
    assert recording.end() == []


@pytest.mark.parametrize("query", ["", "encoding=linear16", "encoding=opus&sample_rate=48000", "sample_rate=8000"])
def test_without_both_parameters_it_has_a_container(query: str) -> None:
    recording = asked(query)
    recording.open()

    assert recording.samples is None


def test_json_names_a_recording_to_be_fetched_once_the_session_is_there() -> None:
    recording = asked("language=es", f"{JSON}; charset=utf-8")

    assert recording.open() == []
    assert recording.hear(b'{"url": "https://') == []
    assert recording.hear(b'a.example/b.mp3", "more": 1}') == []
    start, fetch = recording.end()
    assert start.config.lang_code == "es"
    assert fetch == Fetch("https://a.example/b.mp3")
    assert recording.hear(b"abc") == [b"abc"]
    assert json.loads(recording.answer(0.0).body)["metadata"]["sha256"] == sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"url": null}',
        b'{"url": "file:///etc/passwd"}',
        b"\xff",
        b'{"url": "http://%s"}' % (b"a" * 9000),
    ],
)
def test_json_that_names_none(body: bytes) -> None:
    recording = asked("", JSON)
    recording.open()
    recording.hear(body)
    with pytest.raises(Refused) as refused:
        recording.end()

    assert refused.value.status == 400
    assert "url" in str(refused.value.body["err_msg"])


def test_json_is_bounded() -> None:
    recording = asked("", JSON)
    recording.open()
    recording.hear(b" " * 16_000)
    with pytest.raises(Refused) as refused:
        recording.hear(b" " * 400)

    assert refused.value.status == 413


def test_a_server_that_fetches_nothing_says_so_before_the_body_is_read() -> None:
    with pytest.raises(Refused) as refused:
        asked("", JSON, fetches=False).open()

    assert refused.value.status == 400
    assert "STT_FETCH_URLS" in str(refused.value.body["err_msg"])


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("encoding=g729", "encoding: expected one of linear16"),
        ("encoding=mulaw&sample_rate=7999", "sample_rate: expected a whole number from 8000 to 48000"),
        ("encoding=mulaw&sample_rate=8000.5", "sample_rate: expected a whole number"),
        ("sample_rate=x", "sample_rate: expected a number"),
        ("detect_language=pt&detect_language=xx", "detect_language: expected language codes"),
        ("channels=0", "channels: expected 1 to 8"),
        ("channels=1.5", "channels: expected 1 to 8"),
        ("callback=https://a.example", "callback: not supported"),
        ("multichannel=True&channels=3", "channels: expected 2"),
    ],
)
def test_a_bad_parameter_is_named(query: str, named: str) -> None:
    with pytest.raises(Refused) as refused:
        asked(query).open()

    assert refused.value.body == {
        "err_code": "Bad Request",
        "err_msg": refused.value.body["err_msg"],
        "request_id": "id",
    }
    assert str(refused.value.body["err_msg"]).startswith(named)


def test_the_answer() -> None:
    told = answered("tag=a&tag=b", final("Bom dia."), final("", start_ms=3000.0), final("Tudo bem?", start_ms=5000.0))

    assert told["metadata"] == {
        "transaction_key": "deprecated",
        "request_id": "id",
        "sha256": sha256(b"abc").hexdigest(),
        "created": "2026-11-26T12:00:00.000+00:00",
        "duration": 9.0,
        "channels": 1,
        "models": ["id"],
        "model_info": {"id": {"name": "whisper", "version": "", "arch": "whisper"}},
        "tags": ["a", "b"],
    }
    assert told["results"] == {
        "channels": [
            {
                "alternatives": [
                    {
                        "transcript": "Bom dia. Tudo bem?",
                        "confidence": 0.9,
                        "words": [
                            {"word": "bom", "start": 1.1, "end": 1.2, "confidence": 0.9, "punctuated_word": "Bom"},
                            {"word": "dia", "start": 1.2, "end": 1.3, "confidence": 0.9, "punctuated_word": "dia."},
                            {"word": "tudo", "start": 5.1, "end": 5.2, "confidence": 0.9, "punctuated_word": "Tudo"},
                            {"word": "bem", "start": 5.2, "end": 5.3, "confidence": 0.9, "punctuated_word": "bem?"},
                        ],
                    }
                ]
            }
        ]
    }


def test_utterances_are_segments() -> None:
    told = answered("utterances=true", final("Bom dia."), final("Oi", start_ms=4000.0))
    first, second = told["results"]["utterances"]

    assert first == {
        "start": 1.0,
        "end": 2.0,
        "confidence": 0.9,
        "channel": 0,
        "transcript": "Bom dia.",
        "words": told["results"]["channels"][0]["alternatives"][0]["words"][:2],
        "id": "id-0",
    }
    assert (second["start"], second["id"]) == (4.0, "id-1")


def test_paragraphs_are_parted_by_pauses_and_after_five_sentences() -> None:
    finals = [
        final("Um. Dois. Três"),
        final("quatro. Cinco. Seis. Sete.", start_ms=2000.0),
        final("Oito", start_ms=9000.0),
    ]
    told = answered("paragraphs=true", *finals)["results"]["channels"][0]["alternatives"][0]["paragraphs"]
    first, second, third = told["paragraphs"]

    assert told["transcript"] == "Um. Dois. Três quatro. Cinco.\n\nSeis. Sete.\n\nOito"
    assert [one["text"] for one in first["sentences"]] == ["Um.", "Dois.", "Três", "quatro.", "Cinco."]
    assert (first["num_words"], first["start"], first["end"]) == (5, 1.1, 2.3)
    assert first["sentences"][0] == {"text": "Um.", "start": 1.1, "end": 1.2}
    assert (second["num_words"], third["num_words"]) == (2, 1)


def test_a_segment_without_word_times_is_a_sentence() -> None:
    told = answered("paragraphs=true", replace(final("Bom dia. Tudo bem?"), words=[]))
    (paragraph,) = told["results"]["channels"][0]["alternatives"][0]["paragraphs"]["paragraphs"]

    assert paragraph["sentences"] == [{"text": "Bom dia. Tudo bem?", "start": 1.0, "end": 2.0}]
    assert paragraph["num_words"] == 4


def test_formatted_words() -> None:
    """An entity's are one."""
    said = [Word(word=word, start=n, end=n + 0.5, probability=0.9) for n, word in enumerate(("São", "vinte", "reais."))]
    entity = Entity(type="money", text="R$ 20", value="20.00", start=4, end=9, spoken_start=4, spoken_end=15)
    formatted = replace(final("São vinte reais."), words=said, text_formatted="São R$ 20.", entities=[entity])
    told = answered("smart_format=true", formatted)["results"]["channels"][0]["alternatives"][0]

    assert told["transcript"] == told["paragraphs"]["transcript"] == "São R$ 20."
    assert [word["punctuated_word"] for word in told["words"]] == ["São", "R$ 20."]


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (401, "invalid_api_key", (401, "INVALID_AUTH")),
        (429, ErrorCode.QUOTA_EXCEEDED, (402, "ASR_PAYMENT_REQUIRED")),
        (429, ErrorCode.MAX_SESSIONS_REACHED, (429, "TOO_MANY_REQUESTS")),
        (503, ErrorCode.QUEUE_CONGESTION, (503, "SERVICE_UNAVAILABLE")),
        (500, ErrorCode.INFERENCE_ERROR, (500, "INFERENCE_ERROR")),
        (500, "", (500, "INTERNAL_ERROR")),
        (400, REMOTE, (400, "REMOTE_CONTENT_ERROR")),
    ],
)
def test_errors_have_deepgram_s_codes(status: int, code: str, told: tuple[int, str]) -> None:
    refused = asked().refuse(status, "Não", code, 1500)

    assert (refused.status, refused.body["err_code"]) == told
    assert dict(refused.headers)["retry-after"] == "2"
    assert dict(refused.headers)["retry-after-ms"] == "1500"
