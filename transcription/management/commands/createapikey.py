"""`python manage.py createapikey NAME`."""

from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from transcription.keys import access
from transcription.management.records import RecordsCommand
from transcription.models import ApiKey


class Command(RecordsCommand):
    """Makes an API key and prints it, once."""

    help = "Make an API key. It goes to stdout, alone and once: only its hash is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A name, and limits: an expiry in days, sessions at a time, minutes a day."""
        parser.add_argument("name", help="whose key it is")
        parser.add_argument("--expires-days", type=float, metavar="N", help="good for so many days (for good)")
        parser.add_argument("--max-sessions", type=int, metavar="N", help="sessions at a time (no limit of its own)")
        parser.add_argument("--operator", action="store_true", help="it may read the usage of all keys (/api/usage)")
        parser.add_argument("--minutes-a-day", type=int, metavar="N", help="minutes of audio a day, UTC (no limit)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the key; its token goes to stdout. Raises `CommandError` with a line for each value that is refused."""
        days = options["expires_days"]
        try:
            expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
        except (OverflowError, ValueError):
            raise CommandError(f"expires: expected days within the calendar, got {days:g}") from None
        key = ApiKey(
            name=options["name"],
            expires=expires,
            max_sessions=options["max_sessions"],
            minutes_a_day=options["minutes_a_day"],
            operator=options["operator"],
        )
        try:
            token = access.issue(key)
        except ValidationError as error:
            lines = [f"{field}: {' '.join(told)}" for field, told in error.message_dict.items()]
            raise CommandError("\n".join(lines)) from None
        self.stderr.write(f"API key of {key.name}, shown this once:")
        self.stdout.write(token)
