"""Terms that may be said, in the real engine."""

import msgspec
import pytest

from harness.audio import speech
from tests.workers.engines.decoding import CLIPS, audio, heard, job
from transcription.core.contract.jobs import Kind
from workers.engines.whisper import WhisperEngine

pytestmark = pytest.mark.model


def test_a_term_that_was_said_is_written_as_it_is_spelt(engine: WhisperEngine) -> None:
    """Its times are those of the words it takes the place of; what is around it stays, alone or beside jobs without."""
    samples = audio(speech("s24_pf_dora"))
    plain = job(words=True)
    asked = msgspec.structs.replace(plain, keyterms=("Padarya", "Sicoob", "Kowalski"))
    without, (alone,) = heard(engine, plain, samples), [heard(engine, asked, samples)]
    together = engine.decode([engine.prepare(each, samples) for each in (plain, asked, plain)])

    assert "padaria" in without.text and "Padarya" in alone.text
    assert alone.text == without.text.replace("padaria", "Padarya")
    times = {word.word.strip(",."): (word.start, word.end) for word in alone.words}
    (was,) = [(word.start, word.end) for word in without.words if word.word.startswith("padaria")]
    assert times["Padarya"] == pytest.approx(was, abs=0.3)
    assert [each.text for each in together] == [without.text, alone.text, without.text]
    assert alone.confidence == pytest.approx(without.confidence)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("kind", list(Kind))
def test_terms_that_were_not_said_change_nothing(engine: WhisperEngine, clip: str, kind: Kind) -> None:
    """Some of them sound like what was said."""
    terms = ("Sicoob", "Clara", "Vieira", "Forno Bom", "Paulina", "Relato", "Amanda", "Metrô", "Farmais", "Kowalski")
    samples = audio(speech(clip))
    asked = msgspec.structs.replace(job(kind), keyterms=terms)

    assert heard(engine, asked, samples).text == heard(engine, job(kind), samples).text


def test_a_partial_has_terms_after_its_prefix_alone(engine: WhisperEngine) -> None:
    """What is stable stays stable."""
    samples = audio(speech("s24_pf_dora"))
    asked = msgspec.structs.replace(job(Kind.PARTIAL), keyterms=("Padarya", "Gentil"))

    assert "Padarya" in heard(engine, asked, samples).text
    held = msgspec.structs.replace(asked, prefix="A gente se encontra na frente da padaria, do")
    assert heard(engine, held, samples).text.startswith("A gente se encontra na frente da padaria, do")
