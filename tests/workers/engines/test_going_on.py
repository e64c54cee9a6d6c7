"""A sentence that a pause has cut: its second part is heard together with the first, by the real model."""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio import SAMPLE_RATE, silence, speech
from tests.workers.engines.decoding import audio, job
from transcription.core.contract.jobs import Before, Job
from transcription.core.protocol import Word
from workers.engines.engine import Hypothesis
from workers.engines.going_on import rest
from workers.engines.whisper import WhisperEngine

pytestmark = pytest.mark.model

FIRST, SECOND = "Você pode me mandar o relatório.", "por email até amanhã ao meio dia"
CUT_S = 1.48
"""Where the second part begins."""


def cut(text: str = FIRST) -> tuple[NDArray[np.float32], NDArray[np.float32], Job]:
    """The first part with the pause after it, the second, and the job for that; `text` is that of the first."""
    clip, at = audio(speech("s07_pm_alex")), int(CUT_S * SAMPLE_RATE)
    before = np.concatenate([clip[:at], audio(silence(0.5))])
    second = msgspec.structs.replace(job(words=True), before=Before(audio_key="", text=text))
    return before, clip[at:], second


def heard(
    engine: WhisperEngine, job: Job, samples: NDArray[np.float32], before: NDArray[np.float32] | None
) -> Hypothesis:
    (answer,) = engine.decode([engine.prepare(job, samples, before)])
    assert isinstance(answer, Hypothesis)
    return answer


def test_what_follows_is_heard_as_part_of_the_sentence(engine: WhisperEngine) -> None:
    """By itself its beginning is not. Words are timed from the second part's beginning."""
    before, second, asked = cut()
    alone, together = heard(engine, asked, second, None), heard(engine, asked, second, before)

    assert SECOND not in alone.text.lower()
    assert together.text.lower().rstrip(".") == SECOND
    assert [word.word for word in together.words] == together.text.split()
    assert all(0.0 <= word.start <= word.end <= second.size / SAMPLE_RATE for word in together.words)


def test_confidence_is_that_of_what_follows(engine: WhisperEngine) -> None:
    """The words that it was held to are none of its own: they were not doubted."""
    before, second, asked = cut()
    together = heard(engine, asked, second, before)

    assert together.confidence == pytest.approx(np.mean([word.probability for word in together.words]), abs=0.15)


def test_audio_that_is_gone_is_done_without(engine: WhisperEngine) -> None:
    """The second part is heard by itself, as if nothing had been before."""
    _, second, asked = cut()

    assert heard(engine, asked, second, None) == heard(engine, job(words=True), second, None)


def test_noise_after_a_sentence_is_no_word_of_it(engine: WhisperEngine) -> None:
    """It is weighed by itself first: together with a sentence the model never thinks that nobody speaks."""
    before, _, asked = cut()
    hiss = np.random.default_rng(1).normal(0, 0.02, SAMPLE_RATE).astype(np.float32)

    assert heard(engine, asked, hiss, before).text == heard(engine, asked, hiss, None).text == ""


def test_a_text_that_says_all_already_leaves_what_was_heard_by_itself(engine: WhisperEngine) -> None:
    """Held to the whole sentence the model has nothing to add."""
    before, second, asked = cut(f"{FIRST[:-1]} {SECOND}.")
    alone, together = heard(engine, asked, second, None), heard(engine, asked, second, before)

    assert together.text
    assert together.text == alone.text or "relatório" not in together.text


def test_more_than_a_window_is_heard_by_itself(engine: WhisperEngine) -> None:
    """A session asks for no more; a web process of another version may."""
    before, second, asked = cut()
    long = np.concatenate([audio(silence(28.0)), before])

    assert heard(engine, asked, second, long) == heard(engine, asked, second, None)


def test_the_end_of_the_sentence_before_is_not_said_again(engine: WhisperEngine) -> None:
    """Where the first part ends is what the model may take for the beginning of what follows."""
    clip, at = audio(speech("s07_pm_alex")), int(3.25 * SAMPLE_RATE)
    first = "Você pode me mandar o relatório por email até amanhã."
    asked = msgspec.structs.replace(job(), before=Before(audio_key="", text=first))
    before = np.concatenate([clip[:at], audio(silence(0.5))])

    assert "amanhã" not in heard(engine, asked, clip[at:], before).text.lower()


def test_a_text_that_leaves_no_room_is_not_gone_on_from(engine: WhisperEngine) -> None:
    """It has more tokens than may be said in both; some languages take several a letter."""
    second = audio(speech("s07_pm_alex"))
    asked = msgspec.structs.replace(job(words=True), before=Before(audio_key="", text=" ".join(["abacate"] * 60)))

    assert heard(engine, asked, second, audio(silence(20.0))) == heard(engine, asked, second, None)


def timed(text: str) -> Hypothesis:
    """A word a second."""
    words = [Word(word=word, start=at, end=at + 0.4, probability=0.9) for at, word in enumerate(text.split())]
    return Hypothesis(text, 0.9, words)


def test_words_known_are_taken_off_by_their_number() -> None:
    """The model may write a comma where it stopped before; of times none is before the beginning."""
    left = rest(timed("Vire à direita, na avenida"), "Vire à direita", 3.2, 5.0, "na vendida")

    assert left is not None and left.text == "na avenida"
    assert [(word.word, word.start, word.end) for word in left.words] == [("na", 0.0, 0.2), ("avenida", 0.8, 1.2)]


@pytest.mark.parametrize(
    ("both", "known"),
    [
        ("Vire à direita", "Vire à direita"),
        ("Vire à direita. À direita.", "Vire à direita."),
        ("Meu número é nove nove oito sete", "Meu número é nove"),
        ("Meu CPF é 123-456, 789", "Meu CPF é 123"),
        ("O código é não sei não sei não sei não sei não sei não sei não sei não sei não sei", "O código é"),
    ],
    ids=["nothing", "an echo", "an echo at its beginning", "in the middle of a word", "a loop"],
)
def test_what_cannot_be_what_follows_is_not_taken_for_it(both: str, known: str) -> None:
    """What was heard by itself stays."""
    assert rest(timed(both), known, 3.0, 5.0, "não sei") is None


def test_times_of_characters_are_none_of_words() -> None:
    """Japanese has no spaces but where the model writes one, and the times of its characters."""
    times = [Word(word=sign, start=at, end=at + 0.4, probability=0.9) for at, sign in enumerate("今日は明日も")]

    assert rest(Hypothesis("今日は 明日も", 0.9, times), "今日は", 3.0, 6.0, "明日も") is None


@pytest.mark.parametrize(
    ("both", "known", "alone"), [("Sim. Sim.", "Sim.", "Sim"), ("É nove, nove, oito", "É nove,", "Nove oito")]
)
def test_what_was_said_again_stays(both: str, known: str, alone: str) -> None:
    """It was heard by itself, too."""
    left = rest(timed(both), known, 1.0, 3.0, alone)

    assert left is not None and left.text == both.removeprefix(known).strip()
