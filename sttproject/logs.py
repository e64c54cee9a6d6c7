"""How every process logs: to stderr, redacted, as text or as one JSON object a line (STT_LOG_FORMAT)."""

import logging
import sys
from types import TracebackType
from typing import Any

from sttproject import env

logger = logging.getLogger(__name__)

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configuration(stt: env.Env) -> dict[str, Any]:
    """For `logging.config.dictConfig`."""
    as_json = stt.log_format == "json"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "brief": {"class": "transcription.ingress.redaction.Brief", "format": _TEXT},
            "line": {"class": "transcription.ingress.redaction.Redactor", "format": _TEXT},
            "json": {"class": "transcription.ingress.json_lines.JsonLine"},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json" if as_json else "line"},
            "brief": {"class": "logging.StreamHandler", "formatter": "json" if as_json else "brief"},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            **{name: {"level": stt.log_level} for name in ("transcription", "workers", "sttproject", "launcher")},
            # one line: who asks by another name is told so, and needs no traceback
            "django.security.DisallowedHost": {"handlers": ["brief"], "propagate": False},
        },
    }


def catch_the_rest(stt: env.Env) -> None:
    """Where lines are JSON, log what Python would print: warnings, and the exception that ends the process."""
    if stt.log_format != "json":
        return

    def log(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, where)
        else:
            logger.critical("The process ends: %s", error, exc_info=(kind, error, where))

    logging.captureWarnings(True)
    sys.excepthook = log
