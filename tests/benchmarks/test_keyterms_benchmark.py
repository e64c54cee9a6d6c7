"""Terms of clips, and how they are counted."""

from dataclasses import replace

import numpy as np

from benchmarks.clips import Recording, made
from benchmarks.keyterms import Texts, among, keyterms_markdown, listened, terms_of
from transcription.core.contract.jobs import Kind


def clip(text: str, terms: tuple[str, ...] | None = None) -> Recording:
    recording = made(text, np.zeros(320, np.int16), text=text)
    return replace(recording, clip=replace(recording.clip, terms=terms))


def test_a_clip_s_terms_are_its_longest_words_that_no_other_has() -> None:
    """Unless its line has some, or has none."""
    pool = [
        clip("a cooperativa abriu em Piracicaba uma filial"), clip("a cooperativa de crédito"),
        clip("falei com a Sicoob", ("Sicoob",)), clip("bom dia cavalheiro", ()),
    ]  # fmt: skip

    assert terms_of(pool) == [("piracicaba", "filial"), ("crédito",), ("Sicoob",), ()]


def test_a_list_has_a_clip_s_own_terms_among_others() -> None:
    """As many as a session may have, each once."""
    everything = [f"termo{n}" for n in range(150)]
    found = among(("termo7", "termo9"), everything, np.random.default_rng(0))

    assert len(found) == len(set(found)) == 100
    assert {"termo7", "termo9"} < set(found)


def test_what_is_written_is_counted_where_it_was_said_and_where_not() -> None:
    """Whole words, in capitals or not."""
    pool = [clip("falei com a Sicoob ontem"), clip("bom dia")]
    lists = [("Sicoob", "Unimed"), ("Sicoob", "Dia")]
    texts = [
        Texts("falei com a se cobe ontem", "falei com a sicoob, ontem", 1.0, 1.5),
        Texts("bom dia Sicoob", "Unimed bom dia Sicoobs", 1.0, 1.5),
    ]
    found = listened(Kind.FINAL, pool, lists, texts)

    assert (found.said, found.found_plain, found.found) == (2, 1, 2)
    assert (found.invented_plain, found.invented) == ([("Sicoob", "bom dia Sicoob")], [])
    assert (found.cpu_ms_plain, found.cpu_ms) == (1000.0, 1500.0)
    assert found.wer < found.wer_plain
    assert "| final | 2 | 1 → 2 | 1 → 0 |" in keyterms_markdown([found])
