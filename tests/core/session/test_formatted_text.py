"""Finals with formatted text: who gets it, and what stays as it is."""

from dataclasses import replace

import pytest
from msgspec import UNSET, json

from tests.core.session.fakes import FAST, Talk, transcript
from transcription.core.protocol import FinalTranscript, Word
from transcription.core.session.effects import RecordSegment

SAID = "são vinte reais"


def final_of(talk: Talk, config: str) -> FinalTranscript:
    talk.start(config)
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)
    talk.answer(talk.final(), SAID)
    final = talk.sent[-1]
    assert isinstance(final, FinalTranscript)
    return final


@pytest.mark.parametrize(
    ("default", "config", "formatted"),
    [
        ("off", "{}", UNSET),
        ("off", '{"format": "pt-BR"}', "são R$ 20"),
        ("off", '{"format": "pt-BR", "lang_code": "pt-BR"}', "são R$ 20"),
        ("off", '{"format": "pt-BR", "lang_code": "en"}', UNSET),
        ("pt-BR", "{}", "são R$ 20"),
        ("pt-BR", '{"format": "off"}', UNSET),
        ("pt-BR", '{"format": null}', "são R$ 20"),
        ("pt-BR", '{"lang_code": "es"}', UNSET),
    ],
)
def test_portuguese_sessions_that_ask_have_it(default: str, config: str, formatted: object) -> None:
    """The service's default, unless the session says otherwise."""
    final = final_of(Talk(replace(FAST, format=default)), config)

    assert final.text == SAID
    assert final.text_formatted == formatted
    assert (final.entities is UNSET) == (formatted is UNSET)


def test_finals_of_the_others_are_as_they_always_were() -> None:
    """No field more."""
    final = final_of(Talk(), "{}")

    assert not {"text_formatted", "entities"} & json.decode(json.encode(final)).keys()


def test_entities_have_the_times_of_the_words_that_are_sent() -> None:
    """Those held to what was heard, not the model's."""
    talk = Talk(replace(FAST, format="pt-BR"))
    talk.start()
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)
    words = [Word(word=word, start=at / 10, end=at / 10 + 0.1, probability=1.0) for at, word in enumerate(SAID.split())]
    talk.take(talk.session.receive_result(transcript(talk.final(), SAID, words=words), talk.now))
    final = talk.sent[-1]

    assert (final.entities[0].start_s, final.entities[0].end_s) == (final.words[1].start, final.words[2].end)


def test_records_have_what_the_model_wrote() -> None:
    """And no less than that."""
    talk = Talk(replace(FAST, format="pt-BR"))
    talk.start()
    talk.windows(5, speaking=True)
    talk.windows(3, speaking=False)
    effects = talk.take(talk.session.receive_result(transcript(talk.final(), SAID), talk.now))
    (record,) = [effect for effect in effects if isinstance(effect, RecordSegment)]

    assert record.final.text == SAID


def test_silence_is_formatted_as_nothing() -> None:
    """An empty final has both fields too."""
    talk = Talk(replace(FAST, format="pt-BR"))
    talk.start()
    talk.text('{"type": "flush", "flush_id": "f"}')
    final = talk.sent[-1]

    assert (final.text_formatted, final.entities) == ("", [])


def test_an_unknown_format_is_refused_by_name() -> None:
    """With what would be understood by it."""
    talk = Talk()
    talk.text('{"type": "start_session", "config": {"format": "en-US"}}')

    assert "format" in talk.sent[-1].message
