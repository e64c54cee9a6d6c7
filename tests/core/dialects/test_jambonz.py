"""jambonz' API for custom recognisers, message by message."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.core.dialects.messages import ENDED, STARTED, failed, final, partial, speech
from transcription.core.dialects.dialect import Hangup, Reply, Step
from transcription.core.dialects.jambonz import JambonzRecognizer
from transcription.core.protocol import EndSession, ErrorCode, StartConfig, StartSession

START = {
    "type": "start",
    "language": "pt-BR",
    "format": "raw",
    "encoding": "LINEAR16",
    "interimResults": True,
    "sampleRateHz": 8000,
    "options": {},
}
STOP = '{"type": "stop"}'


def start(**fields: object) -> str:
    return json.dumps(START | fields)


def opened(**fields: object) -> JambonzRecognizer:
    dialect = JambonzRecognizer("", "id")
    assert not dialect.open()
    (starts,) = dialect.hear(start(**fields))
    assert isinstance(starts, StartSession)
    dialect.tell(STARTED)
    return dialect


def told(*steps: Step) -> list[dict[str, Any]]:
    return [json.loads(step.text) for step in steps if isinstance(step, Reply)]


def test_a_start_is_a_session_s() -> None:
    """As the switch's module writes it."""
    assert JambonzRecognizer("", "id").hear(start()) == [
        StartSession(
            config=StartConfig(lang_code="pt", partial_results=True, encoding="pcm_s16le", sample_rate=8000),
        )
    ]


def test_options_of_the_recogniser_are_the_session_s() -> None:
    """Those of the application before those of the address; others are ignored."""
    dialect = JambonzRecognizer("turn_mode=auto&min_silence_ms=300", "id")
    options = {"min_silence_ms": 500, "redact": ["cpf"], "hints": ["Paulista"], "format": "pt-BR"}
    (starts,) = dialect.hear(start(options=options, encoding="mulaw", sampleRateHz=8000, interimResults=False))

    assert isinstance(starts, StartSession)
    assert starts.config == StartConfig(
        lang_code="pt", partial_results=False, encoding="mulaw", sample_rate=8000,
        turn_mode="auto", min_silence_ms=500, redact=["cpf"], format="pt-BR",
    )  # fmt: skip


def test_an_utterance() -> None:
    """Interim results, then the final; nothing is said of speech itself."""
    dialect = opened()
    messages = [
        speech("speech_start", 1000), partial(""), partial("Bom"), speech("speech_end", 1600), final("Bom dia."), ENDED,
    ]  # fmt: skip
    steps = [step for message in messages for step in dialect.tell(message)]

    assert told(*steps) == [
        {
            "type": "transcription", "is_final": False, "channel": 1, "language": "pt-BR",
            "alternatives": [{"confidence": 0.8, "transcript": "Bom"}],
        },
        {
            "type": "transcription", "is_final": True, "channel": 1, "language": "pt-BR",
            "alternatives": [{"confidence": 0.9, "transcript": "Bom dia."}],
        },
    ]  # fmt: skip


def test_without_interim_results_there_are_none() -> None:
    dialect = opened(interimResults=False)

    assert dialect.tell(partial("Bom")) == []


def test_an_empty_final_is_not_told() -> None:
    """jambonz takes it for an answer."""
    assert opened().tell(final("")) == []


def test_a_final_is_as_it_is_written() -> None:
    """Where the session formats."""
    (message,) = told(*opened().tell(replace(final("cento e vinte reais"), text_formatted="R$ 120", entities=[])))

    assert message["alternatives"][0]["transcript"] == "R$ 120"


def test_stop_ends_the_session_and_the_server_closes() -> None:
    """After which nothing is heard."""
    dialect = opened()

    assert dialect.hear(b"pcm!") == [b"pcm!"]
    assert dialect.hear(STOP) == [EndSession()]
    assert dialect.hear(b"late") == []
    assert dialect.hear(STOP) == []


def test_two_messages_may_come_in_one_frame() -> None:
    """The switch appends what it has not sent yet."""
    steps = JambonzRecognizer("", "id").hear(start() + STOP)

    assert [type(step) for step in steps] == [StartSession, EndSession]


@pytest.mark.parametrize(
    ("frame", "names"),
    [
        (start(encoding="OPUS"), "encoding"),
        (start(sampleRateHz="fast"), "sampleRateHz"),
        (start(sampleRateHz=4000), "sample_rate"),
        (start(options={"min_silence_ms": "soon"}), "min_silence_ms"),
        (b"pcm", "start"),
    ],
)
def test_what_cannot_be_served_is_refused(frame: str | bytes, names: str) -> None:
    """By an error that names it, and a close."""
    dialect = JambonzRecognizer("", "id")
    error, hangup = dialect.hear(frame)

    assert names in told(error)[0]["error"]
    assert isinstance(hangup, Hangup)
    assert hangup.code == 1008
    assert dialect.hear(b"pcm") == []


def test_a_session_that_is_not_admitted_is_told_and_closed() -> None:
    dialect = JambonzRecognizer("", "id")
    dialect.hear(start())
    error, hangup = dialect.tell(failed(ErrorCode.QUEUE_CONGESTION))

    assert told(error) == [{"type": "error", "error": "No luck"}]
    assert hangup == Hangup(1013, "No luck")
    assert dialect.hear(b"pcm") == []


def test_a_segment_without_a_transcript_is_an_error() -> None:
    """And the session goes on."""
    dialect = opened()

    assert told(*dialect.tell(failed(segment_id="seg-0001"))) == [{"type": "error", "error": "No luck"}]
    assert dialect.hear(b"pcm!") == [b"pcm!"]


@pytest.mark.parametrize("frame", ["", "no JSON", "[]", "7", "[" * 100_000, '{"type": "pause"}', start(), '{"a": 1}'])
def test_what_cannot_be_read_is_an_error(frame: str) -> None:
    """And the session goes on."""
    dialect = opened()
    (error,) = told(*dialect.hear(frame))

    assert error["type"] == "error"
    assert dialect.hear(b"pcm!") == [b"pcm!"]


def test_a_stop_without_a_start_closes() -> None:
    assert JambonzRecognizer("", "id").hear(STOP) == [Hangup(1000)]
