"""The part of a window that is not encoded."""

from dataclasses import replace

import ctranslate2
import numpy as np
import pytest

from harness.audio import speech
from tests.workers.engines.decoding import CLIPS, audio, heard, job
from transcription.core.contract.jobs import Kind
from workers.engines import windows
from workers.engines.attempt import Attempt
from workers.engines.engine import Hypothesis
from workers.engines.remainder import Remainder, voice
from workers.engines.whisper import WhisperEngine


def view(*shape: int, of: float = 0.0) -> ctranslate2.StorageView:
    return ctranslate2.StorageView.from_array(np.full(shape, of, np.float32))


def test_what_is_not_encoded_is_filled_up_for_each_row() -> None:
    """At its place in the window, and no further than that reaches."""
    known = np.arange(1_500, dtype=np.float32).repeat(4).reshape(1, 1_500, 4)
    remainder = Remainder(ctranslate2.StorageView.from_array(known))
    whole = np.array(remainder.behind(view(2, 500, 4, of=-1.0), 20))

    assert whole.shape == (2, 1_000, 4)
    assert (whole[:, :500] == -1.0).all()
    assert (whole[:, 500:] == known[:, 500:1_000]).all()


@pytest.mark.parametrize("window_s", [10, 20, 30])
def test_a_window_that_is_encoded_whole_is_left_as_it_is(window_s: int) -> None:
    encoded = view(1, window_s * 50, 4)

    assert Remainder(view(1, 1_500, 4)).behind(encoded, window_s) is encoded


def test_the_voice_is_neither_silent_nor_clipped() -> None:
    """And the same each time: what workers decode does not depend on which one does."""
    samples = voice()

    assert samples.size == 3 * 16_000
    assert np.abs(samples).max() == pytest.approx(0.3)
    assert np.sqrt(np.mean(np.square(samples))) > 0.02
    assert np.array_equal(samples, voice())


@pytest.mark.parametrize(
    ("audio_s", "window", "encoded"),
    [(1.0, 10, 10), (3.0, 20, 10), (8.0, 20, 10), (8.1, 20, 15), (13.1, 20, 20), (3.0, 30, 30), (8.5, 10, 10)],
)
def test_as_much_is_encoded_as_the_audio_and_some_silence_need(audio_s: float, window: int, encoded: int) -> None:
    """Of 30 s all: what is decoded again in them is to be heard as the model was trained."""
    assert windows.encoded_s(audio_s, window) == encoded


@pytest.mark.model
def test_finals_are_encoded_as_far_as_they_need(engine: WhisperEngine) -> None:
    """Partials have windows of their own; a batch has one length."""
    four, nine = (np.zeros(seconds * 16_000, np.float32) + 0.1 for seconds in (4, 9))
    prepared = [engine.prepare(job(kind), samples) for kind in (Kind.FINAL, Kind.PARTIAL) for samples in (four, nine)]

    assert [(one.features.window, one.features.features.shape[1]) for one in prepared] == [
        (20, 1_000), (20, 1_500), (5, 500), (10, 1_000),
    ]  # fmt: skip
    assert len({one.key for one in prepared}) == 4


@pytest.mark.model
@pytest.mark.parametrize("clip", CLIPS)
def test_a_decoder_hears_what_it_hears_in_a_whole_window(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch, clip: str
) -> None:
    """In words, and nearly in how sure it is of them."""
    asked, samples = job(words=True), audio(speech(clip))
    known = heard(engine, asked, samples)
    monkeypatch.setattr(windows, "encoded_s", lambda _audio_s, window: window)
    whole = heard(engine, asked, samples)

    assert known.text == whole.text
    assert known.confidence == pytest.approx(whole.confidence, abs=0.06)
    assert [word.start for word in known.words] == pytest.approx([word.start for word in whole.words], abs=0.12)


def decodes(engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch, **first: object) -> list[tuple[int, int]]:
    """Of what is decoded from now on window and part encoded, seconds; what the first one gives is changed."""
    generate, seen = engine._generate, []

    def generated(batch: list, *limits: int, **options: object) -> list[Attempt]:
        prepared = batch[0].features
        seen.append((prepared.window, prepared.features.shape[1] // 100))
        found = generate(batch, *limits, **options)
        return [replace(one, **first) for one in found] if len(seen) == 1 else found

    monkeypatch.setattr(engine, "_generate", generated)
    return seen


@pytest.mark.model
@pytest.mark.parametrize(
    "first",
    [{"doubtful": True}, {"loops": True}, {"hypothesis": Hypothesis("", 0.0, []), "said": ""}, {"logprob": -9.0}],
)
def test_what_is_not_beyond_doubt_has_its_whole_window_encoded(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch, first: dict[str, object]
) -> None:
    """And is judged by that: in doubt, in a loop, without text or without evidence."""
    seen = decodes(engine, monkeypatch, **first)

    assert "padaria" in heard(engine, job(), audio(speech("s24_pf_dora"))).text
    assert seen == [(20, 10), (20, 20)]


@pytest.mark.model
def test_what_is_beyond_doubt_is_decoded_once(engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = decodes(engine, monkeypatch)

    assert "padaria" in heard(engine, job(), audio(speech("s24_pf_dora"))).text
    assert seen == [(20, 10)]


@pytest.mark.model
def test_a_word_said_seven_times_is_not_lost(engine: WhisperEngine) -> None:
    """Encoded in part it had too little evidence. (What the model makes of it is "Nui, nui".)"""
    once = audio(speech("answers/oi_pm_alex"))
    said = np.concatenate([np.pad(once, (0, int(0.3 * 16_000)))] * 7)

    assert heard(engine, job(), said).text
