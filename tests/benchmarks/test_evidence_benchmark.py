"""What was said against what was not."""

import numpy as np
import pytest

from benchmarks.evidence import PIECES_S, Text, pieces, weights
from benchmarks.sounds import sounds
from workers.engines.evidence import OF_A_HABIT, OF_A_SOUND


def test_the_weights_part_what_is_parted() -> None:
    """Said where evidence is above 10 times no speech; a column that says nothing has next to no weight."""
    random = np.random.default_rng(0)
    rows = np.column_stack([random.uniform(0, 6, 2_000), random.uniform(0, 0.6, 2_000), random.normal(size=2_000)])
    margin = rows[:, 0] - 10 * rows[:, 1]
    evidence, no_speech, nothing, always = weights(rows[margin > 0.3], rows[margin < -0.3])

    assert no_speech / evidence == pytest.approx(-10, rel=0.1)
    assert abs(nothing / evidence) < 0.2
    assert abs(always / evidence) < 0.3


def test_pieces_are_of_all_sounds_and_lengths() -> None:
    """And others with another seed."""
    found, other = list(pieces(1, 2)), list(pieces(2, 2))

    assert len(found) == 2 * len(sounds())
    assert {round(piece.seconds, 1) for piece in found} == set(PIECES_S)
    assert not all(np.array_equal(a.pcm, b.pcm) for a, b in zip(found, other, strict=True))


@pytest.mark.parametrize(("text", "kind"), [("Sim.", 0.0), ("E aí?", OF_A_HABIT), ("Ahahahah!", OF_A_SOUND)])
def test_a_row_has_what_is_asked_of_the_words(text: str, kind: float) -> None:
    assert Text("a", text, 2.0, 0.4).row == [2.0, 0.4, pytest.approx(kind)]
