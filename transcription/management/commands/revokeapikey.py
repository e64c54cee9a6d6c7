"""`python manage.py revokeapikey PREFIX`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from transcription.keys import access
from transcription.management.records import RecordsCommand
from transcription.models import ApiKey


class Command(RecordsCommand):
    """Revokes an API key, found by how it begins."""

    help = "Revoke an API key, for good. The next handshake is refused, live sessions end within seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Its prefix; not the key itself, which does not belong on a command line."""
        parser.add_argument("prefix", help="how the key begins: the part between stt_ and the next _")

    def handle(self, *args: Any, **options: Any) -> None:
        """Revoke it; one that was revoked before stays so. Raises `CommandError` when there is none."""
        key = ApiKey.objects.filter(prefix=options["prefix"].removeprefix("stt_").partition("_")[0]).first()
        if key is None:
            raise CommandError("No API key begins like this; the admin lists them.")
        done = access.revoke(ApiKey.objects.filter(pk=key.pk))
        self.stdout.write(f"{key} {'is revoked.' if done else 'was revoked before.'}")
