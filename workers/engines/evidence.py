"""How much the audio, and not the language model, supports a text.

What Whisper writes over a cough or a knock is what it would write anyway: "O que é isso?". So a final's text is scored
once more on silence, in one pass of `align` over two seconds; the evidence is how much likelier its tokens are on the
audio than on that (natural logarithms, on average). docs/quality.md has what it is on noise and on speech.
"""

from functools import cached_property

import ctranslate2
import numpy as np
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

ENOUGH = 1.25
ENOUGH_OF_A_HABIT = 2.0
"""What is asked of texts that Whisper writes over noise by habit. Said by people they have more: "Obrigado." 2.3."""
LEAST_PROBABILITY = 1e-8

_HABITS = (
    "legendas pela comunidade amara org", "legenda", "legendas", "obrigado por assistir", "obrigada por assistir",
    "inscreva se no canal", "se inscreva no canal", "até o próximo vídeo", "até a próxima", "o que é isso", "e aí",
)  # fmt: skip
_SOUNDS = frozenset("ah oh uh eh ih hum hmm hm ha he hi ho ai ui".split())


class Silence:
    """What a model thinks of texts where it hears nothing."""

    def __init__(self, model: ctranslate2.models.Whisper, features: NDArray[np.float32]) -> None:
        """`features` is silence as the model's finals have it: log-mel, shape (mels, frames)."""
        self._model = model
        self._features = features

    def logprob(self, tokenizer: Tokenizer, text: str) -> float:
        """Mean log probability of a text's tokens; the text is not empty.

        Each word counts once: what is said again and again is easy to foresee, whoever says it. Not so interjections,
        which are what breath and animals are written as.
        """
        tokens = tokenizer.encode(" " + (text if _is_habit(text) else _once(text)))
        (found,) = self._model.align(self._encoded, tokenizer.sot_sequence, [tokens], [self._features.shape[1]])
        probabilities = np.asarray(found.text_token_probs[: len(tokens)])
        return float(np.log(np.maximum(probabilities, LEAST_PROBABILITY)).mean())

    @cached_property
    def _encoded(self) -> ctranslate2.StorageView:
        return self._model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(self._features)[None]))


def is_enough(text: str, evidence: float) -> bool:
    """Whether a text is believed that has so much evidence."""
    return evidence >= (ENOUGH_OF_A_HABIT if _is_habit(text) else ENOUGH)


def _once(text: str) -> str:
    first = {word.strip(".,!?…").lower(): word for word in reversed(text.split())}
    return " ".join(reversed(first.values()))


def _is_habit(text: str) -> bool:
    words = "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()
    return " ".join(words) in _HABITS or all(word in _SOUNDS or _is_drawn_out(word) for word in words)


def _is_drawn_out(word: str) -> bool:
    return len(word) > 2 and len(set(word)) == 1 and word.isalpha()
