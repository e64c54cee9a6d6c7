"""Sessions ask the VAD together: each hears what it would alone, in order, whatever befalls another."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.audio import frames, speech
from transcription.core.config import VadConfig
from transcription.core.session.endpointing import SilenceEndpointer
from transcription.core.session.segmenter import Hearing, Segmenter, Vad, heard
from transcription.ingress.listening import MANY, MOST, Listening
from transcription.ingress.vad import CONTEXT, SileroVad, judge

CLIPS = ("s13_pm_alex", "s18_pf_dora", "s24_pf_dora", "s01_pm_alex")


class Judge:
    """Judges as it is told to, and keeps how many it was asked for at once."""

    def __init__(self, answer: Any = judge) -> None:
        self.runs: list[int] = []
        self._answer = answer

    def __call__(self, asked: Sequence[tuple[Any, bytes]]) -> list[float]:
        self.runs.append(len(asked))
        answers: list[float] = self._answer(asked)
        return answers


def listening(judges: Judge, sessions: int = MANY) -> Listening:
    return Listening(judges, lambda: sessions)


def asking(vad: Vad, *windows: bytes) -> Hearing[list[float]]:
    """A hearing of these windows, which returns the probabilities."""
    answers = []
    for window in windows:
        answers.append((yield vad, window))
    return answers


class Counts:
    """A VAD that numbers what it is asked."""

    def __init__(self, first: int = 0) -> None:
        self._next = first

    def __call__(self, pcm: bytes) -> float:
        self._next += 1
        return float(self._next - 1)


class Fails:
    """A VAD that is broken."""

    def __call__(self, pcm: bytes) -> float:
        raise ValueError("broken")


def one_by_one(asked: Sequence[tuple[Vad, bytes]]) -> list[float]:
    return [vad(window) for vad, window in asked]


async def stream(listens: Listening, clip: str, frame: int) -> list[float]:
    """What a stream's windows are given, sent in frames of so many bytes beside those of others."""
    vad, pcm, answers = SileroVad(), speech(clip)[:64_000], []
    for at in range(0, len(pcm) - frame + 1, frame):
        windows = [pcm[i : i + 1024] for i in range(at, at + frame, 1024)]
        answers += await listens.heard(asking(vad, *windows))
    return answers


async def test_each_stream_is_given_what_it_is_given_alone() -> None:
    """To float32's precision, in order, whatever the size of its frames and the number of the others'."""
    judges = Judge()
    listens = listening(judges)
    streams = [(clip, 1024 * count) for clip in CLIPS for count in (1, 2, 5)]
    together = await asyncio.gather(*(stream(listens, clip, frame) for clip, frame in streams))

    assert max(judges.runs) > len(CLIPS)
    for (clip, frame), answers in zip(streams, together, strict=True):
        vad, pcm = SileroVad(), speech(clip)[: len(answers) * 1024]
        alone = [vad(pcm[i : i + 1024]) for i in range(0, len(pcm), 1024)]

        assert len(answers) == 64_000 // frame * (frame // 1024)
        assert np.allclose(answers, alone, rtol=0, atol=1e-5)


async def test_segments_are_those_that_are_found_alone() -> None:
    """The segmenter, in frames of 20 ms as clients send them."""
    listens = listening(Judge())

    def segmenter() -> Segmenter:
        return Segmenter(SilenceEndpointer(VadConfig(), 30 * 16_000), SileroVad())

    async def together(clip: str) -> list[Any]:
        one = segmenter()
        return [event for frame in frames(speech(clip)) for event in await listens.heard(one.hear(frame))]

    def alone(clip: str) -> list[Any]:
        one = segmenter()
        return [event for frame in frames(speech(clip)) for event in one.feed(frame)]

    assert await asyncio.gather(*map(together, CLIPS)) == [*map(alone, CLIPS)]


async def test_where_few_sessions_stream_nobody_waits() -> None:
    """The answer is there before anything else has its turn."""
    judges = Judge(one_by_one)
    hearing = listening(judges, MANY - 1).heard(asking(Counts(), b"", b""))

    with pytest.raises(StopIteration) as over:
        hearing.send(None)
    assert over.value.value == [0.0, 1.0]
    assert judges.runs == []


async def test_a_vad_that_fails_fails_its_own_session(caplog: pytest.LogCaptureFixture) -> None:
    listens = listening(Judge(one_by_one))
    hearings = [asking(Counts(10), b""), asking(Fails(), b""), asking(Counts(20), b"", b"")]
    outcomes = await asyncio.gather(*map(listens.heard, hearings), return_exceptions=True)

    # the first was asked twice: a judge that may answer one before it fails for another is this test's own
    assert outcomes[0] == [11.0]
    assert isinstance(outcomes[1], ValueError)
    assert outcomes[2] == [20.0, 21.0]
    assert "for 3 sessions" in caplog.text


async def test_after_a_run_that_failed_no_stream_has_moved_on() -> None:
    """Each is asked alone then, and hears what it would have heard."""
    clips = [speech(clip) for clip in CLIPS]
    failures = [RuntimeError("once"), RuntimeError("twice")]

    def sometimes(asked: Sequence[tuple[SileroVad, bytes]]) -> list[float]:
        if not failures:
            return judge(asked)
        for vad, window in asked:  # what comes before the run itself
            vad.window[0, CONTEXT:] = np.frombuffer(window, dtype="<i2") / np.float32(32768.0)
        raise failures.pop()

    listens = listening(Judge(sometimes))
    hearings = [asking(SileroVad(), *(clip[i : i + 1024] for i in range(0, 8192, 1024))) for clip in clips]
    together = await asyncio.gather(*map(listens.heard, hearings))
    alone = [heard(asking(SileroVad(), *(clip[i : i + 1024] for i in range(0, 8192, 1024)))) for clip in clips]

    assert np.allclose(together, alone, rtol=0, atol=1e-5)


async def test_a_session_that_is_broken_off_is_left_out() -> None:
    judges = Judge(one_by_one)
    listens = listening(judges)
    tasks = [asyncio.create_task(listens.heard(asking(Counts(number), b""))) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert outcomes[0] == [0.0]
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert outcomes[2] == [2.0]
    assert judges.runs == [2]


async def test_however_many_ask_a_run_is_short() -> None:
    """The event loop has other things to do; whoever asked first is answered first."""
    judges = Judge(one_by_one)
    listens = listening(judges)
    answered: list[int] = []

    async def ask(number: int) -> None:
        await listens.heard(asking(Counts(), b""))
        answered.append(number)

    count = 2 * MOST + 1
    await asyncio.gather(*map(ask, range(count)))

    assert judges.runs == [MOST, MOST, 1]
    assert answered == [*range(count)]
