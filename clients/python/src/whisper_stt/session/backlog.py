"""The audio of a stream that is not known to be transcribed, so that a lost connection loses no word.

Positions are samples from the stream's first.
"""

from collections import deque
from typing import NamedTuple

from . import limits


class Part(NamedTuple):
    """A stretch of audio, or a flush at a position."""

    start: int
    pcm: bytes
    flush_id: str | None = None
    sent_at: float = 0.0
    width: int = 2
    """Bytes of one sample."""

    @property
    def end(self) -> int:
        """The sample after the last."""
        return self.start + len(self.pcm) // self.width


class Backlog:
    """Parts to send, and parts sent that may have to be sent again."""

    def __init__(self, sample_rate: int, sample_bytes: int = 2) -> None:
        self.sent_end = 0
        """The sample after the last that was ever sent."""
        self._rate, self._width = sample_rate, sample_bytes
        self._chunk = sample_bytes * (sample_rate * limits.CHUNK_MS // 1000)
        self._rest = bytearray()
        self._unsent: deque[Part] = deque()
        self._sent: deque[Part] = deque()
        self._flushes: dict[str, int] = {}
        """Those without an answer, with their positions."""
        self._end = 0

    @property
    def position(self) -> int:
        """Where in the stream the next part to send begins."""
        return self._unsent[0].start if self._unsent else self._end

    @property
    def unsent_s(self) -> float:
        """Seconds of audio still to be sent."""
        return (self._end - self.position) / self._rate

    @property
    def pending(self) -> bool:
        """Whether there is anything that the service has not heard, or not answered."""
        return bool(self._unsent or self._sent or self._flushes)

    def push(self, pcm: bytes) -> None:
        """Take audio: whole samples or not, of any length."""
        self._rest += pcm
        whole = len(self._rest) - len(self._rest) % self._chunk
        for at in range(0, whole, self._chunk):
            self._append(bytes(self._rest[at : at + self._chunk]))
        del self._rest[:whole]

    def flush(self, flush_id: str | None = None) -> None:
        """Take what no chunk was made of yet; with an id, a flush follows it."""
        whole = len(self._rest) // self._width * self._width
        if whole:
            self._append(bytes(self._rest[:whole]))
        del self._rest[:whole]
        if flush_id is not None:
            self._append(b"", flush_id)
            self._flushes[flush_id] = self._end

    def peek(self) -> Part | None:
        """The next part to send."""
        return self._unsent[0] if self._unsent else None

    def take(self, now: float, *, keep: bool) -> Part:
        """The next part is sent. Unless all of it is to be kept, what was sent long ago is not: it was silence."""
        part = self._unsent.popleft()
        if part.flush_id is not None:
            return part
        self._sent.append(part._replace(sent_at=now))
        self.sent_end = max(self.sent_end, part.end)
        oldest, latest = part.end - limits.KEPT_S * self._rate, now - limits.SILENCE_KEPT_S
        while self._sent[0].end <= oldest or (not keep and self._sent[0].sent_at < latest):
            self._sent.popleft()
        return part

    def confirm(self, position: int) -> None:
        """Audio before `position` is transcribed: it need not be sent again."""
        self._sent = deque(self._split(position)[1])

    def answered(self, flush_id: str) -> bool:
        """A flush has its answer; whether it was awaited."""
        return self._flushes.pop(flush_id, None) is not None

    def settle(self) -> None:
        """All that was sent is heard and answered."""
        self._sent.clear()
        queued = self._queued_flushes()
        self._flushes = {flush_id: at for flush_id, at in self._flushes.items() if flush_id in queued}

    def rewind(self, position: int = 0) -> int:
        """Send again what was sent from `position` on; returns where in the stream the audio goes on.

        What was sent before stays as it is: a later connection may have to hear it.
        """
        before, after = self._split(position)
        start = after[0].start if after else self.position
        queued = self._queued_flushes()
        again = [flush_id for flush_id, at in self._flushes.items() if at >= position and flush_id not in queued]
        # What lay between a flush and the first audio that is kept was silence.
        self._flushes |= {flush_id: max(self._flushes[flush_id], start) for flush_id in again}
        flushes = [Part(self._flushes[flush_id], b"", flush_id) for flush_id in again]
        self._sent = deque(before)
        parts = sorted([*flushes, *after], key=lambda part: (part.start, bool(part.pcm)))
        self._unsent.extendleft(reversed(parts))
        return start

    def _split(self, position: int) -> tuple[list[Part], list[Part]]:
        """What was sent, cut at a position."""
        before, after = [], []
        for part in self._sent:
            at = part.width * (position - part.start)
            if at > 0:
                before.append(part._replace(pcm=part.pcm[:at]))
            if at < len(part.pcm):
                after.append(part._replace(start=max(part.start, position), pcm=part.pcm[max(at, 0) :]))
        return before, after

    def _queued_flushes(self) -> set[str | None]:
        return {part.flush_id for part in self._unsent}

    def _append(self, pcm: bytes, flush_id: str | None = None) -> None:
        part = Part(self._end, pcm, flush_id, width=self._width)
        self._unsent.append(part)
        self._end = part.end
