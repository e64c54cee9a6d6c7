"""Decoded speech that waits, as FLAC: bit for bit what it was, in little more than half of the memory."""

from array import array
from collections import deque
from collections.abc import Iterator
from fractions import Fraction

from av import AudioFrame, CodecContext, Packet

from transcription.core.audio import BYTES_PER_SAMPLE
from transcription.ingress.ffmpeg import bytes_of

CHUNK = 262_144
"""Bytes of FLAC held in one piece: an object a packet would take megabytes more, and leave holes behind."""


class Kept:
    """Mono PCM (16 bits) of one recording. It is put in for a while, then taken out."""

    def __init__(self, rate: int) -> None:
        """`rate` in Hz."""
        self._rate = rate
        self._encoder = CodecContext.create("flac", "w")
        self._encoder.sample_rate, self._encoder.time_base = rate, Fraction(1, rate)
        self._encoder.layout, self._encoder.format = "mono", "s16"
        self._encoder.open()
        self._block = self._encoder.frame_size * BYTES_PER_SAMPLE
        self._rest = bytearray()
        """PCM of less than a block."""
        self._open = bytearray()
        self._chunks: deque[bytes] = deque()
        """Packets one behind the other; what is not yet a chunk is in `_open`."""
        self._sizes: deque[array[int]] = deque([array("H")])
        """Of the packets of each chunk, and of `_open`."""

    def put(self, pcm: bytes) -> int:
        """Keep this too. Returns how many bytes more are held for it."""
        self._rest += pcm
        held = 0
        while len(self._rest) >= self._block:
            frame = AudioFrame("s16", "mono", self._encoder.frame_size)
            frame.sample_rate = self._rate
            frame.planes[0].update(bytes(self._rest[: self._block]))
            del self._rest[: self._block]
            held += self._add(self._encoder.encode(frame))
        return held

    def take(self) -> Iterator[tuple[bytes, int]]:
        """All of it, from its beginning, a piece at a time, with how many bytes were held for that; once."""
        self._add(self._encoder.encode(None))
        self._close_chunk()
        decoder = CodecContext.create("flac", "r")
        decoder.extradata, decoder.sample_rate, decoder.layout = self._encoder.extradata, self._rate, "mono"
        while self._chunks:
            chunk, at = self._chunks.popleft(), 0
            for size in self._sizes.popleft():
                yield b"".join(map(bytes_of, decoder.decode(Packet(chunk[at : at + size])))), size
                at += size
        yield bytes(self._rest), 0

    def _add(self, packets: list[Packet]) -> int:
        before = len(self._open)
        for packet in packets:
            if packet.size:
                self._open += bytes(packet)
                self._sizes[-1].append(packet.size)
        held = len(self._open) - before
        if len(self._open) >= CHUNK:
            self._close_chunk()
        return held

    def _close_chunk(self) -> None:
        self._chunks.append(bytes(self._open))
        self._open.clear()
        self._sizes.append(array("H"))
