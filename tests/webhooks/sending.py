"""The service with what sends its events."""

import re
import sys
from typing import Self

from harness.processes import ROOT
from harness.stack import Stack
from launcher.supervisor import Child
from tests.system.test_audit import MAKE_USERS, log_in, post, rows

ADMIN = "/admin/transcription/"
MAKE_ADMIN = MAKE_USERS + 'User.objects.create_superuser("admin", password="a long password")'


class Sending(Stack):
    """The service, with an administrator and a process that sends events."""

    def start(self, workers: int = 1, webs: int = 1) -> Self:
        """With users: `admin`, and those of the audit's tests."""
        super().start(workers, webs)
        self.manage("shell", "-v", "0", "-c", MAKE_ADMIN)
        return self

    def start_sender(self, **settings: str) -> Child:
        """One more of them."""
        return self.run("webhooks", [sys.executable, str(ROOT / "manage.py"), "webhooks"], self.env | settings)

    def hook(self, name: str, url: str, **fields: str) -> str:
        """A new webhook, made in the admin; its secret."""
        form = {"name": name, "url": url, "segment_final": "on", "session_closed": "on", "active": "on"}
        with log_in(self, "admin") as browser:
            page = post(browser, f"{self.http_url}{ADMIN}webhook/add/", **form | fields)
        (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", page.text)
        return secret

    def events(self) -> list[tuple[str, int, bool]]:
        """Undelivered ones: id, attempts, whether they are given up."""
        return rows(self, "SELECT event_id, attempts, given_up IS NOT NULL FROM transcription_delivery ORDER BY id")
