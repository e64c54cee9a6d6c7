"""What a list of dates offers."""

from datetime import date

import pytest

from transcription.audit.dates import choices

FIRST, LAST = date(2025, 11, 20), date(2026, 2, 3)


@pytest.mark.parametrize(
    ("chosen", "titles", "back"),
    [
        ({}, ["2025", "2026"], None),
        ({"at__year": "2025"}, ["2025-11", "2025-12"], "All dates"),
        ({"at__year": "2026", "at__month": "2"}, ["2026-02-01", "2026-02-02", "2026-02-03"], "2026"),
        ({"at__year": "2026", "at__month": "2", "at__day": "3"}, [], "2026-02"),
        ({"at__year": "2026", "at__month": "13"}, [], "2026"),
        ({"at__year": "nonsense"}, ["2025", "2026"], None),
    ],
)
def test_the_level_below_what_is_chosen(chosen: dict[str, str], titles: list[str], back: str | None) -> None:
    """Within the table's dates, with the way back."""
    found = choices("at", chosen, FIRST, LAST)

    assert [title for title, _ in found.choices] == titles
    assert (found.back[0] if found.back else None) == back


def test_a_choice_s_lookups_name_the_whole_of_it() -> None:
    """Year and month and day."""
    (_, lookups), *_ = choices("at", {"at__year": "2026", "at__month": "1"}, FIRST, LAST).choices

    assert lookups == {"at__year": 2026, "at__month": 1, "at__day": 1}
