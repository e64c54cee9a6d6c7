"""`python manage.py erase SESSION_ID`."""

from argparse import ArgumentParser
from typing import Any

import redis
from django.core.management.base import CommandError

from transcription.audit import actions, retention
from transcription.management.records import RecordsCommand
from transcription.models import Session


class Command(RecordsCommand):
    """Erases all that is kept of a session."""

    help = "Erase all that is kept of the sessions with this session_id: records, and what Redis still holds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose: all sessions of a client's name for them, or one by its uid."""
        parser.add_argument("session_id", help="the client's session_id, or the uid of one session")

    def handle(self, *args: Any, **options: Any) -> None:
        """Erase them. Raises `CommandError`, with nothing erased, when one is live or Redis does not answer."""
        name = options["session_id"]
        chosen = Session.objects.filter(uid=name)
        if not chosen:
            chosen = Session.objects.filter(session_id=name)
        if not chosen:
            raise CommandError(f"No session is recorded as {name}.")
        try:
            if actions.held(chosen):
                raise CommandError(f"{name} is live: end it first (revoke its key, or let it close).")
            for session in chosen:
                retention.forget(session)
        except redis.RedisError as error:
            raise CommandError(f"Nothing erased, Redis does not answer: {error}") from None
        self.stdout.write(f"Sessions erased: {retention.delete(chosen)}")
