"""Where an input's next file begins: recordings joined end to end, and WAVs whose header lies about their length.

FFmpeg believes a WAV's header, reads only the first of several WAVs and FLACs, and stops at an Ogg whose next link has
other parameters. So each part is given to it as a file of its own.
"""

import struct
from math import inf
from typing import Protocol

from whisper_stt.media.source import Source
from whisper_stt.session.words import _

OPEN = 0x7FFF_0000
"""From here on, a WAV's length is what writes that cannot come back put there, not a promise."""
LONGEST_CHUNK = 1 << 24
"""Bytes of a RIFF chunk beside the audio: a picture or a log; more is no chunk, but audio that looks like one."""
TOLERATED_S = 0.1
"""What may lack at a WAV's end without a word."""
FLAC = b"fLaC\x00\x00\x00\x22"
OGG_PAGE = 27
"""Bytes of an Ogg page's header before its table of segments."""


class Part(Protocol):
    """One file of an input, read from its beginning to its end."""

    options: dict[str, str]
    """FFmpeg's, for this part."""
    damage: str | None
    """What FFmpeg cannot tell of it, once it is read to its end: what is missing."""

    def read(self, size: int) -> bytes:
        """Up to so many bytes; none at its end."""


def next_part(source: Source) -> Part | None:
    """What begins here, if FFmpeg is not to read it by itself."""
    head = source.peek(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return Wave.at(source)
    if head[:4] == b"OggS":
        return Ogg(source)
    if head[:8] == FLAC:
        return Flac(source)
    if head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0"):
        return Mpeg(source)
    return None


def streamable(source: Source) -> bool:
    """Whether it can be read without going back: an MP4 cannot if its index, `moov`, comes after the audio."""
    if source.peek(8)[4:] != b"ftyp":
        return True
    at = 0
    while len(box := source.peek(at + 8)[at:]) == 8:
        size, kind = struct.unpack(">I4s", box)
        if kind == b"mdat":
            return False
        if kind == b"moov" or not 8 <= size < LONGEST_CHUNK:
            break
        at += size
    return True


class Wave:
    """A WAV: what its header says, as far as it is true."""

    options = {"ignore_length": "1"}

    def __init__(self, source: Source, header: int, promised: int, block: int, rate: int) -> None:
        self._source = source
        self._header = header
        self._left: float = promised or inf
        self._promised = promised
        self._given = 0
        self._block = max(block, 1)
        self._rate = max(rate, 1)
        self._over = False
        self.damage: str | None = None

    @classmethod
    def at(cls, source: Source) -> "Wave | None":
        """The one that begins here; None without audio in it."""
        at, block, rate = 12, 1, 1
        while len(chunk := source.peek(at + 24)[at:]) >= 8:
            kind, size = struct.unpack_from("<4sI", chunk)
            if kind == b"data":
                return cls(source, at + 8, size, block, rate)
            if size > LONGEST_CHUNK:
                break
            if kind == b"fmt " and len(chunk) == 24:
                rate, block = struct.unpack_from("<IH", chunk, 16)
            at += 8 + size + size % 2
        return None

    def read(self, size: int) -> bytes:
        source = self._source
        if self._header:
            taken = source.take(min(size, self._header))
            self._header -= len(taken)
            return taken
        if self._left == 0:
            self._end()
        while (ready := self._ready()) == 0 and not self._over:
            if not source.more():
                source.take(len(source.ahead))  # a sample cut in two is none
                self._over = True
                missing_s = self._left / self._rate
                if self._promised < OPEN and TOLERATED_S < missing_s < inf:
                    told = _("ends {seconds:.1f} s before the end that it promises")
                    self.damage = told.format(seconds=missing_s)
        taken = source.take(min(size, ready))
        self._given += len(taken)
        self._left -= len(taken)
        return taken

    def _ready(self) -> int:
        """How much audio can be taken now: no more than whole samples."""
        if self._over:
            return 0
        ahead = len(self._source.ahead)
        if ahead >= self._left:
            return int(self._left)
        return max(ahead - (self._given + ahead) % self._block, 0)

    def _end(self) -> None:
        """After what was promised come other chunks, the next WAV, or nothing; else its writer never came back."""
        source = self._source
        if self._promised % 2 and source.peek(1) == b"\0":
            source.take(1)
        while len(chunk := source.peek(8)) == 8:
            kind, size = struct.unpack("<4sI", chunk)
            if kind == b"RIFF":
                break
            if not all(0x20 <= letter < 0x7F for letter in kind) or size > LONGEST_CHUNK:
                if not self._over:
                    self._left = inf
                return
            self._over = True
            source.peek(8 + size + size % 2)
            source.take(8 + size + size % 2)
        self._over = True


class Ogg:
    """A link of a chained Ogg: it ends where a page that begins streams follows one that does not."""

    options: dict[str, str] = {}

    def __init__(self, source: Source) -> None:
        self.damage: str | None = None
        self._source = source
        self._left = 0
        """Bytes to the next page."""
        self._begun = False
        self._lost = False

    def read(self, size: int) -> bytes:
        if self._left == 0:
            self._left = self._page()
        if self._left and not self._source.ahead:
            self._source.more()
        taken = self._source.take(min(size, self._left))
        self._left -= len(taken)
        return taken

    def _page(self) -> int:
        """The length of the page that begins here; 0 where the link ends."""
        header = self._source.peek(OGG_PAGE)
        if header[:4] != b"OggS" or len(header) < OGG_PAGE:
            # Damaged: on to the next page, which FFmpeg looks for too.
            self._source.peek(OGG_PAGE + 1)
            self._lost = bool(header)
            found = self._source.ahead.find(b"OggS", 1)
            return found if found > 0 else max(len(self._source.ahead) - 3, min(len(self._source.ahead), 1))
        if self._lost:
            self.damage = _("some of its pages are damaged, and left out")
        beginning = bool(header[5] & 2)
        if beginning and self._begun:
            return 0
        self._begun = not beginning
        segments = self._source.peek(OGG_PAGE + header[26])[OGG_PAGE:]
        return OGG_PAGE + len(segments) + sum(segments)


class Flac:
    """A FLAC, up to the next one."""

    options: dict[str, str] = {}
    damage: str | None = None

    def __init__(self, source: Source) -> None:
        self._source = source
        self._given = False

    def read(self, size: int) -> bytes:
        ahead = self._source.ahead
        while (ready := ahead.find(FLAC, 0 if self._given else 1)) < 0:
            # What may be the beginning of the next one stays, unless nothing comes any more.
            if (ready := len(ahead) - len(FLAC) + 1) > 0:
                break
            if not self._source.more():
                ready = len(ahead)
                break
        self._given = True
        return self._source.take(min(size, ready))


class Mpeg:
    """MP3 or AAC, without the ID3 tags that joining leaves in the middle: they are not damage."""

    options: dict[str, str] = {}
    damage: str | None = None

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        ahead = self._source.ahead
        while (ready := ahead.find(b"ID3")) <= 0:
            if ready == 0:
                if (tag := _id3(self._source.peek(10))) == 0:
                    ready = 1
                    break
                self._source.peek(tag)
                self._source.take(tag)
            elif (ready := len(ahead) - 2) > 0:
                break
            elif not self._source.more():
                ready = len(ahead)
                break
        return self._source.take(min(size, ready))


def _id3(header: bytes) -> int:
    """The length of the tag that begins so; 0 if none does."""
    if len(header) < 10 or header[3] not in (2, 3, 4) or max(header[6:]) >= 0x80:
        return 0
    length = sum(byte << 7 * place for place, byte in enumerate(reversed(header[6:])))
    return 20 + length if header[5] & 0x10 else 10 + length
