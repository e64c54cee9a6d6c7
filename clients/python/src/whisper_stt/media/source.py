"""An input as bytes: opened once, read from its beginning to its end, be it a file, a pipe or a file object."""

import io
import os
import select
import tempfile
from typing import Any, BinaryIO

from whisper_stt.media.errors import MediaError
from whisper_stt.session.words import _

READ = 32_768
"""Bytes asked for at a time; a pipe gives what it has."""


class Source:
    """Bytes that can be looked at before they are taken."""

    def __init__(self, given: str | os.PathLike[str] | BinaryIO) -> None:
        """Open an input: a path, `-` for standard input, or a binary file object, which stays the caller's to close.

        Raises `MediaError` for what cannot be opened or holds nothing.
        """
        self._file: Any = given
        self._owned = not hasattr(given, "read")
        self.name = os.fsdecode(given) if self._owned else str(getattr(given, "name", _("the file object")))  # type: ignore[arg-type]
        self.ahead = bytearray()
        """What is read and not yet taken."""
        try:
            if given == "-":
                self.name = _("standard input")
                # Unbuffered: a thread that waits for a buffered stdin keeps the interpreter from exiting.
                self._file = io.FileIO(0, closefd=False)
            elif self._owned:
                self._file = io.FileIO(self.name)
            empty = not self.peek(1)
        except OSError as error:
            self.close()
            raise MediaError(f"{self.name}: {error.strerror or error}") from None
        if empty:
            self.close()
            raise MediaError(_("{name}: is empty").format(name=self.name))

    def more(self) -> bool:
        """Read on; whether there was more."""
        reading = getattr(self._file, "read1", self._file.read)  # what is there, without waiting for all of it
        while (read := reading(READ)) is None:  # a pipe that its other end made non-blocking
            select.select([self._file], [], [])
        if not isinstance(read, bytes):
            told = _("{name}: gives {kind}, expected bytes: open it in binary mode")
            raise MediaError(told.format(name=self.name, kind=type(read).__name__))
        self.ahead += read
        return bool(read)

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay to be taken; fewer at the end."""
        while len(self.ahead) < size and self.more():
            pass
        return bytes(self.ahead[:size])

    def take(self, size: int) -> bytes:
        """Some of what is ahead."""
        taken = bytes(self.ahead[:size])
        del self.ahead[:size]
        return taken

    def rewindable(self) -> BinaryIO | None:
        """The whole input, from its beginning, as a file to seek in; None for what cannot be sought in."""
        seekable = getattr(self._file, "seekable", None)
        if not seekable or not seekable() or self._file.tell() != len(self.ahead):
            return None
        self.rewind()
        return self._file  # type: ignore[no-any-return]

    def spool(self) -> None:
        """Read all of it, so that it can be sought in."""
        if self.rewindable():
            return
        spooled = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the source
        while self.ahead or self.more():
            spooled.write(self.take(READ))
        self.close()
        self._file, self._owned = spooled, True
        self.rewind()

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        if not self.ahead:
            self.more()
        return self.take(size)

    def rewind(self) -> None:
        """Begin again."""
        self._file.seek(0)
        self.ahead.clear()

    def close(self) -> None:
        """Close what was opened here."""
        if self._owned and hasattr(self._file, "close"):
            self._file.close()
