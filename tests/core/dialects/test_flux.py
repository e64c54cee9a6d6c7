"""Flux, message by message."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.core.dialects.messages import STARTED, failed, final, partial, speech
from transcription.core.dialects.dialect import Refused, Reply
from transcription.core.dialects.flux import DeepgramFlux
from transcription.core.protocol import Configure, EndSession, ErrorCode, Flush, ServerMessage, StartSession


def opened(query: str = "") -> DeepgramFlux:
    flux = DeepgramFlux(query, "id")
    flux.open()
    return flux


def told(flux: DeepgramFlux, *messages: ServerMessage) -> list[dict[str, Any]]:
    steps = [step for message in messages for step in flux.tell(message)]
    return [json.loads(step.text) for step in steps if isinstance(step, Reply)]


def turn(query: str, *messages: ServerMessage) -> list[tuple[str, str]]:
    """Events and texts of what follows a start of speech."""
    events = told(opened(query), STARTED, speech("speech_start", 1000), *messages)
    return [(event["event"], event["transcript"]) for event in events if event["type"] == "TurnInfo"]


def test_a_turn() -> None:
    events = told(
        opened(),
        STARTED,
        speech("speech_start", 1000),
        partial("Bom"),
        speech("speech_end", 1600),
        final("Bom dia."),
    )

    assert [event["sequence_id"] for event in events] == [0, 1, 2, 3]
    assert [event.get("event", event["type"]) for event in events] == [
        "Connected",
        "StartOfTurn",
        "Update",
        "EndOfTurn",
    ]
    assert events[-1] == {
        "type": "TurnInfo",
        "request_id": "id",
        "sequence_id": 3,
        "event": "EndOfTurn",
        "turn_index": 0,
        "audio_window_start": 1.0,
        "audio_window_end": 2.0,
        "transcript": "Bom dia.",
        "words": [
            {"word": "Bom", "confidence": 0.9, "start": 1.1, "end": 1.2},
            {"word": "dia.", "confidence": 0.9, "start": 1.2, "end": 1.3},
        ],
        "end_of_turn_confidence": 0.9,
        "trigger": "model",
    }


def test_an_eager_end_is_kept_where_the_end_says_the_same() -> None:
    ahead, end = partial("Bom dia.", speculative=True), speech("speech_end", 1600)

    assert turn("eager_eot_threshold=0.5", ahead, end, final("Bom dia."))[1:] == [
        ("EagerEndOfTurn", "Bom dia."),
        ("EndOfTurn", "Bom dia."),
    ]


@pytest.mark.parametrize("goes_on", [partial("Bom dia a"), final("Bom dia a todos.")])
def test_an_eager_end_is_taken_back_before_anything_else_is_said(goes_on: ServerMessage) -> None:
    ahead, end = partial("Bom dia.", speculative=True), speech("speech_end", 1600)
    events = turn("eager_eot_threshold=0.5", ahead, end, goes_on)

    assert [event for event, _ in events][1:3] == ["EagerEndOfTurn", "TurnResumed"]
    assert events[2][1] == events[3][1] == getattr(goes_on, "text", None)


def test_an_utterance_cut_for_its_length_is_part_of_the_turn() -> None:
    """It ends with the one whose speech has ended."""
    rest = [final("Primeiro,"), final("depois.", segment=2, start_ms=2000)]

    assert turn("", rest[0], speech("speech_end", 2900, 2), rest[1])[1:] == [
        ("Update", "Primeiro,"),
        ("EndOfTurn", "Primeiro, depois."),
    ]


def test_the_end_may_be_forced() -> None:
    """In silence there is none."""
    flux = opened()
    assert flux.hear('{"type": "ForceEndTurn"}') == [Flush(flush_id="force-1")]
    assert told(flux, final("", flush_id="force-1")) == []
    told(flux, speech("speech_start", 1000))
    flux.hear('{"type": "ForceEndTurn"}')

    (event,) = told(flux, final("Bom dia.", flush_id="force-2"))
    assert (event["event"], event["trigger"]) == ("EndOfTurn", "manual")


def test_a_turn_without_a_transcript_ends_too() -> None:
    """With a warning that says why; an `Error` would end the client's stream."""
    flux = opened()
    warning, end = told(flux, speech("speech_start", 1000), failed(segment_id="seg-0001"))[1:]

    assert (warning["type"], warning["code"]) == ("Warning", "INFERENCE_ERROR")
    assert (end["event"], end["transcript"], end["words"]) == ("EndOfTurn", "", [])


@pytest.mark.parametrize(
    ("asked", "kind", "field", "value"),
    [
        ('{"thresholds": {"eot_timeout_ms": 4000}}', "ConfigureSuccess", "thresholds", {"eot_timeout_ms": 4000.0}),
        ('{"thresholds": {"eot_timeout_ms": 400}}', "ConfigureFailure", "code", "INVALID_VALUE"),
        ('{"thresholds": {"eot_threshold": "x"}}', "ConfigureFailure", "error_code", "INVALID_VALUE"),
        ('{"keyterms": ["Sicoob"]}', "ConfigureSuccess", "keyterms", ["Sicoob"]),
        ('{"keyterms": ["Sicoob", ""]}', "ConfigureFailure", "code", "INVALID_VALUE"),
        ('{"keyterms": "Sicoob"}', "ConfigureFailure", "code", "INVALID_VALUE"),
        ("{}", "ConfigureSuccess", "keyterms", []),
        ('{"language_hints": ["pt-BR", "es"]}', "ConfigureSuccess", "language_hints", ["pt-BR", "es"]),
        ('{"language_hints": ["pt", "xx"]}', "ConfigureFailure", "code", "INVALID_VALUE"),
        ('{"language_hints": [1]}', "ConfigureFailure", "error_code", "INVALID_VALUE"),
        ('{"language_hints": "pt"}', "ConfigureFailure", "code", "INVALID_VALUE"),
    ],
)
def test_what_is_configured_is_acknowledged(asked: str, kind: str, field: str, value: object) -> None:
    frame = json.dumps({"type": "Configure"} | json.loads(asked))
    *_, reply = opened().hear(frame)

    assert isinstance(reply, Reply)
    answer = json.loads(reply.text)
    assert (answer["type"], answer[field]) == (kind, value)


def test_terms_are_listened_for() -> None:
    """Those of the handshake, until others take their place; what else is configured leaves them."""
    flux = DeepgramFlux("keyterm=Sicoob&keyterm=Conta+F%C3%A1cil,+sim&keyterm=12", "id")
    *_, start = flux.open()
    *held, told = flux.hear('{"type": "Configure", "thresholds": {"eot_threshold": 0.8}}')
    changed, _ = flux.hear('{"type": "Configure", "keyterms": []}')

    assert isinstance(start, StartSession) and isinstance(told, Reply)
    assert start.config.keyterms == ["Sicoob", "Conta Fácil, sim"]
    assert held == [] and json.loads(told.text)["keyterms"] == ["Sicoob", "Conta Fácil, sim"]
    assert changed == Configure(keyterms=[])


@pytest.mark.parametrize(
    ("query", "code", "languages"),
    [
        ("", None, None),
        ("language_hint=pt-BR", "pt", None),
        ("language_hint=pt&language_hint=pt-BR", "pt", None),
        ("language_hint=pt&language_hint=es&language_hint=en-US", "auto", ["pt", "es", "en"]),
    ],
)
def test_the_language_is_one_of_those_hinted(query: str, code: str | None, languages: list[str] | None) -> None:
    *_, start = DeepgramFlux(query, "id").open()

    assert isinstance(start, StartSession)
    assert (start.config.lang_code, start.config.languages) == (code, languages)


@pytest.mark.parametrize(
    ("hints", "said"),
    [
        (["pt", "xx"], "language_hint: expected language codes that Whisper knows, such as `pt`, got `xx`"),
        ("pt es en fr de it nl pl ru sv tr".split(), "language_hint: expected at most 10 languages, got 11"),
    ],
)
def test_hints_that_cannot_be_honoured_are_refused(hints: list[str], said: str) -> None:
    with pytest.raises(Refused) as refused:
        DeepgramFlux("&".join(f"language_hint={hint}" for hint in hints), "id").open()

    assert refused.value.status == 400
    assert said in str(refused.value.body)


def test_hints_change_in_mid_stream() -> None:
    """Each time all of them; what else is configured leaves them."""
    flux = opened("language_hint=pt")
    several, _ = flux.hear('{"type": "Configure", "language_hints": ["pt", "es"]}')
    *held, told = flux.hear('{"type": "Configure", "thresholds": {"eot_threshold": 0.8}}')
    one, _ = flux.hear('{"type": "Configure", "language_hints": ["es"]}')
    none, _ = flux.hear('{"type": "Configure", "language_hints": []}')

    assert several == Configure(lang_code="auto", languages=["pt", "es"])
    assert held == [] and isinstance(told, Reply)
    assert json.loads(told.text)["language_hints"] == ["pt", "es"]
    assert one == Configure(lang_code="es")
    assert none == Configure(lang_code="auto")


def test_a_turn_says_which_languages_were_found() -> None:
    """The most spoken one first; nothing where there was nothing to find out."""
    flux = opened("language_hint=pt&language_hint=es")
    said = replace(final("Bom dia a todos."), language="pt"), replace(final("Hola."), language="es")
    events = told(flux, STARTED, speech("speech_start", 1000), *said[::-1], speech("speech_end", 1600), said[0])
    (plain,) = [event for event in told(opened(), STARTED, final("Bom dia.")) if event.get("event") == "Update"]

    assert events[-1]["languages"] == ["pt", "es"]
    assert events[-1]["languages_hinted"] == ["pt", "es"]
    assert "languages" not in plain


def test_the_timeout_is_how_long_a_turn_is_held() -> None:
    flux = DeepgramFlux("eot_timeout_ms=3000", "id")
    *_, start = flux.open()
    configured, _ = flux.hear('{"type": "Configure", "thresholds": {"eot_timeout_ms": 4000}}')

    assert isinstance(start, StartSession)
    assert start.config.max_hold_ms == 3000
    assert configured == Configure(max_hold_ms=4000)


def test_the_rest() -> None:
    flux = DeepgramFlux("sample_rate=8000&language_hint=pt&model=flux-general-multi", "id")
    *_, start = flux.open()

    assert isinstance(start, StartSession)
    assert (start.config.sample_rate, start.config.lang_code) == (8000, "pt")
    assert flux.hear(b"12") == [b"12"]
    assert flux.hear('{"type": "CloseStream"}') == [EndSession()]
    for nonsense in ("[]", "x", "{}", '{"type": "Dance"}', '{"type": null}', "\ud800"):
        (reply,) = flux.hear(nonsense)
        assert isinstance(reply, Reply)
        assert json.loads(reply.text)["type"] == "Warning"


@pytest.mark.parametrize(
    "query", ["sample_rate=x", "sample_rate=7", "encoding=speex", "eot_threshold=high", "eot_timeout_ms=100"]
)
def test_what_cannot_be_served_is_refused_before_the_upgrade(query: str) -> None:
    with pytest.raises(Refused) as refused:
        DeepgramFlux(query, "id").open()

    assert refused.value.status == 400
    assert query.partition("=")[0] in str(refused.value.body["err_msg"])


def test_a_full_service_says_when_to_try_again() -> None:
    refused = DeepgramFlux("", "id").refuse(failed(ErrorCode.MAX_SESSIONS_REACHED, retry_after_ms=1500))

    assert refused.status == 429
    assert ("retry-after", "2") in refused.headers
