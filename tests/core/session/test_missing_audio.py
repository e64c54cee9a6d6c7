"""A client that sends no audio where there is none to send: what does not come is silence."""

from dataclasses import replace

import pytest

from tests.core.session.fakes import FAST, HUM, Talk, with_vad
from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Kind
from transcription.core.protocol import FinalTranscript, VadEvent

TICK_S = 0.5
ACROSS = with_vad(replace(FAST, max_utterance_s=30.0), min_silence_ms=500, min_speech_ms=256)
"""As FAST, with the silence of the service's defaults."""


def pass_time(talk: Talk, seconds: float) -> None:
    """Ticks, and nothing else."""
    for _ in range(round(seconds / TICK_S)):
        talk.now += TICK_S
        talk.take(talk.session.tick(talk.now))


def finals(talk: Talk) -> int:
    return sum(job.kind is Kind.FINAL for job in talk.jobs)


def started(config: SessionConfig = ACROSS) -> Talk:
    talk = Talk(config)
    talk.start()
    return talk


def test_a_muted_client_gets_its_final() -> None:
    """About a second after its last frame, with the end of speech where it was."""
    talk = started()
    live(talk, 0.63, every_s=0.032, carries=HUM, speaking=True)
    pass_time(talk, 0.5)
    assert finals(talk) == 0
    pass_time(talk, 1.0)

    assert finals(talk) == 1
    assert [event.t_ms for event in talk.sent if isinstance(event, VadEvent)] == [0.0, 640.0]


def test_silence_that_came_counts() -> None:
    """Half a second of zeros, as LiveKit sends when a microphone is muted, is nearly all that is needed."""
    talk = started()
    talk.windows(20, speaking=True)
    talk.windows(14, speaking=False)
    pass_time(talk, 1.0)

    assert finals(talk) == 1


def test_what_is_said_after_a_gap_is_another_segment_at_its_own_place() -> None:
    """Places count the audio that came; wall-clock time is for the client to know."""
    talk = started()
    talk.windows(20, speaking=True)
    pass_time(talk, 15.0)
    talk.windows(20, speaking=True)
    talk.windows(20, speaking=False)
    for job in [job for job in talk.jobs if job.kind is Kind.FINAL]:
        talk.answer(job)
    told = [message for message in talk.sent if isinstance(message, FinalTranscript)]

    assert [(final.audio_start_ms, final.segment_id) for final in told] == [(0.0, "seg-0001"), (640.0, "seg-0002")]


@pytest.mark.parametrize("gap_s", [0.2, 0.5, 0.8])
def test_jitter_does_not_split_a_sentence(gap_s: float) -> None:
    """Frames that are late, in a burst after a gap."""
    talk = started()
    for _ in range(5):
        talk.windows(20, speaking=True)
        talk.now += gap_s
        talk.take(talk.session.tick(talk.now))

    assert finals(talk) == 0
    assert talk.kinds().count("speech_start") == 1


def live(talk: Talk, seconds: float, *, every_s: float, carries: bytes, speaking: bool) -> None:
    """Frames of `carries` bytes at that cadence, and ticks."""
    talk.vad.speaking = speaking
    until, next_tick = talk.now + seconds, talk.now + TICK_S
    while talk.now < until:
        talk.now += every_s
        talk.take(talk.session.receive_audio(carries, talk.now))
        while next_tick <= talk.now:
            talk.take(talk.session.tick(next_tick))
            next_tick += TICK_S


@pytest.mark.parametrize(
    ("every_s", "carries"),
    [(0.1, b""), (0.5, b""), (0.1, b"\0"), (0.2, b"\0\0"), (0.2, bytes(640)), (0.4, bytes(640)), (1.0, bytes(640))],
    ids=["empty", "empty, rarely", "half a sample", "a sample", "20 ms", "comfort noise", "rare noise"],
)
def test_signs_of_life_are_no_speech(every_s: float, carries: bytes) -> None:
    """Of a sender that is muted, or suppresses silence: time goes on."""
    talk = started()
    live(talk, 1.0, every_s=0.032, carries=HUM, speaking=True)
    live(talk, 3.0, every_s=every_s, carries=carries, speaking=False)

    assert finals(talk) == 1


@pytest.mark.parametrize("pace", [0.5, 0.9, 0.98, 1.0, 1.02, 1.5])
def test_a_sender_need_not_keep_the_exact_pace(pace: float) -> None:
    """One that sleeps 20 ms between frames of 20 ms is a little late, more and more."""
    talk = started()
    live(talk, 15.0, every_s=0.032 / pace, carries=HUM, speaking=True)

    assert finals(talk) == 0


@pytest.mark.parametrize("piece_s", [0.5, 1.0, 1.2, 1.5, 2.0, 3.0, 4.0])
def test_audio_may_come_in_large_pieces(piece_s: float) -> None:
    """Each when it has been recorded, as one frame."""
    talk = started()
    live(talk, 5 * piece_s, every_s=piece_s, carries=HUM * round(piece_s / 0.032), speaking=True)

    assert finals(talk) == 0


def test_a_flood_of_tiny_frames_is_slow_to_read_and_no_silence() -> None:
    """Of a sample each: they are taken in more slowly than they are spoken."""
    talk = started()
    pcm = HUM * 20
    talk.vad.speaking = True
    for at in range(0, len(pcm), 2):
        talk.now += 8 / 16_000
        talk.take(talk.session.receive_audio(pcm[at : at + 2], talk.now))
        if at % 2000 == 0:
            talk.take(talk.session.tick(talk.now))

    assert finals(talk) == 0


def test_audio_may_come_in_bursts() -> None:
    """Of two seconds, in frames of 32 ms."""
    talk = started()
    talk.vad.speaking = True
    for _ in range(5):
        for _ in range(62):
            talk.take(talk.session.receive_audio(HUM, talk.now))
        pass_time(talk, 2.0)

    assert finals(talk) == 0


def test_a_recording_sent_at_once_ends_soon_all_the_same() -> None:
    talk = started()
    talk.vad.speaking = True
    for _ in range(300):
        talk.take(talk.session.receive_audio(HUM, talk.now))
    pass_time(talk, 3.0)

    assert finals(talk) == 1


def test_a_busy_event_loop_does_not_look_like_a_silent_client() -> None:
    """A tick that comes seconds late counts for one: the frames may lie in the socket."""
    talk = started()
    talk.windows(20, speaking=True)
    talk.now += 5.0
    talk.take(talk.session.tick(talk.now))

    assert finals(talk) == 0


def test_a_short_answer_right_before_the_mute_is_heard() -> None:
    talk = started()
    talk.windows(4, speaking=True)
    pass_time(talk, 2.0)

    assert finals(talk) == 1


def test_without_vad_and_where_it_is_off_only_audio_ends_an_utterance() -> None:
    """A stream that is one utterance until its flush stays one."""
    for config in (with_vad(ACROSS, enabled=False), replace(ACROSS, max_audio_gap_ms=0)):
        talk = started(config)
        talk.windows(20, speaking=True)
        pass_time(talk, 20.0)

        assert finals(talk) == 0


def test_a_client_that_is_not_read_from_is_not_silent() -> None:
    """It is the service that waits."""
    talk = started()
    talk.redis_up = False
    talk.windows(200, speaking=True)
    assert talk.session.saturated
    before = finals(talk)
    pass_time(talk, 20.0)

    assert finals(talk) == before
