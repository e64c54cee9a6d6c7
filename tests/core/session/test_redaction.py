"""Sessions that redact: nothing that leaves one has what is kept out, whatever becomes of the text."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import transcription
from tests.core.session.fakes import FAST, Talk, transcript, with_vad
from tests.core.text.test_redaction import SAYINGS, Saying, cpfs, prefixes, tells_a_number
from transcription.core.capacity.admission import Admitted
from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Kind
from transcription.core.protocol import Dropped, FinalTranscript, PartialTranscript, Word
from transcription.core.session.effects import RecordSegment, SaveCheckpoint, Send, Submit

REDACTS = replace(FAST, redact=("cpf",), format="pt-BR", resume_window_s=30.0, max_utterance_s=30.0)


def talk(config: SessionConfig = REDACTS, asked: str = "{}") -> Talk:
    talking = Talk(config)
    talking.start(asked)
    talking.windows(8, speaking=True)
    return talking


def words_of(text: str) -> list[Word]:
    return [
        Word(word=word, start=at / 100, end=at / 100 + 0.01, probability=1.0) for at, word in enumerate(text.split())
    ]


@pytest.mark.parametrize(
    ("default", "config", "shown"),
    [
        ((), "{}", "529.982.247-25 e a@b.com"),
        ((), '{"redact": []}', "529.982.247-25 e a@b.com"),
        ((), '{"redact": null}', "529.982.247-25 e a@b.com"),
        ((), '{"redact": ["email"]}', "529.982.247-25 e [EMAIL]"),
        (("cpf",), "{}", "[CPF] e a@b.com"),
        (("cpf",), '{"redact": []}', "[CPF] e a@b.com"),
        (("cpf",), '{"redact": ["email", "email"]}', "[CPF] e [EMAIL]"),
        (("cpf",), '{"redact": ["email"], "lang_code": "en"}', "[CPF] e [EMAIL]"),
    ],
)
def test_a_session_redacts_what_it_asks_for_and_what_the_service_does(
    default: tuple[str, ...], config: str, shown: str
) -> None:
    """It cannot ask for less."""
    talking = talk(replace(FAST, redact=default), config)
    talking.windows(3, speaking=False)
    talking.answer(talking.final(), "529.982.247-25 e a@b.com")

    assert talking.sent[-1].text == shown


def test_an_unknown_kind_is_refused_by_name() -> None:
    """With those there are; the connection stays usable."""
    talking = Talk()
    talking.text('{"type": "start_session", "config": {"redact": ["cpf", "rg"]}}')

    assert "redact: expected some of `cpf`, `card`, `phone`, `email`, got `rg`" in talking.sent[-1].message
    talking.start('{"redact": ["cpf"]}')
    assert talking.kinds()[-1] == "session_started"


@settings(deadline=None)
@given(cpfs, st.sampled_from(SAYINGS), st.sampled_from(["{}", "meu CPF é {}", "anota, {}, por favor"]))
def test_nothing_that_leaves_the_session_has_a_digit_of_the_cpf(cpf: str, saying: Saying, sentence: str) -> None:
    """Messages, records, checkpoints; but the jobs' prefixes, which hold the decoder to what it heard."""
    said = sentence.format(saying(cpf))
    talking = Talk(REDACTS)
    talking.text('{"type": "start_session", "session_id": "s", "resume": true}')
    talking.take(talking.session.receive_admission(Admitted(), talking.now))
    talking.windows(8, speaking=True)
    left = []
    for heard in prefixes(said):
        partial = [job for job in talking.jobs if job.kind is Kind.PARTIAL][-1]
        left += talking.take(talking.session.receive_result(transcript(partial, heard, audio_end=64_000), talking.now))
        talking.windows(5, speaking=True)
    talking.windows(3, speaking=False)
    answer = transcript(talking.final(), said, words=words_of(said))
    left += talking.take(talking.session.receive_result(answer, talking.now))
    left += talking.take(talking.session.receive_text('{"type": "end_session"}', talking.now))

    (record,) = [effect for effect in left if isinstance(effect, RecordSegment)]
    (checkpoint,) = [effect.checkpoint for effect in left if isinstance(effect, SaveCheckpoint)]
    sent = [effect.message for effect in left if isinstance(effect, Send)]
    assert any(isinstance(message, FinalTranscript) for message in sent)
    for transcribed in [*sent, record.final, *checkpoint.answers]:
        match transcribed:
            case PartialTranscript():
                assert not tells_a_number(f"{transcribed.text} {transcribed.stable_text}")
            case FinalTranscript():
                values = [entity.value + entity.text for entity in transcribed.entities]
                words = [word.word for word in transcribed.words]
                texts = [transcribed.text, transcribed.text_formatted, *words, *values]
                assert not any(tells_a_number(text) for text in texts)
    rest = [effect for effect in left if not isinstance(effect, Send | RecordSegment | SaveCheckpoint | Submit)]
    assert cpf not in str(rest)


def test_a_final_has_its_entity_without_value_and_the_times_of_its_words() -> None:
    """In both texts."""
    talking = talk()
    talking.windows(3, speaking=False)
    said = "meu CPF é 529 982 247 25 viu"
    answer = transcript(talking.final(), said, words=words_of(said))
    talking.take(talking.session.receive_result(answer, talking.now))
    final = talking.sent[-1]

    assert (final.text, final.text_formatted) == ("meu CPF é [CPF] viu", "meu CPF é [CPF] viu")
    assert [word.word for word in final.words] == ["meu", "CPF", "é", "[CPF]", "viu"]
    (entity,) = final.entities
    assert (entity.type, entity.text, entity.value) == ("cpf", "[CPF]", "")
    assert (entity.start_s, entity.end_s) == (final.words[3].start, final.words[3].end)


def test_a_speculation_that_holds_something_back_is_not_told_as_one() -> None:
    """It is not the final's text."""
    talking = talk(with_vad(REDACTS, speculate_ms=32, min_silence_ms=320))
    talking.windows(2, speaking=False)
    talking.answer(talking.final(), "meu CPF é 529 982")
    held = talking.sent[-1]

    assert (held.text, held.speculative) == ("meu CPF é", False)
    talking.windows(5, speaking=True)
    talking.windows(2, speaking=False)
    talking.answer(talking.final(), "meu CPF é 529 982 247 25 viu")
    assert (talking.sent[-1].text, talking.sent[-1].speculative) == ("meu CPF é [CPF] viu", True)


def test_a_partial_that_is_all_held_back_is_not_sent() -> None:
    """There is nothing to show yet."""
    talking = talk()
    before = talking.kinds()
    talking.answer(talking.jobs[-1], "529 982")

    assert talking.kinds() == before


def test_a_group_said_after_a_pause_goes_with_the_one_before() -> None:
    """The next final knows that digits may go on."""
    talking = talk()
    for said in ("meu CPF é 529 982", "", "247", "25", "isso, 25 anos"):
        talking.windows(3, speaking=False)
        talking.answer(talking.final(), said)
        talking.windows(5, speaking=True)
    finals = [message.text for message in talking.sent if isinstance(message, FinalTranscript)]

    assert finals == ["meu CPF é [NUMBER]", "", "[NUMBER]", "[NUMBER]", "isso, 25 anos"]


def test_a_partial_that_may_go_on_from_what_is_not_known_yet_is_not_sent() -> None:
    """Digits at the end of the segment before, whose final is awaited still; what is no digit is shown as ever."""
    talking = talk()
    talking.windows(3, speaking=False)
    first = talking.final()
    for heard in ("25 viu só", "então viu só"):
        talking.windows(8, speaking=True)
        talking.answer([job for job in talking.jobs if job.kind is Kind.PARTIAL][-1], heard, audio_end=64_000)
    talking.answer(first, "meu CPF é 529 982")
    talking.windows(8, speaking=True)
    talking.answer([job for job in talking.jobs if job.kind is Kind.PARTIAL][-1], "25 viu só", audio_end=64_000)
    shown = [message.text for message in talking.sent if isinstance(message, PartialTranscript)]

    assert shown == ["então viu só", "[NUMBER] viu só"]


def test_jobs_go_on_from_what_was_heard() -> None:
    """A decoder that is held to `[CPF]` would hear nonsense."""
    talking = talk()
    for _ in range(2):
        partial = [job for job in talking.jobs if job.kind is Kind.PARTIAL][-1]
        answer = transcript(partial, "meu CPF é 529 982 247 25 viu só", audio_end=64_000)
        talking.take(talking.session.receive_result(answer, talking.now))
        talking.windows(5, speaking=True)

    assert talking.jobs[-1].prefix == "meu CPF é 529 982 247 25 viu"
    assert talking.sent[-1].stable_text == "meu CPF é [CPF] viu"


def test_text_that_nobody_said_is_redacted_too() -> None:
    """The records keep it."""
    talking = talk()
    talking.windows(3, speaking=False)
    dropped = Dropped(reason="no_speech", score=0.9)
    answer = transcript(talking.final(), "", dropped=dropped, dropped_text="CPF 529.982.247-25")
    effects = talking.take(talking.session.receive_result(answer, talking.now))
    (record,) = [effect for effect in effects if isinstance(effect, RecordSegment)]

    assert record.dropped_text == "CPF [CPF]"


def test_transcripts_are_made_in_one_place() -> None:
    """So that what is kept out there is kept out everywhere."""
    made = [
        path.name
        for path in Path(transcription.__file__).parent.rglob("*.py")
        if "FinalTranscript(\n" in path.read_text() or "PartialTranscript(\n" in path.read_text()
    ]
    assert made == ["replies.py"]
