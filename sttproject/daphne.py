"""The web process's command: `python -m sttproject.daphne <Daphne's arguments> sttproject.asgi:application`."""

from transcription.ingress.server import Command

if __name__ == "__main__":
    Command.entrypoint()
