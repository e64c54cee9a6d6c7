"""When something was spoken. Positions count samples, and a count of samples is no clock: where a client sends nothing
for a while (muted, on hold, silence suppressed), the clock goes on and the positions do not.
"""

from bisect import bisect_right
from typing import NamedTuple

from .messages import Event, FinalTranscript, VadEvent

JITTER_S = 0.1
"""Audio that comes so late is late, not spoken later."""
EDGE_S = 0.1
"""Speech that begins so shortly before a gap began after it, and one that ends so shortly after it ended before: the
service tells speech from silence in windows of 32 ms, and audio goes out in pieces of 40 ms, which gaps fall into."""

MOST_RUNS = 10_000
"""More gaps than this are not kept: over an hour of comfort noise, a frame every 400 ms."""


class Moment(NamedTuple):
    """When something was spoken."""

    since: float
    """Seconds from the stream's first sample, gaps included."""
    at: float
    """By the clock of whoever pushes the audio (s)."""


class Spoken(NamedTuple):
    """When a segment was spoken."""

    start: Moment
    end: Moment
    words: list[tuple[Moment, Moment]]
    """Start and end of each of its words."""


class _Run(NamedTuple):
    """Audio without gaps."""

    position: float
    zero: float
    """When the stream's first sample would have been spoken, had there been no gap before this."""
    came: float
    """When its first frame came."""
    came_to: float
    """Where that frame ended."""


class SpokenTimes:
    """Maps a stream's positions (s) to the clock of whoever pushes its audio.

    Audio cannot come before it is spoken, but later, and in bursts: what comes last says how late the rest was. What
    comes faster than it can have been spoken was not spoken before it began to come.
    """

    def __init__(self) -> None:
        self._end = 0.0
        self._runs: list[_Run] = []
        self._speech: dict[str, tuple[float, float | None]] = {}
        """Where speech began and ended, by segment."""

    @property
    def zero(self) -> float | None:
        """When the first sample was spoken, had all been spoken as fast as it came; `None` before there is any."""
        return self._runs[0].zero if self._runs else None

    def push(self, seconds: float, now: float) -> None:
        """So much audio came, and its last sample was spoken by `now`."""
        start, self._end = self._end, self._end + seconds
        run = _Run(start, now - self._end, now, self._end)
        while self._runs and self._runs[-1].zero >= run.zero:
            run = self._runs.pop()._replace(zero=run.zero)
        if not self._runs or run.zero > self._runs[-1].zero + JITTER_S:
            self._runs.append(run)
            del self._runs[1:-MOST_RUNS]

    def begin(self) -> None:
        """A new session, whose segments have their names anew."""
        self._speech.clear()

    def hear(self, event: Event) -> None:
        """Note where speech is."""
        match event:
            case VadEvent(state="speech_start", segment_id=str(segment_id)):
                self._speech[segment_id] = event.t_ms / 1000, None
            case VadEvent(segment_id=str(segment_id)) if segment_id in self._speech:
                self._speech[segment_id] = self._speech[segment_id][0], event.t_ms / 1000

    def start(self, position: float) -> Moment:
        """Of a position at which speech begins."""
        return self._moment(position, position + EDGE_S)

    def end(self, position: float) -> Moment:
        """Of a position up to which speech was heard."""
        return self._moment(position, position - EDGE_S)

    def of(self, final: FinalTranscript) -> Spoken:
        """Of a segment, from the audio before its first word to the end of its speech, and of its words."""
        words = final.timeline
        first, last = self._speech.get(final.segment_id) or (words[0].start if words else final.start, None)
        if last is None:
            last = words[-1].end if words else final.end
        # What it has of audio before its speech may have been sent before a gap, and what it has after it after one.
        low, high = first + EDGE_S, last - EDGE_S
        if low > high:
            low = high = (first + last) / 2

        def moment(position: float) -> Moment:
            return self._moment(position, min(max(position, low), high))

        timed = [(moment(word.start), moment(word.end)) for word in words]
        return Spoken(moment(final.start), moment(last), timed)

    def _moment(self, position: float, inside: float) -> Moment:
        """Of a position in the run that another one is in."""
        if not self._runs:
            return Moment(position, position)
        run = self._runs[max(bisect_right(self._runs, inside, key=lambda run: run.position) - 1, 0)]
        earliest = run.came - max(run.came_to - position, 0.0)
        return Moment(position + run.zero - self._runs[0].zero, max(position + run.zero, earliest))
