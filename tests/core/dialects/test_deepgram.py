"""Deepgram's live API, message by message."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.core.dialects.messages import ENDED, STARTED, failed, final, partial, speech
from transcription.core.dialects.deepgram import DeepgramLive
from transcription.core.dialects.dialect import Hangup, Refused, Reply, Unpack
from transcription.core.dialects.flux import DeepgramFlux
from transcription.core.protocol import (
    EndSession,
    Entity,
    ErrorCode,
    Flush,
    ServerMessage,
    StartConfig,
    StartSession,
)

ALL = "interim_results=True&vad_events=true&utterance_end_ms=1000&encoding=linear16&sample_rate=8000&channels=1"


def opened(query: str = ALL) -> DeepgramLive:
    dialect = DeepgramLive(query, "id")
    dialect.open()
    return dialect


def told(dialect: DeepgramLive, *messages: ServerMessage) -> list[dict[str, Any]]:
    steps = [step for message in messages for step in dialect.tell(message)]
    return [json.loads(step.text) for step in steps if isinstance(step, Reply)]


def test_an_utterance() -> None:
    begins, interim, results = told(
        opened(), STARTED, speech("speech_start", 1100), partial("Bom"), speech("speech_end", 1600), final("Bom dia.")
    )

    assert begins == {"type": "SpeechStarted", "channel": [0], "timestamp": 1.1}
    assert (interim["is_final"], interim["start"], interim["duration"]) == (False, 0.0, 1.5)
    assert results == {
        "type": "Results",
        "channel_index": [0, 1],
        "start": 0.0,
        "duration": 2.0,
        "is_final": True,
        "speech_final": True,
        "channel": {
            "alternatives": [
                {
                    "transcript": "Bom dia.",
                    "confidence": 0.9,
                    "words": [
                        {"word": "bom", "start": 1.1, "end": 1.2, "confidence": 0.9, "punctuated_word": "Bom"},
                        {"word": "dia", "start": 1.2, "end": 1.3, "confidence": 0.9, "punctuated_word": "dia."},
                    ],
                }
            ]
        },
        "metadata": {
            "request_id": "id",
            "model_info": {"name": "whisper", "version": "", "arch": "whisper"},
            "model_uuid": "id",
        },
        "from_finalize": False,
    }


def test_only_what_is_asked_for_is_told() -> None:
    messages = [speech("speech_start", 1100), partial("Bom"), speech("speech_end", 1600), final("Bom dia.")]

    assert [message["type"] for message in told(opened(""), *messages)] == ["Results"]


def test_the_utterance_end_comes_by_the_audio_s_clock() -> None:
    """A second after the last word, once; not while somebody speaks."""
    dialect = opened()
    told(dialect, speech("speech_start", 1100), speech("speech_end", 1600), final("Bom dia."))
    audio = [step for _ in range(22) for step in dialect.hear(bytes(1600))]  # 2.2 s at 8 kHz
    (end,) = [step for _ in range(2) for step in dialect.hear(bytes(1600)) if isinstance(step, Reply)]

    assert all(isinstance(step, bytes) for step in audio)
    assert json.loads(end.text) == {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.3}


def config_of(query: str) -> StartConfig:
    *_, step = DeepgramLive(query, "id").open()
    assert isinstance(step, StartSession)
    return step.config


@pytest.mark.parametrize("query", ["smart_format=true", "numerals=True", "smart_format=false&numerals=true"])
def test_finals_are_formatted_if_asked(query: str) -> None:
    """The words of an entity are one, so that the words joined are the transcript."""
    said = replace(
        final("são cento e vinte reais."),
        text_formatted="são R$ 120.",
        entities=[Entity(type="money", text="R$ 120", value="120", start=4, end=10, spoken_start=4, spoken_end=23)],
    )
    (results,) = told(opened(query), said)
    (heard,) = results["channel"]["alternatives"]

    assert config_of(query).format == "pt-BR"
    assert heard["transcript"] == "são R$ 120."
    assert heard["words"][1:] == [
        {"word": "r$ 120", "start": 1.2, "end": 1.6, "confidence": 0.9, "punctuated_word": "R$ 120."}
    ]


@pytest.mark.parametrize("query", ["", "smart_format=false&numerals=False"])
def test_finals_are_as_said_unless_asked(query: str) -> None:
    """Whatever the service's default is."""
    said = replace(final("dez reais"), text_formatted="R$ 10", entities=[])
    (results,) = told(opened(query), said)

    assert config_of(query).format is None
    assert results["channel"]["alternatives"][0]["transcript"] == "dez reais"


def test_a_language_without_rules_is_told_as_said() -> None:
    (results,) = told(opened("smart_format=true&language=en"), final("Ten."))

    assert results["channel"]["alternatives"][0]["transcript"] == "Ten."


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("redact=pci", {"card"}),
        ("redact=pci&redact=email_address", {"card", "email"}),
        ("redact=numbers,pii", {"cpf", "card", "phone", "email"}),
        ("redact=True", {"cpf", "card", "phone"}),
        ("redact=false", set()),
        ("redact=ssn&redact=phi", set()),
        ("", set()),
    ],
)
def test_what_is_to_be_redacted_is_asked_of_the_session(query: str, kinds: set[str]) -> None:
    """As far as the kinds match; in Flux too."""
    *_, flux = DeepgramFlux(query, "id").open()
    assert isinstance(flux, StartSession)

    assert set(config_of(query).redact or ()) == set(flux.config.redact or ()) == kinds


def test_speech_that_goes_on_owes_no_utterance_end() -> None:
    dialect = opened()
    told(dialect, speech("speech_start", 1100), speech("speech_end", 1600), final("Bom dia."))
    told(dialect, speech("speech_start", 2100, 2))

    assert all(isinstance(step, bytes) for _ in range(50) for step in dialect.hear(bytes(1600)))


def test_an_utterance_cut_for_its_length_is_final_and_speech_goes_on() -> None:
    first, second = told(
        opened(), final("Primeiro,"), speech("speech_end", 2900, 2), final("depois.", segment=2, start_ms=2000)
    )

    assert (first["is_final"], first["speech_final"]) == (True, False)
    assert (second["start"], second["speech_final"]) == (2.0, True)


def test_finalize_is_always_answered() -> None:
    """Also in silence, and when the segment failed."""
    dialect = opened()
    assert dialect.hear('{"type": "Finalize"}') == [Flush(flush_id="finalize-1")]
    (empty,) = told(dialect, final("", flush_id="finalize-1"))
    error, instead = told(dialect, failed(segment_id="seg-0001", flush_id="finalize-2"))

    assert (empty["from_finalize"], empty["is_final"], empty["channel"]["alternatives"][0]["transcript"]) == (
        True,
        True,
        "",
    )
    assert (error["type"], error["variant"]) == ("Error", "INFERENCE_ERROR")
    assert (instead["from_finalize"], instead["is_final"]) == (True, True)


@pytest.mark.parametrize("last", ['{"type": "CloseStream"}', b""])
def test_the_stream_ends_with_metadata(last: str | bytes) -> None:
    dialect = opened()
    assert dialect.hear(last) == [EndSession()]

    (metadata,) = told(dialect, ENDED)
    assert (metadata["type"], metadata["duration"], metadata["request_id"]) == ("Metadata", 2.5, "id")


def test_the_rest() -> None:
    dialect = DeepgramLive(ALL + "&language=pt-BR&model=nova-3&keyterm=a&keyterm=b&unheard_of=1", "id")
    *_, start = dialect.open()

    assert isinstance(start, StartSession)
    assert (start.config.sample_rate, start.config.lang_code) == (8000, "pt")
    assert dialect.hear('{"type": "KeepAlive"}') == [b""]
    for nonsense in ("[]", "x", "{}", '{"type": "Dance"}', '{"type": null}', "\ud800"):
        (reply,) = dialect.hear(nonsense)
        assert isinstance(reply, Reply)
        assert json.loads(reply.text)["type"] == "Error"


def test_terms_are_listened_for() -> None:
    """What the session would not take is left out, and so is what is not wanted."""
    many = "".join(f"&keyterm=nome{n}x" for n in range(120))
    *_, start = DeepgramLive(
        "keywords=Sicoob:2&keywords=Unimed&keywords=sim:-5&keyterm=Conta%20F%C3%A1cil&keyterm=", "id"
    ).open()
    *_, full = DeepgramLive(many, "id").open()

    assert isinstance(start, StartSession) and isinstance(full, StartSession)
    assert start.config.keyterms == ["Conta Fácil", "Sicoob", "Unimed"]
    assert len(full.config.keyterms or ()) == 100


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_telephone_audio_is_passed_on(encoding: str) -> None:
    """As it is: the session decodes it."""
    *_, start = DeepgramLive(f"encoding={encoding}&sample_rate=8000", "id").open()

    assert isinstance(start, StartSession)
    assert (start.config.encoding, start.config.sample_rate) == (encoding, 8000)


@pytest.mark.parametrize("make", [DeepgramLive, DeepgramFlux])
def test_a_long_frame_is_passed_on_in_pieces(make: type[DeepgramLive | DeepgramFlux]) -> None:
    """A session takes 128 KiB at a time at most, and Deepgram's clients may send all they have."""
    dialect = make("encoding=linear16&sample_rate=16000", "id")
    dialect.open()
    audio = bytes(range(256)) * 3_000
    steps = [step for step in dialect.hear(audio) if isinstance(step, bytes)]

    assert b"".join(steps) == audio
    assert max(map(len, steps)) <= 131_072


@pytest.mark.parametrize(
    ("query", "otherwise"),
    [
        ("", "samples"),
        ("encoding=", "samples"),
        ("encoding=opus", "packets"),
        ("encoding=ogg-opus", "nothing"),
        ("encoding=flac", "nothing"),
    ],
)
@pytest.mark.parametrize("dialect", [DeepgramLive, DeepgramFlux])
def test_containers_are_to_be_unpacked(dialect: type[DeepgramLive], query: str, otherwise: str) -> None:
    """Into samples as the session is started with; what cannot be is an error, and the end."""
    speaks = dialect(f"{query}&sample_rate=24000", "id")
    unpack, start = speaks.open()
    assert isinstance(unpack, Unpack)
    assert isinstance(start, StartSession)
    reply, hangup = unpack.garbled("No audio")
    assert isinstance(reply, Reply)
    told = json.loads(reply.text)

    assert (unpack.rate, unpack.otherwise) == (24_000, otherwise)
    assert (start.config.encoding, start.config.sample_rate) == ("pcm_s16le", 24_000)
    assert hangup == Hangup(1008)
    assert (told["type"], told["description"]) == ("Error", "No audio")
    assert "DATA-0000" in (told.get("code"), told.get("variant"))


@pytest.mark.parametrize(
    "query",
    ["sample_rate=x", "sample_rate=7", "encoding=speex", "channels=2", "multichannel=true", "utterance_end_ms=a"],
)
def test_what_cannot_be_served_is_refused_before_the_upgrade(query: str) -> None:
    with pytest.raises(Refused) as refused:
        DeepgramLive(query, "id").open()

    assert refused.value.status == 400
    assert ("channels" if "channel" in query else query.partition("=")[0]) in str(refused.value.body["err_msg"])


@pytest.mark.parametrize(("code", "status"), [(ErrorCode.MAX_SESSIONS_REACHED, 429), (ErrorCode.QUEUE_CONGESTION, 503)])
def test_a_full_service_says_when_to_try_again(code: ErrorCode, status: int) -> None:
    refused = opened().refuse(failed(code, retry_after_ms=1000))

    assert refused.status == status
    assert ("retry-after", "1") in refused.headers
    assert ("dg-request-id", "id") in refused.headers


@pytest.mark.parametrize(
    ("query", "code", "languages"),
    [
        ("language=multi&language_hint=pt&language_hint=es", "auto", ["pt", "es"]),
        ("language=multi", "auto", None),
        ("language=pt&language_hint=pt&language_hint=es", "pt", None),
    ],
)
def test_several_languages_may_be_hinted_of_a_multi(query: str, code: str, languages: list[str] | None) -> None:
    *_, start = DeepgramLive(query, "id").open()

    assert isinstance(start, StartSession)
    assert (start.config.lang_code, start.config.languages) == (code, languages)


def test_a_hint_of_no_language_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        DeepgramLive("language=multi&language_hint=pt&language_hint=xx", "id").open()

    assert refused.value.status == 400
    assert "language_hint: expected language codes" in str(refused.value.body)
