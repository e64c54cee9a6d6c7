"""When finals of recordings may be decoded, and where."""

import pytest

from transcription.core.contract.jobs import RECORDED_TURN_S
from workers.yielding import PAUSE_S, Yielding


@pytest.mark.parametrize(("lanes", "pause"), [(1, 1), (2, 1), (4, 3)])
def test_they_have_what_people_who_speak_leave(lanes: int, pause: int) -> None:
    """Nothing while somebody speaks, all lanes but one in a pause."""
    yielding = Yielding(lanes, max_batch=8)
    yielding.recorded(100.0)
    yielding.live(100.0)

    assert yielding.lanes(100.0 + PAUSE_S / 2) == 0
    assert yielding.lanes(100.0 + PAUSE_S) == pause
    assert yielding.lanes(100.0 + 3600) == pause


@pytest.mark.parametrize(("lanes", "granted"), [(1, 1), (2, 1), (4, 3)])
def test_they_have_a_turn_however_much_is_said(lanes: int, granted: int) -> None:
    """And then not until the next one."""
    yielding = Yielding(lanes, max_batch=8)
    yielding.recorded(100.0)
    now = 100.0 + RECORDED_TURN_S
    yielding.live(now)

    assert (yielding.due(now - 0.1), yielding.due(now), yielding.lanes(now)) == (False, True, granted)
    yielding.recorded(now)
    assert (yielding.due(now + 0.1), yielding.lanes(now + 0.1)) == (False, 0)


@pytest.mark.parametrize(
    ("lanes", "max_batch", "together", "most"), [(2, 8, 1, 2), (4, 8, 1, 4), (1, 16, 2, 3), (1, 1, 1, 2)]
)
def test_few_are_decoded_together_and_few_are_taken_in_hand(
    lanes: int, max_batch: int, together: int, most: int
) -> None:
    """What may be decoded, and the next one."""
    yielding = Yielding(lanes, max_batch)

    assert (yielding.max_batch, yielding.most) == (together, most)
