"""Sentences as spoken, and as they should be written with their entities."""

import pytest

from tests.core.text.corpus import Sentence, read
from transcription.core.text.formatting import format_text


@pytest.mark.parametrize("sentence", [*read("fixed"), *read("unseen")], ids=lambda sentence: sentence.spoken[:60])
def test_sentence_is_written_as_it_should_be(sentence: Sentence) -> None:
    """Text, and entities with type, text and value."""
    formatted = format_text(sentence.spoken)

    assert formatted.text == sentence.written
    assert [(entity.type, entity.text, entity.value) for entity in formatted.entities] == sentence.entities


def test_the_corpus_has_no_sentence_twice() -> None:
    """In neither half; and it is as large as it is said to be."""
    spoken = [sentence.spoken for half in ("fixed", "unseen") for sentence in read(half)]

    assert len(set(spoken)) == len(spoken) >= 600
