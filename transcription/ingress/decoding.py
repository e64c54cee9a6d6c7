"""A recording's bytes in, PCM out, as both come and go: FFmpeg runs in a thread of its own and waits for either side.

Bytes are held in memory until they are read, and never on disk. An MP4 whose index comes last is held whole, for FFmpeg
has to go back in it; all else is read once, from its beginning to its end. What is damaged is left out.
"""

import asyncio
import io
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import av
import av.error
from av.audio.resampler import AudioResampler

from transcription import metrics
from transcription.core.config import SAMPLE_RATE

AHEAD = 262_144
"""Bytes that wait for FFmpeg from which on no more are read of a client."""
BLOCK = SAMPLE_RATE // 5
"""Bytes of PCM given at a time: 100 ms, as live clients send them."""
BLOCKS = 32
"""How many wait for the session before decoding does."""
MAX_BOX = 1 << 24
"""Bytes of an MP4's box beside the audio."""
FAILURES = 20
"""Reads in a row that may fail before the rest is given up."""
CONTAINERS = "aac,amr,flac,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,ogg,wav"
"""What is looked for. FFmpeg knows playlists too, which would have it open files and addresses of this host."""


class NotAudio(Exception):
    """The recording cannot be read; the message is fit for who sent it."""


class MemoryFull(Exception):
    """As much of uploads is held as may be."""


class Memory:
    """What a process holds of uploads, in bytes; counted from several threads."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Raises `MemoryFull`."""
        with self._lock:
            if self._held + size > self._most:
                raise MemoryFull
            self._held += size
            metrics.upload_bytes.set(self._held)

    def give(self, size: int) -> None:
        """So much is not held any more."""
        with self._lock:
            self._held -= size
            metrics.upload_bytes.set(self._held)


class Decoding:
    """One recording. `feed`, `end` and `take` are the event loop's."""

    def __init__(self, memory: Memory) -> None:
        self._loop = asyncio.get_running_loop()
        self._memory = memory
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._waiting = self._held = 0
        """Bytes that wait for FFmpeg; those, and what is held besides."""
        self._begun = self._ended = self._closed = self._over = self._whole = False
        self._blocks: deque[bytes] = deque()
        self._error: NotAudio | None = None
        self._room, self._some = asyncio.Event(), asyncio.Event()

    # The event loop's side

    def begin(self) -> None:
        """Start decoding what has come and what comes."""
        self._begun = True
        threading.Thread(target=self._run, name="decode", daemon=True).start()

    def feed(self, data: bytes) -> None:
        """Take the recording's next bytes. Raises `MemoryFull`."""
        with self._changed:
            if self._over or not data:
                return
            self._memory.take(len(data))
            self._held += len(data)
            self._waiting += len(data)
            self._pieces.append(data)
            self._changed.notify_all()

    def end(self) -> None:
        """No more comes."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def room(self) -> None:
        """Wait until more can be taken; before it has begun, and of what is held whole, that is always."""
        while self._begun and not self._whole and not self._over and self._waiting >= AHEAD:
            self._room.clear()
            await self._room.wait()

    async def take(self) -> bytes | None:
        """The next PCM (16 kHz, mono, 16 bits), `BLOCK` bytes; `None` at the end. Raises `NotAudio`."""
        while True:
            with self._changed:
                if self._blocks:
                    self._changed.notify_all()
                    return self._blocks.popleft()
                if self._error:
                    raise self._error
                if self._over or self._closed:
                    return None
                self._some.clear()
            await self._some.wait()

    def close(self) -> None:
        """Nobody wants it any more."""
        with self._changed:
            self._closed = True
            self._blocks.clear()
            self._changed.notify_all()
            if not self._begun:
                self._finish()
        self._room.set()
        self._some.set()

    # The thread's side

    def read(self, size: int) -> bytes:
        """FFmpeg's next bytes; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._ended or self._closed)
            if self._closed or not self._pieces:
                return b""
            piece = self._pieces.popleft()
            if len(piece) > size:
                self._pieces.appendleft(piece[size:])
                piece = piece[:size]
            self._waiting -= len(piece)
            if not self._whole:
                self._let_go(len(piece))
            if self._waiting < AHEAD // 2:
                self._tell(self._room)
            return piece

    def _run(self) -> None:
        try:
            self._decode()
        except NotAudio as error:
            self._error = error
        except Exception as error:  # FFmpeg may say anything of such input
            self._error = NotAudio(f"The recording cannot be read: {type(error).__name__}")
        finally:
            with self._changed:
                self._finish()
            self._tell(self._some)
            self._tell(self._room)

    def _finish(self) -> None:
        self._over = True
        self._pieces.clear()
        self._let_go(self._held)

    def _let_go(self, size: int) -> None:
        self._held -= size
        self._memory.give(size)

    def _decode(self) -> None:
        heard = False
        rest = bytearray()
        with self._opened() as container:
            for pcm in _pcm(container):
                rest += pcm
                while len(rest) >= BLOCK:
                    self._give(bytes(rest[:BLOCK]))
                    del rest[:BLOCK]
                heard = heard or bool(pcm)
                if self._closed:
                    return
        if rest:
            self._give(bytes(rest))
        if not heard:
            raise NotAudio("The recording holds no audio")

    def _opened(self) -> Any:
        head = self._peek(8)
        if not head:
            raise NotAudio("The recording is empty")
        file: Any = self._gathered() if head[4:8] == b"ftyp" and not self._index_first() else self
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
        try:
            container = av.open(file, options=options, metadata_errors="ignore")
        except (av.error.FFmpegError, OSError, ValueError):
            raise NotAudio("Expected a recording: wav, mp3, m4a, mp4, ogg, webm or flac") from None
        if not container.streams.audio:
            container.close()
            raise NotAudio("The recording holds no audio")
        return container

    def _peek(self, size: int) -> bytes:
        """The first bytes, which stay to be read."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting >= size or self._ended or self._closed)
            if self._pieces and len(self._pieces[0]) < size:
                self._pieces = deque([b"".join(self._pieces)])
            return self._pieces[0][:size] if self._pieces else b""

    def _index_first(self) -> bool:
        """Whether an MP4 has its index before its audio."""
        at = 0
        while len(head := self._peek(at + 8)[at:]) == 8:
            size, kind = struct.unpack(">I4s", head)
            if kind in (b"mdat", b"moov"):
                return kind == b"moov"
            if not 8 <= size < MAX_BOX:
                break
            at += size
        return False

    def _gathered(self) -> io.BytesIO:
        """All of it."""
        self._whole = True
        self._tell(self._room)
        whole = io.BytesIO()
        while piece := self.read(AHEAD):
            whole.write(piece)
        whole.seek(0)
        return whole

    def _give(self, block: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._blocks) < BLOCKS or self._closed)
            if not self._closed:
                self._blocks.append(block)
        self._tell(self._some)

    def _tell(self, event: asyncio.Event) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(event.set)


def _pcm(container: Any) -> Iterator[bytes]:
    """All that can be decoded, resampled over every change of format."""
    resampler, form = AudioResampler("s16", "mono", SAMPLE_RATE), None
    for frame in _frames(container):
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form and now != form:
            yield from map(_bytes, resampler.resample(None))
            resampler = AudioResampler("s16", "mono", SAMPLE_RATE)
        form = now
        yield from map(_bytes, resampler.resample(frame))
    if form:
        yield from map(_bytes, resampler.resample(None))


def _bytes(frame: Any) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * 2]


def _frames(container: Any) -> Iterator[Any]:
    stream, failures = container.streams.audio[0], 0
    while failures < FAILURES:
        try:
            for packet in container.demux(stream):
                failures = 0
                try:
                    yield from packet.decode()
                except av.error.FFmpegError:
                    continue
            break
        except av.error.FFmpegError:
            failures += 1
