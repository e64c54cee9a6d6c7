"""`python manage.py housekeeping`: what has to be done now and then, in one process."""

import logging
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session as Login
from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections

from transcription.audit import bulk, retention, rollup
from transcription.management.records import AGAIN_S

logger = logging.getLogger(__name__)

IDLE_S = 2.0
"""How soon a bulk job is begun."""
FAILED = object()


@dataclass(slots=True)
class Chore:
    """What is done every so often."""

    name: str
    every_s: float
    do: Callable[[datetime], object]
    due: float = 0.0


class Command(BaseCommand):
    """Bulk jobs at once, usage every five minutes, old records and logins once a day."""

    help = "Do bulk exports and erasures, roll up usage, purge by STT_RETENTION_DAYS, for ever. One process is enough."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether to do all of it once."""
        parser.add_argument("--once", action="store_true", help="do what there is, and end (for cron)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; a database that is away is told, and tried again."""
        chores = [
            Chore("Usage", 300, rollup.roll_up), Chore("Purge", 86_400, _purge), Chore("Jobs", 3_600, bulk.forget_old),
            Chore("Logins", 86_400, _forget_logins),
        ]  # fmt: skip
        if options["once"]:
            for chore in chores:
                chore.do(datetime.now(UTC))
            while bulk.step(datetime.now(UTC)):
                pass
            return
        while True:
            for chore in chores:
                if time.monotonic() >= chore.due:
                    is_done = self._try(chore.name, chore.do) is not FAILED
                    chore.due = time.monotonic() + (chore.every_s if is_done else AGAIN_S)
            is_busy = self._try("Bulk job", bulk.step) is True
            close_old_connections()
            if not is_busy:
                time.sleep(IDLE_S)

    def _try(self, name: str, do: Callable[[datetime], object]) -> object:
        """What it gives, or `FAILED`."""
        try:
            return do(datetime.now(UTC))
        except Error as error:
            self.stderr.write(f"{name}: put off, the database cannot be used: {error}")
        except Exception:
            logger.exception("%s: put off", name)  # whatever is wrong with one, the others are to be done
        return FAILED


def _purge(now: datetime) -> None:
    if days := settings.STT.retention_days:
        retention.purge(now - timedelta(days=days))


def _forget_logins(now: datetime) -> None:
    """Of the admin: those that have lapsed."""
    Login.objects.filter(expire_date__lt=now).delete()
