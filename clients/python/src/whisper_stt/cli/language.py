"""The command line's language: that of the environment (`LANGUAGE`, `LC_ALL`, `LC_MESSAGES`, `LANG`) if it is known."""

import gettext
import locale
import os
from contextlib import suppress
from pathlib import Path

from whisper_stt.session.words import DOMAIN, noop

LOCALE = Path(__file__).resolve().parents[1] / "locale"
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""In the order that gettext looks at them; the first that is set counts."""
KNOWN = ("pt",)
ARGPARSE = (
    noop("usage: "),
    noop("positional arguments"),
    noop("options"),
    noop("show this help message and exit"),
    noop("%(prog)s: error: %(message)s\n"),
    noop("the following arguments are required: %s"),
    noop("unrecognized arguments: %s"),
    noop("argument %(argument_name)s: %(message)s"),
    noop("invalid choice: %(value)r (choose from %(choices)s)"),
    noop("invalid %(type)s value: %(value)r"),
    noop("expected one argument"),
    noop("expected at least one argument"),
    noop("expected at most one argument"),
    noop("ignored explicit argument %r"),
    noop("ambiguous option: %(option)s could match %(matches)s"),
)
"""What Python's own argparse says here, which asks the current domain."""


def prepare() -> None:
    """Speak the environment's language, argparse included; English where it is not known."""
    with suppress(AttributeError, locale.Error):  # Windows has no such category; a language need not be installed
        locale.setlocale(locale.LC_MESSAGES, "")  # of what the system says: that there is no such file
    told = next(filter(None, map(os.environ.get, VARIABLES)), "")
    if told.lower().startswith(KNOWN):
        gettext.bindtextdomain(DOMAIN, LOCALE)
        gettext.textdomain(DOMAIN)
