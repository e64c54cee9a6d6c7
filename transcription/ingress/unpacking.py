"""A live client's audio as it comes: in a container it is decoded, else it is what its dialect said."""

from collections import deque

from transcription.core.containers import LONGEST_HEADER, demuxer_of, wave_samples
from transcription.core.dialects.dialect import Unpack
from transcription.core.dialects.recordings import Samples
from transcription.ingress.decoding import Decoding, MemoryFull, memory
from transcription.ingress.ffmpeg import OPUS, NotAudio


class Unpacking:
    """One connection's audio. What is fed is taken before more is: little is held, and nothing overtakes it."""

    def __init__(self, how: Unpack) -> None:
        self._how = how
        self._frames: deque[bytes] = deque()
        """That are not looked at yet; from then on, that are samples."""
        self._decoding: Decoding | None = None
        self._known = False

    def feed(self, frame: bytes) -> None:
        """Take a frame. Raises `NotAudio`."""
        if self._decoding:
            self._put(frame)
            return
        self._frames.append(frame)
        if not self._known:
            self._look(b"".join(self._frames), last=False)

    async def take(self) -> bytes | None:
        """The next samples; `None` once there are no more in what was fed. Raises `NotAudio`."""
        if self._decoding:
            return await self._decoding.take_ready()
        return self._frames.popleft() if self._known and self._frames else None

    def end(self) -> None:
        """No more comes; the rest can be taken. Raises `NotAudio`."""
        if self._frames and not self._known:
            self._look(b"".join(self._frames), last=True)
        if self._decoding:
            self._decoding.end()

    def close(self) -> None:
        """Nobody wants it any more."""
        if self._decoding:
            self._decoding.close()

    def _look(self, head: bytes, *, last: bool) -> None:
        """Find out what it is, if that can be said already."""
        demuxer = demuxer_of(head)
        header_open = demuxer == "wav" and b"data" not in head and len(head) < LONGEST_HEADER
        if (demuxer is None or header_open) and not last:
            return
        self._known = True
        if demuxer:
            plain = wave_samples(head) if demuxer == "wav" else None
            self._frames.clear()
            if plain:  # FFmpeg would read two seconds before it gives any
                encoding, rate, channels, start = plain
                self._begin("", Samples(encoding, rate, channels), [head[start:]])
            else:
                self._begin(demuxer, None, [head])
        elif self._how.otherwise == "packets":
            packets = [*self._frames]
            self._frames.clear()
            self._begin(OPUS, None, packets)
        elif self._how.otherwise == "nothing":
            raise NotAudio("Expected audio in a container: ogg, webm, wav, mp3, flac, aac, amr or fragmented mp4")

    def _begin(self, demuxer: str, samples: Samples | None, frames: list[bytes]) -> None:
        self._decoding = Decoding(memory(), self._how.rate, demuxer)
        self._decoding.begin(samples)
        for frame in frames:
            self._put(frame)

    def _put(self, frame: bytes) -> None:
        assert self._decoding
        try:
            self._decoding.feed(frame)
        except MemoryFull:
            raise NotAudio("Too many recordings are decoded at once") from None
