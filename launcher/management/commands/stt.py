"""`python manage.py stt`."""

import logging
import sys
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from launcher import launch

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Runs the whole service on this machine: Redis, database, worker, web."""

    help = "Run the whole service on this machine (Ctrl-C stops it)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether to start anything."""
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="check settings, port, Redis, database, device and model, say what would be downloaded, and exit",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until Ctrl-C, or until something fails; exits with `launch.run`'s code, or with `launch.dry_run`'s."""
        sys.exit((launch.dry_run if options["dry_run"] else launch.run)(self._say))

    def _say(self, text: str) -> None:
        if settings.STT.log_format == "json":
            logger.info(text.strip())
            return
        with suppress(OSError):  # nobody reads it any more
            self.stdout.write(text)
            self.stdout.flush()
