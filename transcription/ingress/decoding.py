"""A recording's bytes in, PCM out, as both come and go: FFmpeg runs in a thread of its own and waits for either side.

Bytes are held in memory until they are read, and never on disk. An MP4 whose index comes last is held whole, for FFmpeg
has to go back in it; all else is read once, from its beginning to its end. A recording whose session waits for the rest
of a form is held as it came, and if it is large as what it decodes to (`ingress/keeping.py`).
"""

import asyncio
import io
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from typing import Any

from django.conf import settings

from transcription import metrics
from transcription.core.audio import BYTES_PER_SAMPLE
from transcription.core.config import SAMPLE_RATE
from transcription.core.containers import MAGIC, demuxer_of
from transcription.core.dialects.recordings import Samples
from transcription.ingress.ffmpeg import OPUS, NotAudio, frames_of, open_container, open_samples, opus_frames, pcm_of
from transcription.ingress.keeping import Kept

MB = 1_048_576
AHEAD = 262_144
"""Bytes that wait for FFmpeg from which on no more are read of a client."""
AS_SENT = 2_097_152
"""Bytes of a recording that are held as they were sent while its session waits; of a larger one, what it decodes to."""
BLOCK = 2_048
"""Bytes of PCM given at a time: 64 ms at 16 kHz, and the least that `STT_MAX_FRAME_BYTES` lets a session take."""
BLOCKS = 32
"""How many wait for the session before decoding does."""
MAX_BOX = 1 << 24
"""Bytes of an MP4's box beside the audio."""


class MemoryFull(Exception):
    """As much of uploads is held as may be."""


class TooLong(Exception):
    """It is longer than a recording may be."""


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


@cache
def memory() -> Memory:
    """What this process holds of uploads and of streams in containers."""
    return Memory(settings.STT.upload_memory_mb * MB)


class Decoding:
    """One recording or stream. All that is public but `read` is the event loop's."""

    def __init__(self, memory: Memory, rate: int = SAMPLE_RATE, demuxer: str = "", most_s: float | None = None) -> None:
        """`rate` is that of the PCM; `demuxer`: what a live stream is (FFmpeg's name, or `OPUS`), of which all
        is given as soon as it can be; `most_s`: seconds of audio that it may have.
        """
        self._loop = asyncio.get_running_loop()
        self._memory, self._rate, self._demuxer, self._most_s = memory, rate, demuxer, most_s
        self._samples: Samples | None = None
        self._channels = 1
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._waiting = self._held = 0
        """Bytes that wait for FFmpeg; those, and what is held besides."""
        self._fed = self._starved_at = 0
        """How often something was fed; how often it had been when FFmpeg last waited for more."""
        self._decoded = bytearray()
        """PCM, of less than a block."""
        self._running = self._begun = self._ended = self._closed = self._over = self._whole = False
        self._blocks: deque[bytes] = deque()
        self._error: NotAudio | MemoryFull | TooLong | None = None
        self._room, self._some = asyncio.Event(), asyncio.Event()

    # The event loop's side

    def begin(self, samples: Samples | None = None, channels: int = 1) -> None:
        """Give what has come and what comes; `samples`: what it is if it is no container.

        One channel is what all are mixed to; of several, a sample of each in turn, a recording must have as many. What
        waits until it begins is a container, of one channel.
        """
        with self._changed:
            self._begun, self._samples, self._channels = True, samples, channels
            self._start()
            self._changed.notify_all()

    def feed(self, data: bytes) -> None:
        """Take the recording's next bytes. Raises `MemoryFull`, and before it has begun what `take` does."""
        with self._changed:
            if self._error and not self._begun:
                raise self._error
            if self._over or not data:
                return
            self._hold(len(data))
            self._waiting += len(data)
            self._fed += 1
            self._pieces.append(data)
            if self._waiting >= AS_SENT:
                self._start()
            self._changed.notify_all()

    def end(self) -> None:
        """No more comes."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def room(self) -> None:
        """Wait until more can be taken; of what is held as it came that is always."""
        while self._running and not self._whole and not self._over and self._waiting >= AHEAD:
            self._room.clear()
            await self._room.wait()

    async def take(self) -> bytes | None:
        """The next PCM (16 bits), at most `BLOCK` bytes; `None` at the end.

        Raises `NotAudio`, `TooLong`, and `MemoryFull` where it was not held as it came.
        """
        return await self._next(lambda: False)

    async def take_ready(self) -> bytes | None:
        """The next PCM; `None` once there is no more in all that was fed. Raises `NotAudio`."""
        return await self._next(lambda: self._starved_at == self._fed and not self._ended)

    async def _next(self, enough: Callable[[], bool]) -> bytes | None:
        while True:
            with self._changed:
                if self._blocks:
                    self._changed.notify_all()
                    return self._blocks.popleft()
                if self._error and not self._closed:
                    raise self._error
                if self._over or self._closed or enough():
                    return None
                self._some.clear()
            await self._some.wait()

    def close(self) -> None:
        """Nobody wants it any more."""
        with self._changed:
            self._closed = True
            self._blocks.clear()
            self._changed.notify_all()
            if not self._running:
                self._finish()
        self._room.set()
        self._some.set()

    def _start(self) -> None:
        if not self._running:
            self._running = True
            threading.Thread(target=self._run, name="decode", daemon=True).start()

    # The thread's side

    def read(self, size: int) -> bytes:
        """FFmpeg's next bytes; none at the end."""
        with self._changed:
            if not self._pieces:
                self._give()
            self._wait(lambda: bool(self._pieces))
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

    def _wait(self, there: Callable[[], bool]) -> None:
        """Until there is what is wanted, or no more comes; with the lock held."""
        while not (there() or self._ended or self._closed):
            self._starved_at = self._fed
            self._tell(self._some)
            self._changed.wait()

    def _run(self) -> None:
        try:
            self._decode()
        except (NotAudio, MemoryFull, TooLong) as error:
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

    def _hold(self, size: int) -> None:
        self._memory.take(size)
        self._held += size

    def _let_go(self, size: int) -> None:
        self._held -= size
        self._memory.give(size)

    def _decode(self) -> None:
        for pcm in self._once_begun(self._bounded(pcm_of(self._frames(), self._rate, self._channels))):
            self._decoded += pcm
            while len(self._decoded) >= BLOCK:
                self._give()
            if self._closed:
                return
        self._give()

    def _bounded(self, decoded: Iterator[bytes]) -> Iterator[bytes]:
        size = 0
        for pcm in decoded:
            size += len(pcm)
            if self._most_s is not None and size > self._most_s * self._rate * BYTES_PER_SAMPLE * self._channels:
                raise TooLong
            yield pcm
        if not size:
            raise NotAudio("The recording holds no audio")

    def _once_begun(self, decoded: Iterator[bytes]) -> Iterator[bytes]:
        """The same, which is kept until its session begins."""
        kept: Kept | None = None
        for pcm in decoded:
            if self._closed:
                return
            if not self._begun:
                kept = kept or Kept(self._rate)
                with self._changed:
                    self._hold(kept.put(pcm))
                continue
            if kept:
                yield from self._taken_out(kept)
                kept = None
            yield pcm
        if kept:
            with self._changed:
                self._changed.wait_for(lambda: self._begun or self._closed)
            yield from self._taken_out(kept)

    def _taken_out(self, kept: Kept) -> Iterator[bytes]:
        for pcm, size in kept.take():
            with self._changed:
                self._let_go(size)
            yield pcm

    def _frames(self) -> Iterator[Any]:
        if self._demuxer == OPUS:
            yield from opus_frames(iter(partial(self.read, AHEAD), b""))
            return
        with self._opened() as container:
            if self._channels > 1 and (has := container.streams.audio[0].channels) != self._channels:
                raise NotAudio(f"multichannel: expected a recording of {self._channels} channels, got {has}")
            yield from frames_of(container)

    def _opened(self) -> Any:
        head = self._peek(MAGIC)
        if not head:
            raise NotAudio("The recording is empty")
        if self._samples and not demuxer_of(head.ljust(MAGIC)):
            return open_samples(self, self._samples)
        index_last = head[4:8] == b"ftyp" and not self._index_first()
        if index_last and self._demuxer:
            raise NotAudio("An MP4 whose index comes last cannot be heard as it comes in")
        return open_container(self._gathered() if index_last else self, self._demuxer)

    def _peek(self, size: int) -> bytes:
        """The first bytes, which stay to be read."""
        with self._changed:
            self._wait(lambda: self._waiting >= size)
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

    def _give(self) -> None:
        """Let the event loop have what is decoded, up to a block of it."""
        block = bytes(self._decoded[:BLOCK])
        del self._decoded[:BLOCK]
        with self._changed:
            self._changed.wait_for(lambda: len(self._blocks) < BLOCKS or self._closed)
            if block and not self._closed:
                self._blocks.append(block)
        self._tell(self._some)

    def _tell(self, event: asyncio.Event) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(event.set)
