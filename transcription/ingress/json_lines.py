"""The log as one JSON object a line, for what collects logs; without secrets, as the other formatters'."""

import logging
from datetime import UTC, datetime

import msgspec

from transcription.ingress.redaction import redacted

_OWN = frozenset(vars(logging.makeLogRecord({})))
"""What every record has; the rest was given as `extra`."""


class JsonLine(logging.Formatter):
    """`time`, `level`, `logger`, `message`, `error` (a traceback), and whatever is known of whom the line is about."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        given = vars(record).items()
        line |= {name: value for name, value in given if name not in _OWN and isinstance(value, str | int | float)}
        if record.exc_info and record.exc_info[0]:
            line["error"] = redacted(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()
