"""`manage.py housekeeping`: when each of its chores is done."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.contrib.sessions.models import Session as Login
from django.core.management import call_command
from django.db import OperationalError
from pytest_django.fixtures import Settings

from transcription.audit import retention
from transcription.management.commands import housekeeping, purge

pytestmark = pytest.mark.django_db


class Over(Exception):
    """Long enough."""


@pytest.fixture
def runs_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Has it run for so many seconds, in which nobody waits."""
    elapsed = 0.0
    monkeypatch.setattr(housekeeping, "close_old_connections", lambda: None)  # the test's own

    def run(seconds: float) -> None:
        def sleep(pause: float) -> None:
            nonlocal elapsed
            elapsed += pause
            if elapsed > seconds:
                raise Over

        monkeypatch.setattr(housekeeping, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: 1e6 + elapsed))
        with pytest.raises(Over):
            call_command("housekeeping")

    return run


def test_a_purge_that_failed_is_not_put_off_for_a_day(
    runs_for: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """The database was away for a moment; once it is done, it is not done again."""
    purges: list[datetime] = []

    def fail_twice(before: datetime) -> None:
        purges.append(before)
        if len(purges) < 3:
            raise OperationalError

    monkeypatch.setattr(retention, "purge", fail_twice)
    settings.STT = settings.STT.model_copy(update={"retention_days": 30})
    runs_for(1000)

    assert len(purges) == 3


def test_nor_is_one_that_runs_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """`purge --every 24`: after a minute, then after a day."""
    is_away = iter([True, False])
    pauses: list[float] = []

    def answer(_: datetime) -> int:
        if next(is_away):
            raise OperationalError
        return 0

    def sleep(pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 2:
            raise Over

    monkeypatch.setattr(purge, "close_old_connections", lambda: None)
    monkeypatch.setattr(purge, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(retention, "purge", answer)
    with pytest.raises(Over):
        call_command("purge", "--every=24", "--days=30")

    assert pauses == [60, 86_400]


def test_logins_that_have_lapsed_are_forgotten() -> None:
    """Those that have not stay."""
    now = datetime.now(UTC)
    for name, days in (("lapsed", -1), ("good", 1)):
        Login.objects.create(session_key=name, session_data="", expire_date=now + timedelta(days=days))
    call_command("housekeeping", "--once")

    assert [login.session_key for login in Login.objects.all()] == ["good"]
