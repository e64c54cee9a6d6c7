"""`python manage.py webhooks`."""

import asyncio
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from transcription.webhooks.relay import Relay


class Command(BaseCommand):
    """Sends events to the webhooks made in the admin."""

    help = "Send what has happened to the webhooks made in the admin, for ever (SIGTERM: finish what has been begun)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Send until SIGTERM or Ctrl-C."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await Relay(settings.STT.webhook_hosts, settings.STT.webhook_networks).run(stop)
