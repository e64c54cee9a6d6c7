"""From a stream to a final's text: one word between silences is heard, and sounds in which nobody speaks give none.

The service's VAD, endpointer and engine, without the wire between them.
"""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.hearing import SPECULATIVE, decoded
from benchmarks.sounds import SECONDS, sounds, traffic
from harness.audio import AUDIO, SAMPLE_RATE, speech
from transcription.core.config import VadConfig
from transcription.core.session.endpointing import SilenceEndpointer
from transcription.core.session.segmenter import Audio, Segmenter
from transcription.ingress.vad import SileroVad
from workers.engines.engine import Hypothesis
from workers.engines.whisper import WhisperEngine

pytestmark = pytest.mark.model

WORDS = {
    "bom dia": ("s01_pm_alex", 0.0, 0.6),
    "nove": ("s04_pm_alex", 3.58, 3.9),
    "da manhã": ("s04_pm_alex", 3.86, 4.45),
    "chuva": ("s06_pf_dora", 4.2, 4.7),
    "meio-dia": ("s07_pm_alex", 3.22, 3.8),
    "direita": ("s13_pm_alex", 0.36, 0.92),
    "agora": ("s18_pf_dora", 1.74, 2.2),
    "café": ("s18_pf_dora", 3.04, 3.45),
    "farmácia": ("s24_pf_dora", 3.06, 3.7),
}
"""Of the test speech, from and to which second."""
ANSWERS = {"cinco": 1, "oi": 1, "aqui_aqui": 2}
"""Recordings by their name, and how many words they are: always the same one."""
SOUNDS = sounds()


def finals(engine: WhisperEngine, samples: NDArray[np.float64]) -> list[Hypothesis]:
    """Of what the endpointer finds in a second of silence, some samples (full scale 1), and another second."""
    second = np.zeros(SAMPLE_RATE)
    pcm = (np.concatenate([second, samples, second]).clip(-1, 1) * 32767).astype("<i2")
    segmenter = Segmenter(SilenceEndpointer(VadConfig(), 30 * SAMPLE_RATE), SileroVad())
    pieces: dict[int, bytes] = {}
    for event in [*segmenter.feed(pcm.tobytes()), *segmenter.flush()]:
        match event:
            case Audio(position=position, pcm=audio):
                before = next((start for start, had in pieces.items() if start + len(had) // 2 == position), position)
                pieces[before] = pieces.get(before, b"") + audio
    found = [decoded(engine, SPECULATIVE, np.frombuffer(piece, "<i2")) for piece in pieces.values()]
    heard = [each for each in found if isinstance(each, Hypothesis)]
    assert len(heard) == len(found)
    return heard


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("noise", [0.0, 0.1], ids=["clean", "street"])
def test_a_word_between_silences_has_a_text(engine: WhisperEngine, word: str, noise: float) -> None:
    """Street noise is 10 dB below it."""
    name, start, end = WORDS[word]
    said = np.frombuffer(speech(name), "<i2")[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)] / 32768
    street = traffic(np.arange(said.size) / SAMPLE_RATE, np.random.default_rng(0))
    street *= np.sqrt(noise * np.mean(said**2) / np.mean(street**2))
    (heard,) = finals(engine, said + street)

    assert heard.text
    assert heard.dropped is None


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_word_is_written_as_often_as_it_was_said(engine: WhisperEngine, answer: str) -> None:
    """In a short window "5 5" and "Oi! Oi!" were written."""
    (name,) = (path.stem for path in (AUDIO / "answers").glob(f"{answer}_p*"))
    (heard,) = finals(engine, np.frombuffer(speech(f"answers/{name}"), "<i2") / 32768)

    words = re.findall(r"\w+", heard.text.lower())
    assert len(words) == ANSWERS[answer]
    assert len(set(words)) == 1


@pytest.mark.parametrize("sound", SOUNDS)
def test_nobody_speaks(engine: WhisperEngine, sound: str) -> None:
    """Where the VAD takes a knock or laughter for speech, the text that Whisper makes of it is not believed."""
    samples = SOUNDS[sound] / 32768

    assert samples.size == SECONDS * SAMPLE_RATE
    assert [heard.text for heard in finals(engine, samples) if heard.text] == []
