"""The web process's command: `python -m sttproject.daphne <Daphne's arguments> sttproject.asgi:application`."""

import uvloop
from twisted.internet import asyncioreactor

# before Daphne is imported, which keeps a reactor of this kind; uvloop's own loop in it, as docs/decisions.md says
asyncioreactor.install(uvloop.new_event_loop())

from transcription.ingress.server import Command  # noqa: E402

if __name__ == "__main__":
    Command.entrypoint()
