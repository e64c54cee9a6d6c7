"""What is said to people, in their language where the program has chosen one; a library says it in English.

`whisper_stt.cli.language` binds the catalogue. Those who mark a string: `make messages` (CONTRIBUTING.md).
"""

import gettext

DOMAIN = "whisper_stt"


def _(message: str) -> str:
    """The message as the catalogue has it; as it is, where none is bound."""
    return gettext.dgettext(DOMAIN, message)


def noop(message: str) -> str:
    """Mark a message that is said later, by `_`."""
    return message
