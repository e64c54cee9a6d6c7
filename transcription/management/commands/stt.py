"""`python manage.py stt`."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from sttproject import launch


class Command(BaseCommand):
    """Runs the whole service on this machine: Redis, database, worker, web."""

    help = "Run the whole service on this machine (Ctrl-C stops it)."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it."""
        sys.exit(launch.run(self._say))

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
