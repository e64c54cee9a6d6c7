"""The audio of a stream that is not known to be transcribed, so that a lost connection loses no word. No I/O.

Positions are samples from the stream's first.
"""

from collections import deque
from typing import NamedTuple

CHUNK_MS = 40
SILENCE_KEPT_S = 15.0
"""Sent so long ago, with no word of speech since: it was silence."""
KEPT_S = 600.0
"""More audio than this is not kept for a replay, transcribed or not."""


class Part(NamedTuple):
    """A stretch of audio, or a flush at a position."""

    start: int
    pcm: bytes
    flush_id: str | None = None
    sent_at: float = 0.0

    @property
    def end(self) -> int:
        """The sample after the last."""
        return self.start + len(self.pcm) // 2


class Backlog:
    """Parts to send, and parts sent that may have to be sent again."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._chunk = 2 * (sample_rate * CHUNK_MS // 1000)
        self._rest = bytearray()
        self._unsent: deque[Part] = deque()
        self._sent: deque[Part] = deque()
        self._flushes: dict[str, int] = {}
        """Those sent and not answered, with their positions."""
        self._end = 0

    @property
    def unsent(self) -> bool:
        """Whether there is something to send."""
        return bool(self._unsent)

    @property
    def unsent_s(self) -> float:
        """Seconds of audio still to be sent."""
        return (self._end - self._unsent[0].start) / self._rate if self._unsent else 0.0

    def push(self, pcm: bytes) -> None:
        """Take audio: whole 16-bit samples or not, of any length."""
        self._rest += pcm
        whole = len(self._rest) - len(self._rest) % self._chunk
        for at in range(0, whole, self._chunk):
            self._append(bytes(self._rest[at : at + self._chunk]))
        del self._rest[:whole]

    def flush(self, flush_id: str | None = None) -> None:
        """Take what is left over too; with an id, a flush follows it."""
        if len(self._rest) > 1:
            self._append(bytes(self._rest[: len(self._rest) // 2 * 2]))
        self._rest.clear()
        if flush_id is not None:
            self._append(b"", flush_id)

    def peek(self) -> Part | None:
        """The next part to send."""
        return self._unsent[0] if self._unsent else None

    def take(self, now: float, *, speaking: bool) -> Part:
        """The next part is sent. While nobody is `speaking`, only the newest audio is kept for a replay."""
        part = self._unsent.popleft()
        if part.flush_id is not None:
            self._flushes[part.flush_id] = part.start
            return part
        self._sent.append(part._replace(sent_at=now))
        oldest = part.end - KEPT_S * self._rate
        while self._sent[0].end <= oldest or (not speaking and self._sent[0].sent_at < now - SILENCE_KEPT_S):
            self._sent.popleft()
        return part

    def confirm(self, position: int) -> None:
        """Audio before `position` is transcribed: it need not be sent again."""
        self._sent = deque(self._split(position)[1])

    def answered(self, flush_id: str) -> None:
        """A flush has its answer."""
        self._flushes.pop(flush_id, None)

    def rewind(self, position: int = 0) -> int:
        """Send again what was sent from `position` on; returns where in the stream the audio goes on.

        What was sent before stays as it is: a later connection may have to hear it.
        """
        before, after = self._split(position)
        flushes = [Part(at, b"", flush_id) for flush_id, at in self._flushes.items() if at >= position]
        self._sent = deque(before)
        self._unsent.extendleft(sorted([*after, *flushes], key=lambda part: (part.start, bool(part.pcm)), reverse=True))
        return next((part.start for part in self._unsent if part.flush_id is None), self._end)

    def _split(self, position: int) -> tuple[list[Part], list[Part]]:
        """What was sent, cut at a position."""
        before, after = [], []
        for part in self._sent:
            at = 2 * (position - part.start)
            if at > 0:
                before.append(part._replace(pcm=part.pcm[:at]))
            if at < len(part.pcm):
                after.append(part._replace(start=max(part.start, position), pcm=part.pcm[max(at, 0) :]))
        return before, after

    def _append(self, pcm: bytes, flush_id: str | None = None) -> None:
        part = Part(self._end, pcm, flush_id)
        self._unsent.append(part)
        self._end = part.end
