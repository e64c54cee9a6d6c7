"""How much the audio, and not the language model, supports a text.

What Whisper writes over a cough or a knock is what it would write anyway: "O que é isso?". So a final's text is scored
once more on silence, in one pass of `align` over two seconds; the evidence is how much likelier its tokens are on the
audio than on that (natural logarithms, on average). How much is asked for grows with the model's own probability that
nobody speaks, and with what the text is. docs/quality.md has what both are on noise and on speech, and how the weights
below were found.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import takewhile

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from workers.engines import repetition

LEAST = 0.5
"""Asked of every text: models differ in how they use their probability of no speech, and may not use it at all."""
SPEECH, OF_NO_SPEECH = 0.445, 20.0
"""Texts of short answers have 0.13 (median), of noise 0.70. What each 1.0 above the first asks for."""
OF_A_SOUND, OF_A_HABIT, OF_A_REPETITION = 6.0, 1.0, 1.0
"""Asked on top of what Whisper writes breath and animals as, of what it writes over noise by habit, and of what it says
again and again. People do, too, and with more: "Dois, dois, dois." 3.4."""
LEAST_PROBABILITY = 1e-8
REPEATED = 2
"""How often words are said on average, at most, by those who answer: "Não, não."; more is a repetition."""
REPETITIVE = 2 / 3
"""A text with a smaller share of different words is weighed by those alone."""
CONTRADICTED = 2.0
"""What a doubtful text has to have more than is asked for, where another decode wrote something else that is not
believed. Of noise none had as much (1.7); "O que é isso?" for a "sim" by telephone had been "SING", with 2.8."""
HEARD_AGAIN = 3
"""Words, all different, that a text and what was believed before of less of its audio begin with, to be believed with
it. What Whisper writes over noise begins otherwise when there is more of it."""

_HABITS = (
    "legendas pela comunidade amara org", "legenda", "legendas", "obrigado por assistir", "obrigada por assistir",
    "inscreva se no canal", "se inscreva no canal", "até o próximo vídeo", "até a próxima", "o que é isso", "e aí",
)  # fmt: skip
_SOUNDS = frozenset(
    "ah oh uh eh ih hum hmm hm ha he hi ho ai ui mm sh shh fsh tch tsc pst psst psiu pff brr grr".split()
)
_COPIES = re.compile(r"([^\W\d]{1,3}?)\1{2,}", re.IGNORECASE)
"""A letter or a syllable three times and more."""
_DRAWN_OUT = re.compile(rf"[^\W\d]?{_COPIES.pattern}[^\W\d]{{0,2}}")
"""A word of it: "aaaaah", "hahaha"."""
LONG, FEW = 6, 2
"""No word of so many letters has so few different ones: "fufufuffufuf"."""


class Silence:
    """What a model thinks of texts where it hears nothing."""

    def __init__(self, model: ctranslate2.models.Whisper, features: NDArray[np.float32]) -> None:
        """`features` is silence as the model's finals have it: log-mel, shape (mels, frames)."""
        self._model = model
        self._features = features

    def logprob(self, sot_sequence: list[int], tokens: list[int]) -> float:
        """Mean log probability of a text's tokens, of which there are some, as the model itself would write them."""
        (found,) = self._model.align(self._encoded, sot_sequence, [tokens], [self._features.shape[1]])
        return float(logs(found.text_token_probs[: len(tokens)]).mean())

    @cached_property
    def _encoded(self) -> ctranslate2.StorageView:
        return self._model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(self._features)[None]))


def logs(probabilities: Sequence[float]) -> NDArray[np.float64]:
    """Their natural logarithms; none is taken for impossible."""
    found: NDArray[np.float64] = np.log(np.maximum(np.asarray(probabilities), LEAST_PROBABILITY))
    return found


def weighed(text: str) -> str:
    """What of a text is held against silence.

    What is said again and again is easy to foresee, whoever says it: there each word counts once, and of a word that
    is drawn out each letter.
    """
    text = _COPIES.sub(r"\1", text)
    words = text.split()
    bare = repetition.plain(words)
    once = [word for at, word in enumerate(words) if bare.index(bare[at]) == at]
    return " ".join(once) if len(once) < REPETITIVE * len(words) else text


def spellings(text: str) -> list[str]:
    """As what a text is held against silence: what Whisper writes by habit as it writes it elsewhere, too.

    "e aí" is less likely there than "E aí?" (-3.9 and -2.3, `base`), which says nothing about who speaks.
    """
    words = " ".join(_plain(text))
    return [text, *(words.capitalize() + end for end in "?.!")] if words in _HABITS else [text]


def excess(text: str, evidence: float, no_speech: float) -> float:
    """By how much a text's evidence is more than what is asked for; the text is not believed where it is less."""
    words = _plain(text)
    asked = LEAST + OF_NO_SPEECH * max(no_speech - SPEECH, 0.0)
    if all(map(_is_sound, words)):
        asked += OF_A_SOUND
    elif " ".join(words) in _HABITS:
        asked += OF_A_HABIT
    if REPEATED * len(set(words)) < len(words):
        asked += OF_A_REPETITION
    return evidence - asked


def is_heard_again(text: str, believed: str) -> bool:
    """Whether a text begins as one that was believed of less of the same audio."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(_plain(text), _plain(believed), strict=False))
    return len({word for word, _ in same}) >= HEARD_AGAIN


def _plain(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()


def _is_sound(word: str) -> bool:
    babbled = word.isalpha() and len(word) >= LONG and len(set(word)) <= FEW
    return babbled or word in _SOUNDS or _DRAWN_OUT.fullmatch(word) is not None
