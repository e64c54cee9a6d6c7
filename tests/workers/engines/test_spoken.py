"""Finding out the language with the real model; the sentences are espeak-ng's and the test speech."""

import msgspec
import pytest

from harness.audio import speech
from tests.workers.engines.decoding import audio, heard, job
from transcription.core.contract.jobs import Job, Kind
from transcription.core.languages import MOST_EVIDENCE
from transcription.core.session.language import SpokenLanguage
from workers.engines.engine import Hypothesis
from workers.engines.whisper import WhisperEngine

pytestmark = pytest.mark.model

AMONG = ("pt", "es", "en")
PORTUGUESE, OTHER = "s13_pm_alex", "s24_pf_dora"


def asked(expected: str = "en", *, kind: Kind = Kind.FINAL, words: bool = False, decided: bool = False) -> Job:
    """A job whose language is to be found out, another one being expected."""
    known = SpokenLanguage(expected, AMONG, decided=decided).known
    return msgspec.structs.replace(job(kind, language=expected, words=words), languages=known)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("words", [False, True])
def test_a_text_is_in_the_language_that_is_heard(engine: WhisperEngine, kind: Kind, words: bool) -> None:
    """As if it had been said at once."""
    samples = audio(speech(PORTUGUESE))
    found = heard(engine, asked(kind=kind, words=words), samples)
    told = heard(engine, job(kind, words=words), samples)

    assert (found.language, found.text, found.words) == ("pt", told.text, told.words)
    assert found.evidence["pt"] == 0 and found.evidence["en"] == -MOST_EVIDENCE


def test_one_that_is_decided_on_stays(engine: WhisperEngine) -> None:
    """And what speaks against it is told."""
    samples = audio(speech(PORTUGUESE))
    found = heard(engine, asked(decided=True), samples)

    assert found.language == "en"
    assert found.text == heard(engine, job(language="en"), samples).text
    assert found.evidence["en"] == -MOST_EVIDENCE


@pytest.mark.parametrize("words", [False, True])
def test_neighbours_in_a_batch_have_languages_of_their_own(engine: WhisperEngine, words: bool) -> None:
    """One that is found out, one that is decided on, one that was told; with word times they are decoded apart."""
    samples = [audio(speech(clip))[:56_000] for clip in (PORTUGUESE, OTHER, PORTUGUESE)]
    jobs = [asked(words=words), asked(words=words, decided=True), job(language="en", words=words)]
    batch = [engine.prepare(*pair) for pair in zip(jobs, samples, strict=True)]
    assert len({request.key for request in batch}) == 1, "they do share a batch"
    together = engine.decode(batch)
    alone = [engine.decode([request])[0] for request in batch]

    assert [answer.language for answer in together] == ["pt", "en", ""]
    assert [(answer.text, answer.language) for answer in together] == [(one.text, one.language) for one in alone]


def test_audio_longer_than_a_window_is_told_by_its_first(engine: WhisperEngine) -> None:
    """It is left to faster-whisper, in the language that is found."""
    said = ("s24_pf_dora", "s13_pm_alex", "s01_pm_alex", "s04_pm_alex", "s06_pf_dora", "s07_pm_alex", "s18_pf_dora")
    long = audio(b"".join(map(speech, said)))
    found = heard(engine, asked(), long)

    assert long.size > 30 * 16_000
    assert isinstance(found, Hypothesis) and found.language == "pt" and "padaria" in found.text
