"""The real engine with the embedded model: what it is asked, it does."""

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.audio import SAMPLE_RATE, noise, silence, speech
from tests.workers.engines.decoding import CLIPS, audio, heard, job
from transcription.core.contract.jobs import Kind
from workers.engines.engine import Hypothesis
from workers.engines.whisper import WhisperEngine

pytestmark = pytest.mark.model

asks = st.tuples(
    st.sampled_from(CLIPS),
    st.sampled_from(["pt", "en", "es"]),
    st.sampled_from(["", "vire à", "a gente se"]),
)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(list(Kind)), requests=st.lists(asks, min_size=2, max_size=4))
def test_a_request_is_answered_as_if_it_were_alone(
    engine: WhisperEngine, kind: Kind, requests: list[tuple[str, str, str]]
) -> None:
    """Neighbours with other audio, languages and prefixes in the same batch change nothing."""
    prepared = [
        engine.prepare(
            job(kind, language=language, prefix=prefix if kind is Kind.PARTIAL else ""), audio(speech(clip))[:56_000]
        )
        for clip, language, prefix in requests
    ]
    assert len({request.key for request in prepared}) == 1, "they do share a batch"
    together = engine.decode(prepared)
    alone = [engine.decode([request])[0] for request in prepared]

    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.sure_words for answer in together] == [answer.sure_words for answer in alone]

    assert [answer.confidence for answer in together] == pytest.approx(
        [answer.confidence for answer in alone], abs=0.02
    )


def test_a_partial_says_how_many_words_the_model_is_sure_of(engine: WhisperEngine) -> None:
    """Words it was held to and does not believe are none; a final's are not counted."""
    samples = audio(speech("s13_pm_alex"))
    free = heard(engine, job(Kind.PARTIAL), samples)
    held = heard(engine, job(Kind.PARTIAL, prefix="Vire a geladeira"), samples)

    assert free.sure_words is not None and 5 <= free.sure_words <= len(free.text.split())
    assert held.text.startswith("Vire a geladeira") and held.sure_words in (0, 1, 2)
    assert heard(engine, job(), samples).sure_words is None


def test_words_that_a_partial_is_held_to_are_as_likely_as_where_it_wrote_them(engine: WhisperEngine) -> None:
    """Each is given in the tokens that the model would use; the published tokenizer has others for " t"."""
    samples = audio(speech("s04_pm_alex"))
    free = heard(engine, job(Kind.PARTIAL), samples)
    held = heard(engine, job(Kind.PARTIAL, prefix=" ".join(free.text.split()[:-1])), samples)

    assert any(word.lower().startswith("t") for word in free.text.split()[:-1])
    assert held.sure_words == free.sure_words


def test_a_translation_is_in_english(engine: WhisperEngine) -> None:
    """In a batch with what is not translated, which stays as it is; longer than a window too."""
    clip = audio(speech("s13_pm_alex"))
    english = msgspec.structs.replace(job(), task="translate")
    said, translated = engine.decode([engine.prepare(job(), clip), engine.prepare(english, clip)])
    long = heard(engine, english, np.concatenate([clip, np.zeros(31 * SAMPLE_RATE - clip.size, np.float32)]))

    assert isinstance(said, Hypothesis) and isinstance(translated, Hypothesis)
    assert "avenida" in said.text.lower()
    for answer in (translated, long):
        assert "paulista" in answer.text.lower()
        assert "avenida" not in answer.text.lower()


def test_words_and_times_follow_the_text(engine: WhisperEngine) -> None:
    """In order, inside the audio, each text's own."""
    clips = [audio(speech(clip)) for clip in CLIPS[:2]]
    answers = engine.decode([engine.prepare(job(words=True), clip) for clip in clips])

    for answer, clip in zip(answers, clips, strict=True):
        assert " ".join(word.word for word in answer.words) == answer.text
        starts = [word.start for word in answer.words]
        assert starts == sorted(starts)
        assert all(0 <= word.start <= word.end <= clip.size / 16_000 for word in answer.words)
        assert all(0 < word.probability <= 1 for word in answer.words)


def test_a_partial_goes_on_from_its_prefix(engine: WhisperEngine) -> None:
    """What is known is not decoded again, and the text begins with it."""
    answer = heard(engine, job(Kind.PARTIAL, prefix="Vire a direita na"), audio(speech("s13_pm_alex")))

    assert answer.text.startswith("Vire a direita na avenida Paulista")


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("level", [0.0, 0.001, 0.1])
def test_noise_that_no_endpointer_has_looked_at_is_not_decoded(engine: WhisperEngine, kind: Kind, level: float) -> None:
    """It is no speech to the worker either, so that what was known before is the answer."""
    hiss = level * audio(noise(8.0))

    assert engine.prepare(job(kind, endpointed=False, prefix="bom dia"), hiss) == Hypothesis(
        "bom dia", 0.0, [], sure_words=0
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_digital_silence_is_never_decoded(engine: WhisperEngine, kind: Kind) -> None:
    assert engine.prepare(job(kind), audio(silence(8.0))) == Hypothesis("", 0.0, [], sure_words=0)


def test_speech_that_no_endpointer_has_looked_at_is_decoded(engine: WhisperEngine) -> None:
    clip = audio(speech("s24_pf_dora"))

    assert heard(engine, job(endpointed=False), clip) == heard(engine, job(), clip)
    assert "padaria" in heard(engine, job(endpointed=False), clip).text


@pytest.mark.parametrize("said", ["...", "... ... ...", "♪", "!"])
def test_a_text_that_cannot_be_read_aloud_is_none(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(engine, "_text", lambda *_: said)

    assert heard(engine, job(), audio(speech("s13_pm_alex"))) == Hypothesis("", 0.0, [])


def test_audio_longer_than_a_window_is_transcribed_all_the_same(engine: WhisperEngine) -> None:
    """Through faster-whisper's own sliding windows; a wider beam would only take longer."""
    long = audio(speech("s24_pf_dora") + silence(24.0) + speech("s18_pf_dora") + silence(1.0))
    answer = heard(engine, msgspec.structs.replace(job(), beam_size=1), long)

    assert long.size > 30 * 16_000
    assert "padaria" in answer.text
    assert "café" in answer.text
