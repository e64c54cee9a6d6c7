"""Counting rows of tables that may be large: exact where that is cheap."""

from datetime import UTC, datetime

import pytest

from transcription.audit import paging
from transcription.audit.paging import EstimatingPaginator, estimated_rows
from transcription.models import Session

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve, two of them erased; five are already many."""
    monkeypatch.setattr(paging, "EXACT_UP_TO", 5)
    for number in range(12):
        Session.objects.create(
            uid=f"u{number}", session_id="s", language="pt" if number < 7 else "en", sample_rate=16_000,
            started_at=datetime(2026, 3, 1, tzinfo=UTC),
        )  # fmt: skip
    Session.objects.filter(uid__in=["u3", "u4"]).delete()


def test_a_whole_table_is_estimated() -> None:
    """By its highest key, where the database has no statistics."""
    rows = Session.objects.order_by("-started_at")
    highest = Session.objects.latest("pk").pk

    assert estimated_rows(rows) == EstimatingPaginator(rows, 2).count == highest


def test_a_small_table_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "EXACT_UP_TO", 1_000_000)

    assert EstimatingPaginator(Session.objects.order_by("pk"), 2).count == 10
    Session.objects.all().delete()
    assert EstimatingPaginator(Session.objects.order_by("pk"), 2).count == 0


@pytest.mark.parametrize(("language", "count"), [("en", 5), ("fr", 0), ("pt", 5)])
def test_what_is_filtered_is_counted_up_to_a_bound(language: str, count: int) -> None:
    """One more stands for more."""
    assert EstimatingPaginator(Session.objects.filter(language=language).order_by("pk"), 2).count == count


def test_no_page_is_so_deep_that_the_database_walks_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PAGES", 3)
    paginator = EstimatingPaginator(Session.objects.order_by("pk"), 1)

    assert paginator.num_pages == 3
    assert paginator.get_page(99).number == 3
