"""A short segment that follows another in the same breath: its job says what was before."""

from dataclasses import replace

import pytest

from tests.core.session.fakes import FAST, HUM, Talk, with_vad
from transcription.core.capacity.shedding import FEWER
from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Before, Failure, Job
from transcription.core.session import before
from transcription.core.session.effects import StoreBefore, Submit
from transcription.core.session.endpointing import WINDOW

BREATH = int(before.BREATH_MS / 32)
"""Windows."""
PAUSE = 3
"""Windows of silence that end a segment here."""


class Listening(Talk):
    """Notes what audio is stored beside a segment's own, and that it is there before the job."""

    def __init__(self, *args: object, **fields: object) -> None:
        super().__init__(*args, **fields)
        self.beside: dict[str, bytes] = {}
        self.stores = 0

    def take(self, effects: list) -> list:
        for effect in effects:
            match effect:
                case StoreBefore(segment_id=name, pcm=pcm):
                    self.beside[name] = pcm
                    self.stores += 1
                case Submit(job=job) if job.before:
                    assert job.segment_id in self.beside
        return super().take(effects)


@pytest.fixture
def talk() -> Listening:
    """A session that lets long segments be."""
    return begun()


def begun(**vad: object) -> Listening:
    talk = Listening(replace(with_vad(FAST, **vad), max_utterance_s=30.0))
    talk.start()
    return talk


def say(talk: Talk, windows: int = 6) -> Job:
    """Speech up to its endpoint; the final's job, which nobody has answered."""
    talk.windows(windows, speaking=True)
    talk.windows(PAUSE, speaking=False)
    return talk.final()


def test_a_segment_that_goes_on_after_a_breath_is_told_what_was_before(talk: Listening) -> None:
    """With all of its audio; the text as it was heard, whatever the client is shown."""
    first = say(talk)
    talk.answer(first, "Agora o próximo ajuda")
    talk.windows(BREATH // 2, speaking=False)
    second = say(talk)

    assert first.before is None
    assert second.before == Before(audio_key="stt:before:uid:seg-0002", text="Agora o próximo ajuda")
    assert talk.beside == {"seg-0002": HUM[:2] * first.end}


def test_a_final_that_is_decoded_ahead_is_told_too() -> None:
    """And so is the one at the endpoint, where speech went on after the pause; the audio is there already."""
    talk = begun(speculate_ms=64)
    talk.answer(say(talk), "um")
    talk.windows(6, speaking=True)
    talk.windows(2, speaking=False)
    ahead = talk.final()
    talk.windows(2, speaking=True)
    talk.windows(PAUSE, speaking=False)
    whole = talk.final()

    assert ahead.segment_id == whole.segment_id and ahead.end < whole.end
    assert [job.before and job.before.text for job in (ahead, whole)] == ["um", "um"]
    assert talk.stores == 1


def test_each_segment_is_told_of_the_last(talk: Listening) -> None:
    """Not of the first."""
    for text in ("um", "dois", "três"):
        talk.answer(say(talk), text)

    assert say(talk).before.text == "três"


@pytest.mark.parametrize("windows", [BREATH + 1, 4 * BREATH])
def test_who_pauses_for_longer_says_something_else(talk: Listening, windows: int) -> None:
    """Than a breath, from speech to speech."""
    talk.answer(say(talk), "um")
    talk.windows(windows - PAUSE, speaking=False)

    assert say(talk).before is None
    assert talk.beside == {}


def test_a_long_segment_is_heard_by_itself(talk: Listening) -> None:
    """It gains nothing."""
    talk.answer(say(talk), "um")

    assert say(talk, windows=before.SHORT_MS // 32 + 1).before is None


def test_both_must_fit_into_one_window(talk: Listening) -> None:
    """Of Whisper's."""
    talk.answer(say(talk, windows=25_000 // 32), "um")

    assert say(talk, windows=4_000 // 32).before is None


@pytest.mark.parametrize("text", ["", None])
def test_a_segment_without_text_helps_nobody(talk: Listening, text: str | None) -> None:
    """Nor does one that has failed; and the one before that is too long ago."""
    talk.answer(say(talk), "um")
    second = say(talk)
    if text is None:
        failure = Failure(
            job_id=second.job_id, segment_id=second.segment_id, kind=second.kind, reason="no", retryable=False
        )
        talk.take(talk.session.receive_result(failure, talk.now))
    else:
        talk.answer(second, text)

    assert say(talk).before is None


def test_a_segment_whose_text_is_not_there_yet_is_not_waited_for(talk: Listening) -> None:
    """And the one before that is not taken for it."""
    talk.answer(say(talk), "um")
    second = say(talk)
    third = say(talk)
    talk.answer(second, "dois")
    fourth = say(talk)

    assert (third.before, fourth.before) == (None, None)


def test_a_text_that_comes_while_the_next_segment_is_open_is_in_time(talk: Listening) -> None:
    """Before its end."""
    first = say(talk)
    talk.windows(3, speaking=True)
    talk.answer(first, "um")

    assert say(talk).before.text == "um"


def test_who_sends_nothing_in_between_says_something_else(talk: Listening) -> None:
    """Of a client that sends while a button is held the samples follow each other."""
    talk.answer(say(talk), "um")
    talk.now += before.BREATH_MS / 1000

    assert say(talk).before is None


def test_audio_is_not_kept_for_ever(talk: Listening) -> None:
    """A client that stops sending in mid-breath comes back to another sentence."""
    talk.answer(say(talk), "um")
    talk.now += before.KEPT_S + 1
    talk.take(talk.session.tick(talk.now))

    assert say(talk).before is None


@pytest.mark.parametrize(
    "config",
    [replace(FAST, detect=True, languages=("pt", "en")), with_vad(FAST, enabled=False)],
    ids=["language unknown", "without VAD"],
)
def test_where_language_or_speech_are_not_known_each_is_heard_by_itself(config: SessionConfig) -> None:
    """The text before may be in another language; what no endpointer has found begins nowhere."""
    talk = Listening(config)
    talk.start()
    for text in ("um", "dois"):
        talk.windows(6, speaking=True)
        talk.text('{"type": "flush"}')
        talk.answer(talk.final(), text)

    assert talk.final().segment_id == "seg-0002"
    assert talk.final().before is None


def test_a_text_in_another_language_is_none_to_go_on_from(talk: Listening) -> None:
    """The decoder would be held to it, and told the language that is spoken now; in its own again it may be."""
    talk.answer(say(talk), "um")
    talk.text('{"type": "configure", "lang_code": "en-US"}')
    english = say(talk)
    talk.answer(english, "two")

    assert (english.language, english.before) == ("en", None)
    assert say(talk).before.text == "two"


def test_a_language_that_was_found_out_is_known_to_be_another() -> None:
    """Whatever was expected of the segment before."""
    talk = Listening(replace(FAST, detect=True, languages=("pt", "en")))
    talk.start()
    talk.answer(say(talk), "one", language="en")
    talk.text('{"type": "configure", "lang_code": "pt-BR"}')

    assert say(talk).before is None


def test_where_work_is_shed_each_is_heard_by_itself(talk: Listening) -> None:
    """It costs a decode more."""
    talk.answer(say(talk), "um")
    talk.take(talk.session.shed(FEWER))

    assert say(talk).before is None


def test_what_is_said_is_as_long_as_it_was(talk: Listening) -> None:
    """The segment before counts for no time of the next one's."""
    talk.answer(say(talk), "um")
    second = say(talk)
    talk.answer(second, "dois")
    final = talk.sent[-1]

    assert second.start == 0 and second.end == 9 * WINDOW
    assert (final.text, final.audio_start_ms, final.audio_duration_ms) == ("dois", 9 * 32.0, 9 * 32.0)
