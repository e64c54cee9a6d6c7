"""Keeps API keys, and names that clients listen for, out of the logs."""

import logging
import re

_SECRETS = re.compile(r"(stt_[0-9a-f]{12}_)[\w-]+|((?:[?&]|\b)(?:token|keyterms?|keywords)=)[^&\s\"']+", re.IGNORECASE)


def redacted(text: str) -> str:
    """The text without the secret parts of keys, and without what follows `token=`, `keyterm=` and the like."""
    return _SECRETS.sub(lambda found: f"{found[1] or found[2]}***", text)


class Redactor(logging.Formatter):
    """A formatter that redacts the finished line, its traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without secrets."""
        return redacted(super().format(record))


class Brief(Redactor):
    """A redactor of one line a record, without tracebacks."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """No text, in place of the traceback."""
        return ""

    def format(self, record: logging.LogRecord) -> str:
        """The line up to its first break."""
        return super().format(record).partition("\n")[0]
