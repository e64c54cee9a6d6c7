"""A client's bytes in whole frames: it may cut them anywhere, and what is refused must not shift what follows."""


class Framing:
    """Frames of `size` bytes: a sample of each channel."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._part = b""
        """The beginning of a frame."""
        self._astray = 0
        """Bytes to come that belong to a frame whose beginning was refused."""

    def take(self, piece: bytes) -> bytes:
        """The whole frames there are now; part of one at the end waits for its rest."""
        piece, self._astray = piece[self._astray :], max(self._astray - len(piece), 0)
        raw = self._part + piece
        whole = len(raw) - len(raw) % self._size
        raw, self._part = raw[:whole], raw[whole:]
        return raw

    def leave_out(self, count: int) -> None:
        """So many bytes are refused: what follows is read in its phase."""
        self._astray = (self._astray - count - len(self._part)) % self._size
        self._part = b""
