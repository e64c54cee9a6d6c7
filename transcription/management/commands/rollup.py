"""`python manage.py rollup`."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from transcription.audit import rollup


class Command(BaseCommand):
    """Adds up usage, once; `housekeeping` goes on doing it."""

    help = "Add up the usage of days that are new or have changed, for the admin's home and /api/usage."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; nothing is counted twice."""
        self.stdout.write(f"Days rolled up: {rollup.roll_up(datetime.now(UTC))}")
