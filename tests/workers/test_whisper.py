"""The real engine with the embedded model."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.system.talker import noise, silence, speech
from transcription.core.jobs import Job, Kind
from workers import windows
from workers.engine import Hypothesis
from workers.model_store import resolve
from workers.whisper import WhisperEngine

pytestmark = pytest.mark.model

CLIPS = ("s13_pm_alex", "s24_pf_dora", "s18_pf_dora", "s07_pm_alex")


@pytest.fixture(scope="module")
def engine() -> WhisperEngine:
    model = resolve("base", None, "~/.cache/whisper-stt")
    return WhisperEngine(Path(model), "cpu", "int8", cpu_threads=1, lanes=1)


def audio(pcm: bytes) -> NDArray[np.float32]:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0


def job(kind: Kind = Kind.FINAL, *, language: str = "pt", words: bool = False, prefix: str = "") -> Job:
    return Job(
        job_id="x", group="", segment_id="", kind=kind, audio_key="", overtaken_key="", number=0, start=0, end=None,
        language=language, beam_size=5 if kind is Kind.FINAL else 1, word_timestamps=words, prefix=prefix,
    )  # fmt: skip


def heard(engine: WhisperEngine, job: Job, samples: NDArray[np.float32]) -> Hypothesis:
    (answer,) = engine.decode([engine.prepare(job, samples)])
    assert isinstance(answer, Hypothesis)
    return answer


asks = st.tuples(
    st.sampled_from(CLIPS),
    st.sampled_from(["pt", "en", "es"]),
    st.sampled_from(["", "vire à", "a gente se"]),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    assert [answer.confidence for answer in together] == pytest.approx(
        [answer.confidence for answer in alone], abs=0.02
    )


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
def test_silence_and_noise_never_run_on(engine: WhisperEngine, kind: Kind) -> None:
    """Nothing, or a few words; never a loop."""
    for pcm in (silence(3.0), noise(3.0)):
        answer = heard(engine, job(kind), audio(pcm))

        assert len(answer.text.split()) <= windows.max_tokens(5)
        assert windows.said_again(answer.text.split()) is None


def test_a_doubtful_final_is_decoded_again_in_the_whole_window(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; partials are not worth it."""
    seen = []
    generate = engine._generate
    monkeypatch.setattr(engine, "_generate", lambda batch: seen.append(batch[0].features.window) or generate(batch))
    monkeypatch.setattr(windows, "is_doubtful", lambda *_, **__: True)
    final = heard(engine, job(), audio(speech("s24_pf_dora")))
    heard(engine, job(Kind.PARTIAL), audio(speech("s24_pf_dora")))

    assert seen == [10, 30, 5]
    assert "padaria" in final.text


def test_audio_longer_than_a_window_is_transcribed_all_the_same(engine: WhisperEngine) -> None:
    """Through faster-whisper's own sliding windows."""
    long = audio(speech("s24_pf_dora") + silence(24.0) + speech("s18_pf_dora") + silence(1.0))
    answer = heard(engine, job(), long)

    assert long.size > 30 * 16_000
    assert "padaria" in answer.text
    assert "café" in answer.text
