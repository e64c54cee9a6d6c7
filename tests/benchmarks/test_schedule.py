"""What a talker says and when."""

import pytest

from benchmarks.schedule import PAUSE_S, Script, alone, assemble, conversation, conversations
from tests.benchmarks.material import one_clip_script, spoken

POOL = [spoken(0.5 + 0.1 * i, name=f"real/{i}.flac") for i in range(5)]


def names(script: Script) -> list[str]:
    """Clips in order."""
    return [placed.clip.name for placed in script.placed]


def test_clips_lie_where_the_gaps_put_them() -> None:
    """Gap, clip, gap, clip, gap."""
    script = assemble([spoken(1.0), spoken(0.5)], [0.5, 1.0, 0.2])

    first, second = script.placed
    assert (first.start, first.end) == (8_000, 24_000)
    assert (second.start, second.end) == (40_000, 48_000)
    assert script.seconds == pytest.approx(3.2)
    assert script.speech_seconds == pytest.approx(1.5)


def test_frames_are_twenty_milliseconds_and_carry_all_audio() -> None:
    """640 bytes each."""
    script = one_clip_script()

    frames = list(script.frames())

    assert {len(frame) for frame in frames} == {640}
    assert b"".join(frames) == script.pcm.tobytes()


@pytest.mark.parametrize(("position", "due_s"), [(0, 0.0), (1, 0.02), (320, 0.02), (321, 0.04), (16_000, 1.0)])
def test_a_sample_is_due_with_its_frame(position: int, due_s: float) -> None:
    """A frame is sent when its last sample has been spoken."""
    assert one_clip_script().due_s(position) == pytest.approx(due_s)


@pytest.mark.parametrize(
    ("start", "end", "speech"),
    [
        (0, 40_000, (8_000, 24_000)),
        (0, 8_000, None),
        (10_005, 12_003, (10_005, 12_003)),
        (20_000, 40_000, (20_000, 24_000)),
        (24_000, 40_000, None),
    ],
)
def test_speech_of_a_stretch(start: int, end: int, speech: tuple[int, int] | None) -> None:
    """First and one past the last sample of speech in it, never outside."""
    assert one_clip_script().speech_between(start, end) == speech


def test_a_talker_says_the_same_in_any_company() -> None:
    """Runs with different numbers of talkers compare."""
    few, many = conversations(POOL, 2, 10, seed=3), conversations(POOL, 4, 10, seed=3)

    assert [names(script) for script in few] == [names(script) for script in many[:2]]
    assert few[0].starts_after_s == many[0].starts_after_s
    assert names(many[0]) != names(many[1])


def test_a_conversation_lasts_at_least_as_long_as_asked() -> None:
    """And no longer than one more clip and pause."""
    script = conversation(POOL, 20, seed=0, talker=0)

    assert 20 <= script.seconds < 20 + 0.9 + PAUSE_S[1] + 0.1


def test_all_clips_are_said_before_any_is_repeated() -> None:
    """The pool is gone through in rounds."""
    said = names(conversation(POOL, 20, seed=0, talker=0))

    assert set(said[:5]) == {recording.clip.name for recording in POOL}


def test_pauses_end_utterances() -> None:
    """Between clips there is a second or two of silence."""
    script = conversation(POOL, 20, seed=0, talker=0)

    pauses_s = [
        (after.start - before.end) / 16_000 for before, after in zip(script.placed[:-1], script.placed[1:], strict=True)
    ]
    assert all(PAUSE_S[0] - 0.02 <= pause <= PAUSE_S[1] + 0.02 for pause in pauses_s)


def test_a_clip_alone_has_silence_around_it() -> None:
    """300 ms before, 800 ms after."""
    script = alone(spoken(1.0))

    assert script.placed[0].start == 4_800
    assert len(script.pcm) - script.placed[0].end == 12_800
