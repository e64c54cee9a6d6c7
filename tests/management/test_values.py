"""What the commands are given that means nothing: a sentence that names it, not a traceback."""

import pytest
from django.core.management import CommandError, call_command

from transcription.models import ApiKey

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("days", ["1e12", "inf", "nan", "-1e12", "-1"])
def test_a_key_s_days_are_a_number_of_days_to_come(days: str) -> None:
    with pytest.raises(CommandError, match="expires"):
        call_command("createapikey", "ana", f"--expires-days={days}")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("days", ["-1", "100000000000"])
def test_a_purge_s_days_lie_in_the_calendar(days: str) -> None:
    with pytest.raises(CommandError, match="--days: expected"):
        call_command("purge", f"--days={days}")


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf"])
def test_a_purge_is_not_repeated_without_a_pause(hours: str) -> None:
    with pytest.raises(CommandError, match="--every: expected"):
        call_command("purge", f"--every={hours}")
