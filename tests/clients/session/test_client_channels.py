"""A stream of two channels: what is kept to be said again, and what was heard already."""

from talk import Talk
from whisper_stt.session import Config, FinalTranscript

STEREO = Config(sample_rate=16_000, vad_enabled=True, partial_results=True, word_timestamps=True, channels=2)
SECOND = bytes(4 * 16_000)


def test_audio_goes_out_in_whole_frames_of_both() -> None:
    """And a second is a second."""
    talk = Talk(STEREO)
    talk.begin()
    talk.session.push(SECOND)

    assert talk.session.unsent_s == 1.0
    assert {size % 2 for size in talk.sent()} == {0}


def test_what_one_channel_has_not_been_told_is_said_again() -> None:
    """Another session hears it; what it makes of the other channel, which was answered, is not told twice."""
    talk = Talk(STEREO)
    talk.begin()
    talk.session.push(SECOND * 2)
    talk.sent()
    for channel in (0, 1):
        talk.say("vad_event", state="speech_start", t_ms=100, segment_id=f"seg-{channel}-0001", channel=channel)
    (told,) = talk.final("seg-0-0001", 0, 1500, channel=0)
    talk.connect()
    talk.sent()
    talk.say("session_started", resumed=False)

    assert isinstance(told, FinalTranscript) and told.channel == 0
    assert sum(talk.sent()) == 2 * 32_000, "all of it: the second channel was not answered"
    assert talk.final("seg-0-0001", 0, 1500, channel=0) == []
    assert len(talk.final("seg-1-0001", 0, 1500, channel=1)) == 1
    assert len(talk.final("seg-0-0002", 1600, 300, channel=0)) == 1


def test_somebody_speaks_until_both_have_ended() -> None:
    """So long nothing is thrown away."""
    talk = Talk(STEREO)
    talk.begin()
    for channel in (0, 1):
        talk.say("vad_event", state="speech_start", t_ms=100, segment_id=f"seg-{channel}-0001", channel=channel)
    talk.say("vad_event", state="speech_end", t_ms=500, segment_id="seg-0-0001", channel=0)

    assert talk.session._speaking == {1}
