"""Commands that read and write the records."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

AGAIN_S = 60.0
"""How soon is tried again what the database was away for."""


class RecordsCommand(BaseCommand):
    """One that says in a sentence that there is no database to work on, or none of its tables."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it. Raises `CommandError` for a database that cannot be used."""
        try:
            return super().execute(*args, **options)
        except (OperationalError, ProgrammingError) as error:
            how = "manage.py migrate makes its tables, and so does make run"
            raise CommandError(f"The database of DATABASE_URL cannot be used: {error} ({how})") from None
