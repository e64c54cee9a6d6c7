"""Positions and the clock: gaps, lateness, bursts."""

import pytest
from model_service import TIMING
from whisper_stt.session.messages import FinalTranscript, Timing, VadEvent, Word
from whisper_stt.session.spoken import SpokenTimes

FRAME_S = 0.02


class Microphone:
    """Pushes frames as they are recorded, by a clock that a test moves."""

    def __init__(self) -> None:
        self.times = SpokenTimes()
        self.now = 1_000.0

    def speak(self, seconds: float, *, late_s: float = 0.0, pace: float = 1.0) -> None:
        for _ in range(round(seconds / FRAME_S)):
            self.now += FRAME_S / pace
            self.times.push(FRAME_S, self.now + late_s)

    def stall(self, seconds: float) -> None:
        """Frames are recorded, but come all at once in the end."""
        self.now += seconds
        for _ in range(round(seconds / FRAME_S)):
            self.times.push(FRAME_S, self.now)


def final(start: float, seconds: float, *words: tuple[float, float], segment_id: str = "seg-1") -> FinalTranscript:
    """Times are seconds of the stream."""
    timed = [Word(word="é", start=a - start, end=b - start, probability=0.9) for a, b in words]
    return FinalTranscript(
        session_id="s",
        segment_id=segment_id,
        text="é",
        confidence=0.9,
        words=timed,
        audio_start_ms=start * 1000,
        audio_duration_ms=seconds * 1000,
        timing=Timing(**TIMING),
    )


def vad(state: str, seconds: float, segment_id: str = "seg-1") -> VadEvent:
    return VadEvent(session_id="s", state=f"speech_{state}", t_ms=seconds * 1000, segment_id=segment_id)


def test_without_gaps_positions_are_times() -> None:
    microphone = Microphone()
    microphone.speak(10)

    assert microphone.times.start(3.0).since == pytest.approx(3.0)
    assert microphone.times.end(7.5).at == pytest.approx(1_007.5)


def test_gaps_count() -> None:
    """Each of them, for all that is spoken after it."""
    microphone = Microphone()
    for _ in range(4):
        microphone.speak(2)
        microphone.now += 20

    for turn in range(4):
        for second in (0.3, 1.0, 1.7):
            position, passed = 2 * turn + second, 22 * turn + second
            assert microphone.times.start(position) == pytest.approx((passed, 1_000 + passed))


def test_comfort_noise_is_no_reason_to_lose_the_clock() -> None:
    """A frame each 400 ms, for a minute."""
    microphone = Microphone()
    microphone.speak(1)
    for _ in range(150):
        microphone.now += 0.38
        microphone.speak(0.02)
    microphone.speak(1)

    assert microphone.times.start(1 + 150 * 0.02 + 0.5).at == pytest.approx(1_061.5, abs=0.1)


def test_what_is_late_was_not_spoken_late() -> None:
    """A network that holds frames back; before the rest comes that cannot be known."""
    microphone = Microphone()
    microphone.speak(2)
    microphone.stall(3)
    microphone.speak(2)

    for position in (1.9, 2.5, 4.9, 6.0):
        assert microphone.times.start(position).at == pytest.approx(1_000 + position)


def test_jitter_makes_no_gap() -> None:
    microphone = Microphone()
    for n in range(500):
        microphone.speak(FRAME_S, late_s=0.09 * (n % 3) / 2)

    assert microphone.times.start(9.0).since == pytest.approx(9.0)


def test_audio_that_exists_already_keeps_its_positions() -> None:
    """All at once, or faster than real time; and it was not spoken before it came, nor after."""
    for pace in (1e9, 4.0):
        microphone = Microphone()
        microphone.speak(8, pace=pace)
        first, last = microphone.times.start(0.0), microphone.times.end(8.0)

        assert (first.since, last.since) == pytest.approx((0.0, 8.0))
        assert first.at == pytest.approx(1_000, abs=FRAME_S)
        assert last.at == pytest.approx(microphone.now)


def test_live_audio_after_a_burst_and_a_gap() -> None:
    """A recording at once, a pause, then a microphone: neither is the other's clock."""
    microphone = Microphone()
    microphone.speak(8, pace=1e9)
    microphone.now += 20
    microphone.speak(2)

    assert microphone.times.start(8.5).at == pytest.approx(1_020.5, abs=0.01)


def test_the_pre_roll_lies_before_the_gap_and_the_speech_behind_it() -> None:
    """A segment's audio begins before its speech does, and a window of the VAD's may lie across the gap."""
    microphone = Microphone()
    microphone.speak(5)
    microphone.now += 20
    microphone.speak(3)
    times = microphone.times
    for start_s in (4.96, 5.0, 5.03):
        times.hear(vad("start", start_s))
        times.hear(vad("end", 7.0))
        spoken = times.of(final(4.76, 3.0, (start_s, 5.2), (6.5, 7.0)))

        assert times.start(start_s).since == pytest.approx(20 + start_s)
        assert (spoken.start.since, spoken.end.since) == pytest.approx((24.76, 27.0))
        assert [start.since for start, _ in spoken.words] == pytest.approx([20 + start_s, 26.5])


def test_an_utterance_that_the_gap_ended_ended_before_it() -> None:
    microphone = Microphone()
    microphone.speak(5)
    microphone.now += 20
    microphone.speak(1)
    times = microphone.times
    for end_s in (4.99, 5.0, 5.03):
        times.hear(vad("start", 3.0))
        times.hear(vad("end", end_s))
        spoken = times.of(final(2.8, end_s - 2.8, (3.0, 3.5), (4.8, end_s)))

        assert times.end(end_s).since == pytest.approx(end_s)
        assert [end.since for _, end in spoken.words] == pytest.approx([3.5, end_s])


def test_a_gap_amid_an_utterance() -> None:
    """A service that waits for audio makes one segment of it."""
    microphone = Microphone()
    microphone.speak(5)
    microphone.now += 20
    microphone.speak(5)
    microphone.times.hear(vad("start", 3.0))
    microphone.times.hear(vad("end", 8.0))
    spoken = microphone.times.of(final(2.8, 6.0, (3.0, 3.4), (4.5, 4.8), (5.3, 5.9), (7.0, 8.0)))
    times = [(start.since, end.since) for start, end in spoken.words]

    assert times == [pytest.approx(pair) for pair in [(3.0, 3.4), (4.5, 4.8), (25.3, 25.9), (27.0, 28.0)]]
    assert spoken.end.since == pytest.approx(28.0)


def test_words_say_where_speech_is_when_nothing_else_does() -> None:
    """Of a segment whose events were told to a connection that was lost; and segment names begin anew."""
    microphone = Microphone()
    microphone.speak(5)
    microphone.now += 20
    microphone.speak(3)
    microphone.times.hear(vad("start", 1.0))
    microphone.times.hear(vad("end", 2.0))
    microphone.times.begin()
    spoken = microphone.times.of(final(4.8, 3.0, (5.1, 5.5), (6.0, 7.0)))

    assert (spoken.start.since, spoken.end.since) == pytest.approx((24.8, 27.0))


def test_without_audio_positions_are_all_there_is() -> None:
    spoken = SpokenTimes().of(final(0.5, 2.0, (0.7, 0.9)))

    assert (spoken.start.since, spoken.end.since) == pytest.approx((0.5, 0.9))
