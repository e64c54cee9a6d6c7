"""What a person may do about an error of the service's, added to what it says."""

import os

from whisper_stt.errors import NobodyListensError, RefusedError
from whisper_stt.session.words import _, noop

START = noop("Start the service (make run), or say where it is (--url, STT_URL)")
MAKE_KEY = noop("make one where it runs: manage.py createapikey NAME")


def advised(error: Exception) -> str:
    """The error, with what to do about it where that is known."""
    match error:
        case NobodyListensError():
            return f"{error}. {_(START)}"
        case RefusedError(code="HTTP 401") if os.environ.get("STT_API_KEY"):
            return _("HTTP 401: the service does not take the API key in STT_API_KEY; {how}").format(how=_(MAKE_KEY))
        case RefusedError(code="HTTP 401"):
            return _("HTTP 401: the service wants an API key: set STT_API_KEY; {how}").format(how=_(MAKE_KEY))
    return str(error)
