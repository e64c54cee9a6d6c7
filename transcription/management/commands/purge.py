"""`python manage.py purge`."""

import time
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import Error, close_old_connections

from transcription.audit import retention
from transcription.management.records import AGAIN_S, RecordsCommand

MOST_DAYS, MOST_HOURS = 36_500, 8_760


class Command(RecordsCommand):
    """Deletes the records of old sessions."""

    help = "Delete the records of sessions older than STT_RETENTION_DAYS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How old sessions may be (days), and how often to look again (hours)."""
        parser.add_argument("--days", type=int, metavar="N", help="instead of STT_RETENTION_DAYS")
        parser.add_argument("--every", type=float, metavar="HOURS", help="go on, again and again")

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete them, once or, with `--every`, for ever: then a database that is away is told and tried again."""
        days = settings.STT.retention_days if options["days"] is None else options["days"]
        if not 0 <= days <= MOST_DAYS:
            raise CommandError(f"--days: expected 0 (keep) to {MOST_DAYS}")
        every = options["every"]
        if every is None:
            self._purge(days)
            return
        if not 0 < every <= MOST_HOURS:
            raise CommandError(f"--every: expected more than 0 and at most {MOST_HOURS} hours")
        while True:
            pause_s = every * 3600
            try:
                self._purge(days)
            except Error as error:
                self.stderr.write(f"Nothing purged, the database cannot be used: {error}")
                pause_s = min(pause_s, AGAIN_S)
            close_old_connections()
            time.sleep(pause_s)

    def _purge(self, days: int) -> None:
        if not days:
            self.stdout.write("Records are kept for ever: STT_RETENTION_DAYS is 0.")
            return
        count = retention.purge(datetime.now(UTC) - timedelta(days=days))
        self.stdout.write(f"Sessions purged, {days} days old or more: {count}")
