"""Tokens as the model writes them."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from workers.engines.model_store import resolve
from workers.engines.vocabulary import repaired

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def published() -> Tokenizer:
    return Tokenizer.from_file(str(Path(resolve("base", None, "~/.cache/whisper-stt")) / "tokenizer.json"))


def test_a_word_that_begins_with_t_is_one_with_its_space(published: Tokenizer) -> None:
    """As every other; the published file takes them apart."""
    assert repaired(published).encode(" tem", add_special_tokens=False).tokens == ["Ġtem"]


@pytest.mark.parametrize("text", [" Você não sabe", " é às 15h", " R$ 120,50"])
def test_other_tokens_stay(published: Tokenizer, text: str) -> None:
    """Their numbers, too."""
    whole = repaired(published)

    assert whole.encode(text, add_special_tokens=False).ids == published.encode(text, add_special_tokens=False).ids
    assert repaired(whole) is whole
