"""A stream's chunks in their places: what is lost is silence, what comes out of order is put right."""

from hypothesis import given
from hypothesis import strategies as st

from transcription.core.dialects.timeline import HOLD, MOST_SILENCE_S, Chunk, Timeline

RATE = 8_000
SIZE = 160
"""Bytes of 20 ms."""


def data(number: int) -> bytes:
    return bytes([number % 250]) * SIZE


def chunk(number: int, *, at_ms: int | None = None) -> Chunk:
    return Chunk(number, 20 * (number - 1) if at_ms is None else at_ms, data(number))


def played(chunks: list[Chunk]) -> bytes:
    timeline = Timeline(RATE, b"\xff")
    heard = [piece for each in chunks for piece in timeline.take(each)]
    return b"".join(heard + timeline.flush())


def test_chunks_in_order_are_given_out_at_once() -> None:
    timeline = Timeline(RATE, b"\xff")

    assert [timeline.take(chunk(number)) for number in (1, 2, 3)] == [[data(1)], [data(2)], [data(3)]]


def test_two_that_changed_places_are_put_right() -> None:
    assert played([chunk(number) for number in (1, 3, 2, 4)]) == data(1) + data(2) + data(3) + data(4)


def test_the_first_two_too() -> None:
    assert played([chunk(number) for number in (2, 1, 3)]) == data(1) + data(2) + data(3)


def test_what_does_not_come_is_waited_for_a_little_and_is_silence_then() -> None:
    timeline = Timeline(RATE, b"\xff")
    timeline.take(chunk(1))
    waiting = [timeline.take(chunk(number)) for number in range(3, 3 + HOLD)]

    assert waiting == [[]] * HOLD
    released = timeline.take(chunk(3 + HOLD))
    assert released[0] == b"\xff" * SIZE
    assert released[1:] == [data(number) for number in range(3, 4 + HOLD)]
    assert timeline.take(chunk(2)) == []  # too late


def test_a_chunk_that_comes_twice_is_heard_once() -> None:
    assert played([chunk(1), chunk(1), chunk(2), chunk(2)]) == data(1) + data(2)


def test_a_stream_that_begins_late_begins_with_silence() -> None:
    """So that both tracks of a call have the same time."""
    assert played([chunk(1, at_ms=100)]) == b"\xff" * 800 + data(1)


def test_a_pause_in_the_times_is_silence_and_a_rounded_time_is_none() -> None:
    rounded = [chunk(1, at_ms=5), chunk(2, at_ms=31), chunk(3, at_ms=47)]

    assert played(rounded) == data(1) + data(2) + data(3)
    assert played([*rounded, chunk(4, at_ms=160)]) == data(1) + data(2) + data(3) + b"\xff" * 800 + data(4)


def test_a_counter_for_both_tracks_loses_nothing() -> None:
    """Numbers with holes, times without: nothing is missing, and nothing waits."""
    timeline = Timeline(RATE, b"\xff")
    pieces = [timeline.take(Chunk(2 * n + 1, 20 * n, data(n))) for n in range(4)]

    assert pieces == [[data(n)] for n in range(4)]


def test_a_jump_in_the_times_is_no_gap() -> None:
    """Nobody fills an hour: the times begin anew there."""
    timeline = Timeline(RATE, b"\xff")
    timeline.take(chunk(1))
    jump = timeline.take(chunk(2, at_ms=3_600_000))
    after = timeline.take(chunk(3, at_ms=3_600_100))

    assert timeline.jumped
    assert jump == [data(2)]
    assert after == [b"\xff" * 640, data(3)]


def test_without_numbers_times_are_the_order() -> None:
    chunks = [Chunk(None, at_ms, data(at_ms // 20)) for at_ms in (0, 40, 20, 60)]

    assert played(chunks) == data(0) + data(1) + data(2) + data(3)


def test_without_either_they_are_taken_as_they_come() -> None:
    assert played([Chunk(None, None, data(n)) for n in range(3)]) == data(0) + data(1) + data(2)


@given(
    lost=st.sets(st.integers(2, 39)),
    twice=st.sets(st.integers(1, 39)),
    late_by=st.lists(st.integers(0, HOLD - 1), min_size=40, max_size=40),
)
def test_every_sample_is_where_its_time_is(lost: set[int], twice: set[int], late_by: list[int]) -> None:
    """Whatever is lost, doubled or overtaken by fewer chunks than are waited for."""
    sent = [number for number in range(1, 41) if number not in lost]
    order = sorted(range(len(sent)), key=lambda at: (at + late_by[at], at))
    chunks = [chunk(sent[at]) for at in order for _ in range(1 + (sent[at] in twice))]
    heard = played(chunks)

    assert heard == b"".join(b"\xff" * SIZE if number in lost else data(number) for number in range(1, 41))


NUMBERS, TIMES = st.one_of(st.none(), st.integers(0, 60)), st.one_of(st.none(), st.integers(0, 10**9))


@given(chunks=st.lists(st.builds(Chunk, NUMBERS, TIMES, st.binary(max_size=40)), max_size=60))
def test_nothing_is_made_up_and_little_is_kept(chunks: list[Chunk]) -> None:
    """What comes out is what went in, in pieces, and silence that is bounded; what waits is, too."""
    timeline = Timeline(RATE, b"\xff")
    heard = []
    for each in chunks:
        heard += timeline.take(each)
        assert len(timeline._held) <= HOLD
    heard += timeline.flush()

    whole = {each.data for each in chunks}
    assert all(piece in whole or set(piece) == {0xFF} for piece in heard)
    assert all(len(piece) <= MOST_SILENCE_S * RATE for piece in heard)
    assert timeline.flush() == []
