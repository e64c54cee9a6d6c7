"""Forms with a file in them (`multipart/form-data`, RFC 7578), read as they come in: Django would hold all of it."""

from dataclasses import dataclass
from email.message import Message

MAX_HEADERS = 8_192
"""Bytes of one part's headers."""
MAX_FIELD = 65_536
"""Bytes of one field's value."""
MAX_PARTS = 100


@dataclass(frozen=True, slots=True)
class Field:
    """A field, whole."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileBegins:
    """From here on bytes are the file's."""


class FormReader:
    """Bytes of a body in, its fields and its file's bytes out. There is one file, in the part named `file`."""

    def __init__(self, content_type: str) -> None:
        """Raises `ValueError` for a body that is no form."""
        boundary = _header("content-type", content_type).get_boundary()
        if not content_type.lower().startswith("multipart/form-data") or not boundary:
            raise ValueError("Expected multipart/form-data with a boundary")
        self._delimiter = b"\r\n--" + boundary.encode("latin1", "replace")
        self._data = bytearray(b"\r\n")  # the first delimiter may begin the body
        self._name: str | None = None
        """Of the part that is open; `None` before the first, and between two."""
        self._value = bytearray()
        self._parts = 0
        self._in_headers = False
        self.complete = False
        """Whether the form's end was read."""

    def feed(self, data: bytes) -> list[Field | FileBegins | bytes]:
        """Take the body's next bytes. Raises `ValueError` that says what is wrong with it."""
        self._data += data
        found: list[Field | FileBegins | bytes] = []
        while not self.complete and (self._head(found) if self._in_headers else self._content(found)):
            pass
        if self.complete:
            self._data.clear()
        return found

    def _content(self, found: list[Field | FileBegins | bytes]) -> bool:
        """What comes before the next delimiter; whether there is more to read after it."""
        at = self._data.find(self._delimiter)
        if at < 0:
            self._take(len(self._data) - len(self._delimiter) + 1, found)
            return False
        after = at + len(self._delimiter)
        line_end = self._data.find(b"\r\n", after)
        last = self._data[after : after + 2] == b"--"
        if line_end < 0 and not last:
            self._take(at, found)
            if len(self._data) > MAX_HEADERS:
                raise ValueError("A delimiter of the form has no end")
            return False
        self._take(at, found)
        self._close(found)
        if last:
            self.complete = True
            return False
        # the line's end stays: headers end with an empty line, also where there are none
        del self._data[: line_end - at]
        self._in_headers = True
        return True

    def _head(self, found: list[Field | FileBegins | bytes]) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > MAX_HEADERS:
                raise ValueError(f"A part of the form has headers of more than {MAX_HEADERS} bytes")
            return False
        lines = bytes(self._data[:end]).decode("utf-8", "replace").split("\r\n")
        del self._data[: end + 4]
        self._in_headers = False
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise ValueError(f"Expected at most {MAX_PARTS} fields")
        named = [line.partition(":")[2] for line in lines if line.lower().startswith("content-disposition:")]
        self._name = _name(named[0].strip() if named else "form-data")
        if self._name == "file":
            found.append(FileBegins())
        return True

    def _take(self, size: int, found: list[Field | FileBegins | bytes]) -> None:
        """So many bytes belong to the part that is open."""
        if size <= 0:
            return
        taken = bytes(self._data[:size])
        del self._data[:size]
        if self._name is None:
            return  # before the first delimiter
        if self._name == "file":
            found.append(taken)
        else:
            self._value += taken
            if len(self._value) > MAX_FIELD:
                raise ValueError(f"{self._name[:40]}: expected at most {MAX_FIELD} bytes")

    def _close(self, found: list[Field | FileBegins | bytes]) -> None:
        if self._name is not None and self._name != "file":
            found.append(Field(self._name, self._value.decode("utf-8", "replace")))
        self._value.clear()
        self._name = None


def _name(disposition: str) -> str:
    given = _header("content-disposition", disposition).get_param("name", "", "content-disposition")
    return given if isinstance(given, str) else str(given[2])  # RFC 2231: charset, language, value


def _header(name: str, value: str) -> Message:
    """A header whose parameters can be asked for."""
    message = Message()
    message[name] = value.replace("\r", " ").replace("\n", " ")
    return message
