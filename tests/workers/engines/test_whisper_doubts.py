"""The real engine where a decode is not to be believed: loops, doubts, sentences that are left out."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.conf import settings as django_settings
from numpy.typing import NDArray

from harness.audio import noise, silence, speech
from sttproject import env
from tests.workers.engines.decoding import audio, heard, job
from transcription.core.contract.jobs import Kind
from workers import bootstrap
from workers.engines import repetition, windows
from workers.engines.attempt import Attempt
from workers.engines.engine import Request
from workers.engines.whisper import WhisperEngine

pytestmark = pytest.mark.model


@pytest.mark.parametrize("kind", list(Kind))
def test_silence_and_noise_never_run_on(engine: WhisperEngine, kind: Kind) -> None:
    """Nothing, or a few words; never a loop."""
    for pcm in (silence(3.0), noise(3.0)):
        answer = heard(engine, job(kind), audio(pcm))

        assert len(answer.text.split()) <= windows.max_tokens(5)
        assert not repetition.is_loop(answer.text, 3.0)


def windows_of_a_doubter(engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The windows of what an engine decodes from now on, which takes every decode for doubtful."""
    seen: list[int] = []
    generate = engine._generate
    monkeypatch.setattr(
        engine,
        "_generate",
        lambda batch, *rest, **encoded: seen.append(batch[0].features.window) or generate(batch, *rest, **encoded),
    )
    monkeypatch.setattr(windows, "is_doubtful", lambda *_, **__: True)
    return seen


def test_a_doubtful_final_is_decoded_again_in_the_whole_window(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, after its own; partials are not worth it."""
    seen = windows_of_a_doubter(engine, monkeypatch)
    final = heard(engine, job(), audio(speech("s24_pf_dora")))
    heard(engine, job(Kind.PARTIAL), audio(speech("s24_pf_dora")))

    assert seen == [20, 20, 30, 5]
    assert "padaria" in final.text


def test_finals_are_decoded_in_the_window_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the worker's setting; a whole window is looked at once, and a partial has its own."""
    chosen = env.load(whisper_model="base", device="cpu", compute_type="int8", min_final_window_s=30, model_dir=None)
    monkeypatch.setattr(django_settings, "STT", chosen)
    engine = bootstrap._engine(1)
    seen = windows_of_a_doubter(engine, monkeypatch)
    final = heard(engine, job(), audio(speech("s24_pf_dora")))
    heard(engine, job(Kind.PARTIAL), audio(speech("s24_pf_dora")))

    assert seen == [30, 5]
    assert "padaria" in final.text


def test_a_sentence_that_is_left_out_is_found(engine: WhisperEngine) -> None:
    """Said twice, and then another: a decode without timestamps may begin with that."""
    first = trimmed("s18_pf_dora")
    said = np.concatenate([first, first, trimmed("s13_pm_alex")])
    answer = heard(engine, job(words=True), said)

    assert "forno" in answer.text
    assert "Paulista" in answer.text
    assert [word.word for word in answer.words] == answer.text.split()


def trimmed(clip: str) -> NDArray[np.float32]:
    """From its first sound to its last, and a fifth of a second."""
    samples = audio(speech(clip))
    loud = np.nonzero(np.abs(samples) > 0.003)[0]
    return np.concatenate([samples[loud[0] : loud[-1] + 1], np.zeros(3200, np.float32)])


def syllable(clip: str, at_s: float, length_s: float, gap_s: float) -> NDArray[np.float32]:
    """A syllable of a clip, said a dozen times."""
    sound = audio(speech(clip))[int(at_s * 16_000) :][: int(length_s * 16_000)]
    faded = sound * np.hanning(sound.size) ** 0.3
    return np.tile(np.concatenate([faded, np.zeros(int(gap_s * 16_000))]), 12).astype(np.float32)


@pytest.mark.parametrize(
    ("clip", "at_s", "length_s", "gap_s"),
    [("s07_pm_alex", 3.5, 0.2, 0.05), ("s06_pf_dora", 3.3, 0.15, 0.1), ("s24_pf_dora", 3.3, 0.15, 0.1)],
)
@pytest.mark.parametrize("kind", list(Kind))
def test_no_text_is_longer_than_its_audio_allows(
    engine: WhisperEngine, kind: Kind, clip: str, at_s: float, length_s: float, gap_s: float
) -> None:
    """Of a syllable said again and again Whisper makes a word of a hundred letters and more."""
    samples = syllable(clip, at_s, length_s, gap_s)
    answer = heard(engine, job(kind, words=True), samples)

    assert len(answer.text) <= repetition.most_chars(samples.size / 16_000)
    assert all(len(word) <= 40 for word in answer.text.split())
    assert [word.word for word in answer.words] == answer.text.split()


def test_the_way_out_of_a_loop_is_another_decode_of_the_same_window(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fewer tokens, none of which may be said again; what it says is taken, though it is less likely."""
    asked = []
    generate = engine._generate

    def looping(batch: list[Request], limit: int = 0, encoded: Any = None, **options: int) -> list[Attempt]:
        asked.append((batch[0].features.window, limit, options))
        found = generate(batch, limit, encoded, **options)
        return found if options else [replace(attempt, loops=True, logprob=-0.01) for attempt in found]

    monkeypatch.setattr(engine, "_generate", looping)
    samples = audio(speech("s24_pf_dora"))[:48_000]
    answer = heard(engine, job(), samples)

    assert asked == [(20, 0, {}), (20, 0, {}), (20, windows.max_tokens(3.0), {"no_repeat_ngram_size": 4})]
    assert answer.text


def test_what_is_said_after_a_repetition_is_heard(engine: WhisperEngine) -> None:
    """A sentence's beginning said twice, then the whole of it."""
    clip = audio(speech("s07_pm_alex"))
    answer = heard(engine, job(words=True), np.concatenate([clip[:24_000], clip[:24_000], clip]))

    assert "relatório" in answer.text
    assert answer.text.rstrip(".").endswith("dia")
    assert [word.word for word in answer.words] == answer.text.split()
