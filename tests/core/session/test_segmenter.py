"""Conservation: long enough speech is in exactly one segment, the rest is discarded, nothing is doubled."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.session.fakes import FAST
from transcription.core.session.endpointing import WINDOW, Closed, Opened, SilenceEndpointer
from transcription.core.session.segmenter import Audio, Segmenter

MAXIMUM = 16_000
"""Samples of an utterance, as `FAST` has it."""


class PositionVad:
    """Speech where the plan says so, window by window."""

    def __init__(self, plan: list[bool]) -> None:
        self.plan = iter(plan)

    def __call__(self, pcm: bytes) -> float:
        return 1.0 if next(self.plan) else 0.0


runs = st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(runs=runs, frame=st.integers(1, 3000))
def test_all_speech_is_heard_once(runs: list[tuple[bool, int]], frame: int) -> None:
    """Whatever the frame size: every run of speech of the minimum length lies in segments, whole."""
    plan = [speaking for speaking, windows in runs for _ in range(windows)]
    total = len(plan) * WINDOW
    samples = (np.arange(total) % 65536).astype("<u2")
    segmenter = Segmenter(SilenceEndpointer(FAST.vad, MAXIMUM), PositionVad(plan))
    events = [event for i in range(0, total, frame) for event in segmenter.feed(samples[i : i + frame].tobytes())]
    events += segmenter.flush()

    covered = np.zeros(total, dtype=int)
    start = None
    pieces: list[Audio] = []
    for event in events:
        match event:
            case Opened():
                assert start is None
                start, pieces = event.start, []
            case Audio(position=position, pcm=pcm):
                assert (np.frombuffer(pcm, "<u2") == samples[position : position + len(pcm) // 2]).all()
                assert position == (pieces[-1].position + len(pieces[-1].pcm) // 2 if pieces else start)
                pieces.append(event)
            case Closed(end=end):
                assert start is not None
                assert pieces[0].position == start
                assert pieces[-1].position + len(pieces[-1].pcm) // 2 >= end
                covered[start:end] += 1
                start = None
    assert start is None
    assert covered.max(initial=0) <= 1, "no sample is in two segments"

    position = 0
    for speaking, windows in runs:
        if speaking and windows >= 2:
            assert covered[position : position + windows * WINDOW].all()
        position += windows * WINDOW


def test_digital_silence_costs_no_inference_between_utterances() -> None:
    """Zeros are not shown to the VAD while nobody speaks; within an utterance they are, or its end would come early."""
    asked: list[bytes] = []

    def vad(pcm: bytes) -> float:
        asked.append(pcm)
        return 1.0 if any(pcm) else 0.0

    segmenter = Segmenter(SilenceEndpointer(FAST.vad, MAXIMUM), vad)
    silence, voice = bytes(2 * WINDOW), b"\x00\x10" * WINDOW
    for _ in range(5):
        assert segmenter.feed(silence) == []
    assert asked == []
    opened = [h for _ in range(3) for h in segmenter.feed(voice) if isinstance(h, Opened)]
    closed = [h for _ in range(5) for h in segmenter.feed(silence) if isinstance(h, Closed)]
    assert (len(opened), len(closed)) == (1, 1)
    assert asked == [voice] * 3 + [silence] * 3
