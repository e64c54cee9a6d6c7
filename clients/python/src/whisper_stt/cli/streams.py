"""Standard output and standard error, whatever they are: in any encoding, full, closed, or read by nobody."""

import codecs
import io
import os
import sys
import unicodedata
from contextlib import suppress
from typing import TextIO

from whisper_stt.session.address import hide
from whisper_stt.session.words import _

_ALIKE = "whisper-stt-alike"
"""The error handler for characters that an encoding lacks: a letter without its accents, and so on."""


class OutputError(Exception):
    """What was to be written cannot be; the message says where and why."""


def prepare() -> None:
    """Make both usable: characters that an encoding lacks are replaced, one that is closed fails when it is written."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            # Else the next file or socket would get its number. It is open for reading, so that writing fails.
            os.dup2(os.open(os.devnull, os.O_RDONLY), number)
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_ALIKE)


def say(text: str) -> None:
    """Write to standard output, now; raises `BrokenPipeError` when its reader has gone, and `OutputError`."""
    try:
        if text:  # even nothing is too much for a full device
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon(sys.stdout)
        raise
    except OSError as error:
        _abandon(sys.stdout)
        raise OutputError(_("standard output: {reason}").format(reason=error.strerror)) from None


def complain(text: object) -> None:
    """Write a sentence to standard error, without the secrets of URLs in it; where it cannot be, nobody is told."""
    line = "".join(character if character.isprintable() else "?" for character in hide(text).strip())
    try:
        sys.stderr.write(f"whisper-stt: {line}\n")
        sys.stderr.flush()
    except OSError:
        _abandon(sys.stderr)


def settle() -> None:
    """Write what others have left in the buffers; raises what `say` does."""
    try:
        sys.stderr.flush()
    except OSError:
        _abandon(sys.stderr)
    say("")


def _abandon(stream: TextIO) -> None:
    """Let what is left in its buffer go nowhere: else the interpreter meets the fault again when it ends."""
    with suppress(OSError):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, stream.fileno())
        os.close(sink)


def _alike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].replace("→", "->")
    plain = (unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() for character in lacking)
    return "".join(character or "?" for character in plain), error.end


codecs.register_error(_ALIKE, _alike)
