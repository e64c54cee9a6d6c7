"""What a talker says and when: clips laid out on one session's time, with pauses between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.clips import FRAME, SAMPLE_RATE, Clip, Recording
from benchmarks.speech import WINDOW, span

FRAME_S = FRAME / SAMPLE_RATE
PAUSE_S = (1.0, 2.0)
"""Shortest and longest pause between clips, as between the turns of a phone call."""
LEAD_S, TAIL_S = 0.3, 0.8
"""Silence before and after a clip that is a session of its own; the tail is longer than the endpoint's silence."""
SPREAD_S = 2.0
"""Talkers start within so long of each other, so that their frames and endpoints do not fall together."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A clip's place in the session, in samples."""

    clip: Clip
    start: int
    end: int
    speech_start: int
    """Its first sample of speech."""
    speech_end: int
    """One past its last sample of speech."""


@dataclass(frozen=True, slots=True)
class Script:
    """One session's audio and what is where in it."""

    pcm: np.ndarray
    """int16, shape `(samples,)`, whole frames."""
    active: np.ndarray
    """bool, shape `(samples / 160,)`."""
    placed: tuple[Placed, ...]
    starts_after_s: float = 0.0
    """How long after the run's start this talker begins."""
    rate: int = SAMPLE_RATE
    """Samples a second on the wire."""
    flush_at: int | None = None
    """Up to which sample the client has sent when it ends the utterance itself; whole frames are sent."""

    @property
    def seconds(self) -> float:
        """How long the session's audio is."""
        return len(self.pcm) / SAMPLE_RATE

    @property
    def speech_seconds(self) -> float:
        """How much of it lies between the start and the end of a clip's speech."""
        return sum(placed.speech_end - placed.speech_start for placed in self.placed) / SAMPLE_RATE

    def frames(self) -> Iterator[bytes]:
        """The messages to send, one every 20 ms.

        At a lower rate, which the audio has nothing above, these are its samples, not those of one more filter: who
        hears the script offline hears the same.
        """
        pcm = self.pcm[:: SAMPLE_RATE // self.rate].astype("<i2").tobytes()
        size = FRAME * 2 * self.rate // SAMPLE_RATE
        return (pcm[at : at + size] for at in range(0, len(pcm), size))

    def due_s(self, position: int) -> float:
        """When, in seconds after the start, all samples before `position` have been sent."""
        return -(-position // FRAME) * FRAME_S

    def speech_between(self, start: int, end: int) -> tuple[int, int] | None:
        """The first and one past the last sample of speech in a stretch; `None` when it is silent."""
        first = start // WINDOW
        begin, stop = span(self.active[first : -(-end // WINDOW)])
        return (max(first * WINDOW + begin, start), min(first * WINDOW + stop, end)) if stop else None


def assemble(recordings: Sequence[Recording], gaps_s: Sequence[float], starts_after_s: float = 0.0) -> Script:
    """Lay clips out: `gaps_s[i]` of silence before clip `i`, and one more gap at the end."""
    assert len(gaps_s) == len(recordings) + 1
    position = 0
    pcm, active, placed = [], [], []
    for gap_s, recording in zip(gaps_s, [*recordings, None], strict=True):
        silence = round(gap_s / FRAME_S) * FRAME
        pcm.append(np.zeros(silence, dtype=np.int16))
        active.append(np.zeros(silence // WINDOW, dtype=bool))
        position += silence
        if recording:
            begin, stop = span(recording.active)
            end = position + len(recording.pcm)
            placed.append(Placed(recording.clip, position, end, position + begin, position + stop))
            pcm.append(recording.pcm)
            active.append(recording.active)
            position = end
    return Script(np.concatenate(pcm), np.concatenate(active), tuple(placed), starts_after_s)


def alone(recording: Recording, rate: int = SAMPLE_RATE, lead_s: float = LEAD_S) -> Script:
    """One clip as a session of its own, sent at so many samples a second."""
    return replace(assemble([recording], [lead_s, TAIL_S]), rate=rate)


def conversation(pool: Sequence[Recording], seconds: float, seed: int, talker: int) -> Script:
    """Clips in an order of this talker's own, with pauses, for at least `seconds`.

    A talker says the same whatever the number of talkers, so that runs of 1 and of 10 compare.
    """
    random = np.random.default_rng([seed, talker])
    chosen: list[Recording] = []
    gaps_s = [float(random.uniform(*PAUSE_S))]
    while sum(gaps_s) + sum(recording.seconds for recording in chosen) < seconds:
        if len(chosen) % len(pool) == 0:
            order = random.permutation(len(pool))
        chosen.append(pool[order[len(chosen) % len(pool)]])
        gaps_s.append(float(random.uniform(*PAUSE_S)))
    return assemble(chosen, gaps_s, float(random.uniform(0, SPREAD_S)))


def conversations(pool: Sequence[Recording], talkers: int, seconds: float, seed: int) -> list[Script]:
    """One script a talker."""
    return [conversation(pool, seconds, seed, talker) for talker in range(talkers)]
