"""Two channels of one session: each heard by itself, told apart, answered and resumed together."""

import io
import wave

import numpy as np
import pytest

from harness.audio import wav
from tests.core.session.fakes import FAST, HUM, Halver, ScriptedVad, Talk, transcript
from transcription.core.capacity.admission import Admitted
from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Failure, Job, Kind
from transcription.core.protocol import Error, ErrorCode, FinalTranscript, SessionStarted, VadEvent
from transcription.core.resuming import Checkpoint, decode, encode
from transcription.core.session.effects import (
    Admit,
    Effect,
    RecordClosed,
    RecordFailedSegment,
    RecordSegment,
    SaveCheckpoint,
)
from transcription.core.session.endpointing import WINDOW
from transcription.core.session.recognition import Tools
from transcription.core.session.session import Session

STEREO = '{"channels": 2, "channel_names": ["agent", "caller"]}'
OTHER = b"\x00\x08" * WINDOW
"""The second channel's window, which is none of the first's."""


class Stereo(Talk):
    """A session of two channels, with a VAD for each."""

    def __init__(self, config: SessionConfig = FAST, checkpoint: Checkpoint | None = None, last: str = "") -> None:
        super().__init__(config)
        self.vads: list[ScriptedVad] = []
        self.effects: list[Effect] = []
        self.session = Session("uid", config, Tools(vad=self._vad, resampler=Halver), self.now)
        resumed = f', "resume": true, "last_segment_id": "{last}"' if checkpoint or last else ', "resume": true'
        self.admit = self.text(f'{{"type": "start_session", "session_id": "s", "config": {STEREO}{resumed}}}')
        self.take(self.session.receive_admission(Admitted(checkpoint, "before" if checkpoint else ""), self.now))

    def _vad(self, rate: int) -> ScriptedVad:
        self.vads.append(ScriptedVad())
        return self.vads[-1]

    def take(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        return super().take(effects)

    def hear(self, count: int, speaking: str = "") -> None:
        """So many windows; `speaking`: `a`, `b`, both or nobody."""
        for vad, name in zip(self.vads, "ab", strict=True):
            vad.speaking = name in speaking
        for _ in range(count):
            self.now += WINDOW / 16_000
            self.take(self.session.receive_audio(interleaved(HUM, OTHER), self.now))

    def saved(self) -> Checkpoint:
        """What another connection would go on from, as Redis keeps it."""
        last = [effect for effect in self.effects if isinstance(effect, SaveCheckpoint)][-1]
        return decode(encode(last.checkpoint))

    def finals(self) -> list[Job]:
        """The finals asked for."""
        return [job for job in self.jobs if job.kind is Kind.FINAL]

    def told(self) -> list[FinalTranscript | Error]:
        """The answers sent."""
        return [message for message in self.sent if isinstance(message, FinalTranscript | Error)]


def interleaved(one: bytes, other: bytes) -> bytes:
    """A sample of each in turn."""
    return np.stack([np.frombuffer(one, "<i2"), np.frombuffer(other, "<i2")], axis=1).tobytes()


def test_each_channel_is_heard_by_itself() -> None:
    """They speak at once; what each says is in segments of its own, in its own buffer, and says whose it is."""
    talk = Stereo()
    talk.hear(5, "a")
    talk.hear(5, "ab")
    talk.hear(5, "b")
    talk.hear(5)
    one, other = talk.finals()

    assert [(e.state, e.segment_id, e.channel) for e in talk.sent if isinstance(e, VadEvent)] == [
        ("speech_start", "seg-0-0001", 0),
        ("speech_start", "seg-1-0001", 1),
        ("speech_end", "seg-0-0001", 0),
        ("speech_end", "seg-1-0001", 1),
    ]
    assert (one.segment_id, other.segment_id) == ("seg-0-0001", "seg-1-0001")
    for job, sample in ((one, HUM[:2]), (other, OTHER[:2])):
        stored = b"".join(piece.pcm for piece in talk.stored if piece.segment_id == job.segment_id)
        assert stored == sample * (len(stored) // 2)


def test_the_later_channel_is_answered_first_where_its_answer_comes_first() -> None:
    """Finals wait for those of their own channel only; records say which it was."""
    talk = Stereo()
    talk.hear(10, "ab")
    talk.hear(5)
    one, other = talk.finals()
    talk.answer(other, "pois não")
    talk.answer(one, "bom dia")

    assert [(final.text, final.channel) for final in talk.told()] == [("pois não", 1), ("bom dia", 0)]
    assert [effect.final.channel for effect in talk.effects if isinstance(effect, RecordSegment)] == [1, 0]


def test_a_lost_final_is_an_error_of_its_channel() -> None:
    """In the message and in the record."""
    talk = Stereo()
    talk.hear(10, "b")
    talk.hear(5)
    job = talk.final()
    failure = Failure(job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="no", retryable=False)
    talk.take(talk.session.receive_result(failure, talk.now))

    assert [(error.code, error.segment_id, error.channel) for error in talk.told()] == [
        (ErrorCode.INFERENCE_ERROR, "seg-1-0001", 1)
    ]
    assert [effect.channel for effect in talk.effects if isinstance(effect, RecordFailedSegment)] == [1]


@pytest.mark.parametrize("speaking", ["", "a", "b", "ab"])
def test_a_flush_ends_both_and_has_one_answer_the_last(speaking: str) -> None:
    """Whoever speaks; what both said is answered by then."""
    talk = Stereo()
    talk.hear(10, speaking)
    talk.text('{"type": "flush", "flush_id": "f"}')
    for job in reversed(talk.finals()):
        talk.answer(job)
    answers = talk.told()

    assert len(answers) == 2
    assert [answer.flush_id == "f" for answer in answers] == [False, True]
    assert len([job for job in talk.finals() if job.job_id]) == len(speaking)


def test_the_session_ends_once_both_are_answered() -> None:
    """Its totals are those of both, its audio is as long as each."""
    talk = Stereo()
    talk.hear(10, "ab")
    talk.text('{"type": "end_session"}')
    one, other = talk.finals()
    talk.answer(other)
    assert talk.kinds()[-1] == "final_transcript"
    talk.answer(one)
    (closed,) = [effect for effect in talk.effects if isinstance(effect, RecordClosed)]

    assert talk.kinds()[-1] == "session_ended"
    assert (closed.total_segments, closed.total_audio_ms) == (2, 320.0)


@pytest.mark.parametrize("cut", [1, 3, 5, 640, 641])
def test_frames_may_be_cut_anywhere(cut: int) -> None:
    """Also in the midst of a sample, or between the channels'."""
    talk = Stereo()
    for vad in talk.vads:
        vad.speaking = True
    raw = interleaved(HUM, OTHER) * 6
    for at in range(0, len(raw), cut):
        talk.take(talk.session.receive_audio(raw[at : at + cut], talk.now))
    stored = {sample: {piece.pcm[:2] for piece in talk.stored if piece.segment_id == f"seg-{n}-0001"} for n, sample in
              enumerate((HUM[:2], OTHER[:2]))}  # fmt: skip

    assert all(found == {sample} for sample, found in stored.items())


def test_what_is_too_long_shifts_nothing() -> None:
    """Of neither channel a final spans the hole, and what follows is whose it is."""
    config = SessionConfig(vad=FAST.vad, max_frame_bytes=4 * WINDOW + 2, max_utterance_s=1.0)
    talk = Stereo(config)
    talk.hear(6, "ab")
    talk.take(talk.session.receive_audio(interleaved(HUM, OTHER) + b"\0\0\0", talk.now))
    assert {job.segment_id for job in talk.finals()} == {"seg-0-0001", "seg-1-0001"}
    talk.take(talk.session.receive_audio(b"\0", talk.now))
    talk.hear(6, "ab")

    late = [piece for piece in talk.stored if piece.segment_id == "seg-1-0002"]
    assert late and {piece.pcm[:2] for piece in late} == {OTHER[:2]}


def test_a_channel_with_too_much_unstored_stops_both() -> None:
    """They come together. What is stored is counted for the channel it is of."""
    talk = Stereo(SessionConfig(vad=FAST.vad, max_buffer_ms=300, max_utterance_s=30.0))
    talk.redis_up = False
    talk.hear(12, "b")
    assert talk.session.saturated
    for piece in talk.stored:
        talk.session.audio_stored("seg-0-0001", len(piece.pcm) // 2)
    assert talk.session.saturated
    for piece in talk.stored:
        talk.session.audio_stored(piece.segment_id, len(piece.pcm) // 2)
    assert not talk.session.saturated


def test_shedding_is_told_once() -> None:
    """And done by both."""
    talk = Stereo()
    talk.take(talk.session.shed(3))
    talk.hear(20, "ab")

    assert talk.kinds().count("status") == 1
    assert not [job for job in talk.jobs if job.kind is Kind.PARTIAL]


def test_another_connection_goes_on_where_each_channel_was() -> None:
    """The client sends from the earlier place on; what the other channel's finals have already is not heard again."""
    talk = Stereo()
    talk.hear(30, "a")  # cut at the maximum, and longer than the other's
    talk.hear(4)
    talk.hear(5, "b")
    talk.hear(4)
    for job in talk.finals():
        talk.answer(job, job.segment_id)
    saved = talk.saved()
    answers = talk.told()
    again = Stereo(checkpoint=saved, last=answers[0].segment_id)
    started, *missed = again.sent[:1] + again.told()

    assert isinstance(started, SessionStarted) and started.resumed
    assert [one.segment_id for one in missed] == [one.segment_id for one in answers[1:]]
    ends = [each.position for each in saved.channels]
    assert started.audio_received_ms == min(ends) / 16
    assert ends[0] < ends[1], "else this shows nothing"
    skipped = (ends[1] - ends[0]) // WINDOW
    again.hear(skipped, "b")
    assert not again.jobs and again.session.talkers == 0, "the second channel is not heard yet"
    again.hear(12, "ab")
    again.hear(5)
    assert [job.segment_id for job in again.finals()] == ["seg-0-0003", "seg-1-0002"]


def test_a_client_that_had_nothing_hears_all_in_its_order() -> None:
    """As it was sent, across channels."""
    talk = Stereo()
    talk.hear(6, "ab")
    talk.hear(5)
    for job in reversed(talk.finals()):
        talk.answer(job, job.segment_id)
    again = Stereo(checkpoint=talk.saved(), last="")

    assert [final.segment_id for final in again.told()] == ["seg-1-0001", "seg-0-0001"]


def test_no_name_is_used_twice_where_the_client_is_ahead() -> None:
    """Of what was written down when its web process died: of either channel."""
    talk = Stereo()
    talk.hear(6, "ab")
    talk.hear(5)
    for job in talk.finals():
        talk.answer(job)
    again = Stereo(checkpoint=talk.saved(), last="seg-1-0004")
    again.hear(6, "ab")
    again.hear(5)

    assert again.sent[0].resumed
    assert all(int(job.segment_id[-4:]) > 4 for job in again.finals())


def test_other_channels_than_before_are_another_session() -> None:
    """What one channel's checkpoint says is nothing to two."""
    again = Stereo(checkpoint=Checkpoint(segments=3, position=16_000), last="seg-0003")

    assert again.sent[0].resumed is False


def test_a_session_of_one_channel_says_nothing_of_channels() -> None:
    """Today's bytes."""
    talk = Talk()
    talk.start('{"channels": 1}')
    talk.windows(10, speaking=True)
    talk.windows(5, speaking=False)
    talk.take(talk.session.receive_result(transcript(talk.final()), talk.now))

    assert not any(getattr(message, "channel", None) is not None and isinstance(message.channel, int)
                   for message in talk.sent if hasattr(message, "channel"))  # fmt: skip
    assert talk.final().segment_id == "seg-0001"


def test_the_session_asks_for_its_place_by_its_own_options() -> None:
    """What the shell takes two places for."""
    talk = Stereo()

    assert [type(effect) for effect in talk.admit] == [Admit]
    assert talk.session.config.channels == 2 and talk.session.config.channel_names == ("agent", "caller")


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"OggS" + bytes(60), "Ogg"),
        (wav(HUM), "1 channel"),
    ],
)
def test_a_file_in_place_of_samples_is_told(head: bytes, told: str) -> None:
    """Once, by its beginning, which no channel sees whole."""
    talk = Stereo()
    for _ in range(3):
        talk.take(talk.session.receive_audio(head, talk.now))
    (error,) = talk.told()

    assert error.code is ErrorCode.INVALID_MESSAGE
    assert told in error.message and "expected 2 channels in turn" in error.message


def test_a_file_of_two_channels_with_a_header_is_heard() -> None:
    """Its header is eleven samples."""
    talk = Stereo()
    with io.BytesIO() as written, wave.open(written, "wb") as recording:
        recording.setnchannels(2)
        recording.setsampwidth(2)
        recording.setframerate(16_000)
        recording.writeframes(interleaved(HUM, OTHER))
        file = written.getvalue()
    talk.take(talk.session.receive_audio(file, talk.now))

    assert not talk.told()
