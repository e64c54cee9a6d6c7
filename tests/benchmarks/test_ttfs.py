"""Time to the final segment."""

from dataclasses import replace

import pytest

from benchmarks.clips import FRAME, SAMPLE_RATE
from benchmarks.options import Options
from benchmarks.record import Record
from benchmarks.talker import play
from benchmarks.ttfs import Way, ttfs, ttfs_markdown, ttfs_ms
from harness.stack import Stack
from tests.benchmarks.material import final, one_clip_script, record_of, spoken


def heard(*answers: tuple[float, str]) -> Record:
    """A session whose speech ends 1.5 s after its beginning, with finals by the time they came."""
    finals = [(at, final(f"s{n}", 500.0, 400.0, text)) for n, (at, text) in enumerate(answers)]
    return record_of(one_clip_script(), finals)


def test_it_ends_with_the_last_final_that_has_text() -> None:
    """A flush may be answered by an empty one after it."""
    assert ttfs_ms(heard((1.2, "bom"), (1.9, "dia"), (2.2, ""))) == pytest.approx(400.0)
    assert ttfs_ms(heard((2.2, ""))) is None


def test_the_report_has_the_constant_for_pipecat() -> None:
    flushed, left = Way("flush"), Way("own")
    for record in (heard((1.8, "a")), heard((1.9, "b")), heard()):
        flushed.add(record)
    left.add(replace(heard((2.3, "a")), failure=None))
    text = ttfs_markdown([flushed, left])

    assert "| flush                   | 2       | 350   | 395   | 399   | 400   | 1 " in text
    assert "`ttfs_p99_latency=0.40`" in text
    assert "Trouble" not in text


async def test_a_script_s_flush_is_sent_in_its_place(echo_stack: Stack) -> None:
    """After the frames up to it, and the rest at its own time."""
    script = replace(one_clip_script(), flush_at=round(1.7 * SAMPLE_RATE))
    record = await play(echo_stack.ws_url, script, (), 30)
    (flushed,) = [r for r in record.received if r.message.get("flush_id") == "end"]

    assert record.completed
    assert record.sent == len(script.pcm)
    assert len(record.lags_ms) == len(script.pcm) // FRAME
    assert record.due(script.flush_at or 0) <= flushed.at
    assert record.due(len(script.pcm)) <= record.received[-1].at


def test_clips_are_said_in_both_ways(echo_stack: Stack) -> None:
    flushed, left = ttfs(Options(url=echo_stack.ws_url), [spoken(1.0), spoken(1.2)])

    assert flushed.troubles == left.troubles == []
    assert [len(way.times_ms) + way.unanswered for way in (flushed, left)] == [2, 2]
