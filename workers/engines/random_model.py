"""A CTranslate2 Whisper model of any size with random weights: speed and memory as the real one's, and no download.

What a decode costs depends on shapes alone, so this is what a device is proven and measured with. Numbers lie in one
buffer and weights are stretches of it, each from a place of its own, so `large-v3` needs no more memory than its
largest tensor; on disk, and in the device, it is as large as the real one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs.whisper_spec import WhisperSpec
from numpy.typing import NDArray

WINDOW_POSITIONS, TEXT_POSITIONS = 1500, 448
LANGUAGES = 99
TIMESTAMPS = 1501
DEVIATION = 0.02
"""Standard deviation of the weights: small enough for float16, large enough that attention is not flat."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes a Whisper model as large as it is."""

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    mels: int
    vocabulary: int

    @property
    def end_of_text(self) -> int:
        """The id of `<|endoftext|>`; what is below it is text."""
        return self.vocabulary - TIMESTAMPS - len(_specials(self.languages))

    @property
    def languages(self) -> int:
        """Of `large-v3` on one more; the smallest has one alone."""
        return 1 if self.vocabulary < 51_865 else LANGUAGES + (self.vocabulary > 51_865)


SHAPES = {
    "tiny": Shape(64, 2, 2, 2, 80, 4_096),
    "base": Shape(512, 8, 6, 6, 80, 51_865),
    "distil-large-v3": Shape(1280, 20, 32, 2, 128, 51_866),
    "large-v3-turbo": Shape(1280, 20, 32, 4, 128, 51_866),
    "large-v3": Shape(1280, 20, 32, 32, 128, 51_866),
}
"""Layers, width and mels as in the `config.json` of OpenAI's and Distil-Whisper's; `tiny` is smaller than any."""


def write(shape: Shape, directory: Path, seed: int = 0) -> None:
    """Write a model of this shape, in float16, into a directory that exists."""
    spec = WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    numbers = _Numbers(shape, seed)
    _fill_encoder(spec.encoder, shape, numbers)
    _fill_decoder(spec.decoder, shape, numbers)
    last = range(shape.decoder_layers // 2, shape.decoder_layers)
    spec.config.alignment_heads = [[layer, head] for layer in last for head in range(min(shape.heads, 4))]
    specials = _specials(shape.languages)
    first = shape.end_of_text
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], [first]
    spec.config.lang_ids = list(range(first + 2, first + 2 + shape.languages))
    text = [f"t{number}" for number in range(first)]
    spec.register_vocabulary([*text, *specials, *(f"<|{number * 0.02:.2f}|>" for number in range(TIMESTAMPS))])
    spec.validate()
    spec.decoder.projection.weight = "decoder/embeddings/weight"  # one tensor, as in the real ones
    spec.save(str(directory))


def start_tokens(shape: Shape) -> list[int]:
    """A prompt as the service's finals have it: start, language, task, no timestamps."""
    names = _specials(shape.languages)
    wanted = ("<|startoftranscript|>", names[2], "<|transcribe|>", "<|notimestamps|>")
    return [shape.end_of_text + names.index(name) for name in wanted]


def _specials(languages: int) -> list[str]:
    codes = ["<|pt|>", *(f"<|l{number}|>" for number in range(1, languages))]
    tasks = "translate transcribe startoflm startofprev nospeech notimestamps".split()
    return ["<|endoftext|>", "<|startoftranscript|>", *codes, *(f"<|{task}|>" for task in tasks)]


class _Numbers:
    """Random numbers, the same ones again and again from other places."""

    def __init__(self, shape: Shape, seed: int) -> None:
        size = max(shape.vocabulary, 4 * shape.width) * shape.width + 65_536
        self._buffer = np.random.default_rng(seed).standard_normal(size, np.float32).astype(np.float16)
        self._buffer *= np.float16(DEVIATION)
        self._at = 0

    def __call__(self, *shape: int) -> NDArray[np.float16]:
        size = int(np.prod(shape))
        self._at = (self._at + 997) % (self._buffer.size - size + 1)
        return self._buffer[self._at : self._at + size].reshape(shape)


def _fill_encoder(encoder: Any, shape: Shape, numbers: _Numbers) -> None:
    width = shape.width
    for convolution, channels in ((encoder.conv1, shape.mels), (encoder.conv2, width)):
        convolution.weight, convolution.bias = numbers(width, channels, 3), numbers(width)
    encoder.position_encodings.encodings = numbers(WINDOW_POSITIONS, width)
    _norm(encoder.layer_norm, width)
    for layer in encoder.layer:
        _self_attention(layer.self_attention, width, numbers)
        _feed_forward(layer.ffn, width, numbers)


def _fill_decoder(decoder: Any, shape: Shape, numbers: _Numbers) -> None:
    width = shape.width
    decoder.embeddings.weight = decoder.projection.weight = numbers(shape.vocabulary, width)
    decoder.position_encodings.encodings = numbers(TEXT_POSITIONS, width)
    _norm(decoder.layer_norm, width)
    for layer in decoder.layer:
        _self_attention(layer.self_attention, width, numbers)
        _norm(layer.attention.layer_norm, width)
        for linear, times in zip(layer.attention.linear, (1, 2, 1), strict=True):
            _linear(linear, times * width, width, numbers)
        _feed_forward(layer.ffn, width, numbers)


def _self_attention(attention: Any, width: int, numbers: _Numbers) -> None:
    _norm(attention.layer_norm, width)
    for linear, times in zip(attention.linear, (3, 1), strict=True):
        _linear(linear, times * width, width, numbers)


def _feed_forward(ffn: Any, width: int, numbers: _Numbers) -> None:
    _norm(ffn.layer_norm, width)
    _linear(ffn.linear_0, 4 * width, width, numbers)
    _linear(ffn.linear_1, width, 4 * width, numbers)


def _linear(linear: Any, outputs: int, inputs: int, numbers: _Numbers) -> None:
    linear.weight, linear.bias = numbers(outputs, inputs), numbers(outputs)


def _norm(norm: Any, width: int) -> None:
    norm.gamma, norm.beta = np.ones(width, np.float16), np.zeros(width, np.float16)
