"""What was decoded in a pause that was none of the ends: kept, and not decoded again."""

from dataclasses import replace

import pytest
from msgspec import UNSET

from tests.core.session.fakes import FAST, Talk, transcript, with_vad
from transcription.core.capacity.shedding import FEWER
from transcription.core.contract.jobs import Failure, Kind
from transcription.core.protocol import Dropped, Error, FinalTranscript, PartialTranscript, Word
from transcription.core.session.effects import CancelPartials, CountSpeculation
from transcription.core.session.endpointing import WINDOW

PIECE_WINDOWS = 16
PIECEWISE = replace(
    with_vad(FAST, speculate_ms=64, min_silence_ms=160, piece_ms=PIECE_WINDOWS * 32),
    max_utterance_s=5.0,
    max_partial_window_s=6.0,
)


@pytest.fixture
def piecewise() -> Talk:
    """Keeps what it decodes of sixteen windows or more; a decode of what follows has two at least."""
    talk = Talk(PIECEWISE)
    talk.start()
    return talk


def say(talk: Talk, windows: int, text: str, **fields: object) -> None:
    """Speech, and a pause in which it is decoded."""
    talk.windows(windows, speaking=True)
    talk.windows(2, speaking=False)
    talk.answer(talk.final(), text, **fields)


def last_final(talk: Talk) -> FinalTranscript:
    return [message for message in talk.sent if isinstance(message, FinalTranscript)][-1]


def outcomes(talk: Talk, *, windows: int, speaking: bool) -> list[str]:
    """What is counted of speculations while so many windows are heard."""
    talk.vad.speaking = speaking
    counted: list[str] = []
    for _ in range(windows):
        talk.now += 0.032
        effects = talk.take(talk.session.receive_audio(b"\x00\x10" * WINDOW, talk.now))
        counted += [effect.outcome for effect in effects if isinstance(effect, CountSpeculation)]
    return counted


def test_the_next_decode_begins_where_a_piece_ends(piecewise: Talk) -> None:
    """And the final says both; the client hears the whole as a speculative partial too."""
    say(piecewise, 16, "Quero falar")
    first = piecewise.final()
    say(piecewise, 4, "com a Ana.")
    assert (piecewise.final().start, piecewise.final().end) == (first.end, first.end + 6 * WINDOW)
    shown = piecewise.sent[-1]
    assert isinstance(shown, PartialTranscript)
    assert (shown.speculative, shown.text) == (True, "Quero falar com a Ana.")
    piecewise.windows(3, speaking=False)

    assert last_final(piecewise).text == "Quero falar com a Ana."
    assert last_final(piecewise).audio_duration_ms == (16 + 2 + 4 + 5) * 32


def test_words_of_a_rest_are_timed_from_the_segments_beginning(piecewise: Talk) -> None:
    """As those of a final that was decoded at once."""
    say(piecewise, 16, "um", words=[Word(word="um", start=0.05, end=0.2, probability=0.9)])
    cut_s = piecewise.final().end / 16_000
    rest = [Word(word=word, start=at, end=at + 0.05, probability=0.8) for word, at in (("dois", 0.01), ("três", 0.07))]
    say(piecewise, 4, "dois três", words=rest)
    piecewise.windows(3, speaking=False)
    one, two, _ = last_final(piecewise).words

    assert (one.start, one.end) == (0.05, 0.2)
    assert (two.start, two.end) == pytest.approx((cut_s + 0.01, cut_s + 0.06), abs=0.001)


def test_confidence_is_that_of_all_the_text(piecewise: Talk) -> None:
    """By its length."""
    say(piecewise, 16, "seis letras", confidence=0.5)
    say(piecewise, 4, "sim", confidence=1.0)
    piecewise.windows(3, speaking=False)

    assert last_final(piecewise).confidence == pytest.approx((11 * 0.5 + 3 * 1.0) / 14, abs=0.001)


def test_what_is_too_short_is_decoded_again_with_what_follows(piecewise: Talk) -> None:
    """It lacks the words around it."""
    say(piecewise, 13, "sim")
    say(piecewise, 4, "sim senhor")
    piecewise.windows(3, speaking=False)

    assert piecewise.final().start == 0
    assert last_final(piecewise).text == "sim senhor"


@pytest.mark.parametrize(("silence", "step", "kept"), [(3, 0, False), (6, 0, True), (3, FEWER, True)])
def test_a_piece_ends_in_a_pause_between_clauses(silence: int, step: int, kept: bool) -> None:
    """Three fifths of the silence that ends an utterance; where work is shed, in a breath, too, which costs words."""
    talk = Talk(with_vad(PIECEWISE, min_silence_ms=320))
    talk.start()
    talk.take(talk.session.shed(step))
    talk.windows(16, speaking=True)
    talk.windows(2, speaking=False)
    talk.answer(talk.final(), "Quero falar")
    piece = talk.final()
    talk.windows(silence - 2, speaking=False)
    say(talk, 4, "com a Ana.")

    assert talk.final().start == (piece.end if kept else 0)


def test_nothing_is_kept_where_the_operator_wants_none() -> None:
    """`piece_ms` of 0."""
    talk = Talk(with_vad(PIECEWISE, piece_ms=0))
    talk.start()
    say(talk, 20, "um")
    say(talk, 20, "um dois")

    assert talk.final().start == 0


def test_too_little_after_a_piece_is_decoded_with_it(piecewise: Talk) -> None:
    """A word by itself is heard worse than with those before it."""
    say(piecewise, 16, "Quero falar com")
    first = piecewise.final()
    piecewise.windows(1, speaking=True)
    piecewise.text('{"type": "flush"}')
    assert piecewise.final().start == 0
    assert piecewise.final().end == first.end + WINDOW
    piecewise.answer(piecewise.final(), "Quero falar com a Ana.")

    assert last_final(piecewise).text == "Quero falar com a Ana."


def test_an_answer_that_comes_after_speech_went_on_is_kept_too(piecewise: Talk) -> None:
    """A busy worker answers late."""
    piecewise.windows(16, speaking=True)
    piecewise.windows(2, speaking=False)
    late = piecewise.final()
    piecewise.windows(3, speaking=True)
    sent = len(piecewise.sent)
    piecewise.answer(late, "Quero falar")
    assert len(piecewise.sent) == sent, "the pause is over: its text is not shown"
    say(piecewise, 2, "com a Ana.")
    piecewise.windows(3, speaking=False)

    assert piecewise.final().start == late.end
    assert last_final(piecewise).text == "Quero falar com a Ana."


def test_an_answer_that_comes_late_does_not_take_the_place_of_a_longer_one(piecewise: Talk) -> None:
    """Two decodes of one beginning are answered in the wrong order, while a third goes on from the first."""
    say(piecewise, 16, "um")
    piecewise.windows(10, speaking=True)
    piecewise.windows(2, speaking=False)
    second = piecewise.final()
    piecewise.windows(4, speaking=True)
    piecewise.windows(2, speaking=False)
    third = piecewise.final()
    assert second.start == third.start
    piecewise.answer(third, "dois três")
    piecewise.answer(second, "dois")
    piecewise.windows(3, speaking=False)

    assert last_final(piecewise).text == "um dois três"


def test_pieces_follow_one_another(piecewise: Talk) -> None:
    """Each decode costs what was said since."""
    for text in ("um", "dois", "três"):
        say(piecewise, 16, text)
    finals = [job for job in piecewise.jobs if job.kind is Kind.FINAL]
    piecewise.windows(3, speaking=False)

    assert [job.end - job.start for job in finals][1:] == [18 * WINDOW, 18 * WINDOW]
    assert last_final(piecewise).text == "um dois três"


def test_a_segment_cut_before_a_pieces_end_is_decoded_without_it() -> None:
    """The cut at the maximum lies in the past: what was said after it belongs to the next segment."""
    talk = Talk(replace(PIECEWISE, max_utterance_s=1.0))
    talk.start()
    talk.windows(16, speaking=True)
    talk.windows(2, speaking=False)
    talk.answer(talk.final(), "um")
    kept = talk.final().end
    talk.windows(15, speaking=True)
    first = next(job for job in talk.jobs if job.segment_id == "seg-0001" and job.job_id.endswith("f2"))

    assert first.end is not None
    assert (first.start == kept) == (first.end >= kept + 2 * WINDOW)
    talk.answer(first, "dois")
    assert last_final(talk).text == ("um dois" if first.start else "dois")


def test_a_failed_rest_is_an_error_of_the_segment(piecewise: Talk) -> None:
    """One answer a segment, and half a text is none."""
    say(piecewise, 16, "um")
    piecewise.windows(16, speaking=True)
    piecewise.windows(5, speaking=False)
    job = piecewise.final()
    failure = Failure(job_id=job.job_id, segment_id=job.segment_id, kind=job.kind, reason="no", retryable=False)
    piecewise.take(piecewise.session.receive_result(failure, piecewise.now))

    assert job.start > 0
    assert isinstance(piecewise.sent[-1], Error)
    assert piecewise.sent[-1].segment_id == job.segment_id


def test_a_rest_that_is_lost_is_sent_again_with_all_the_audio(piecewise: Talk) -> None:
    """Redis may have lost the piece's audio with it; the decode is of the rest still."""
    say(piecewise, 16, "um")
    piecewise.windows(16, speaking=True)
    piecewise.windows(5, speaking=False)
    job = piecewise.final()
    piecewise.take(piecewise.session.receive_loss({job.job_id}, piecewise.now, worker_died=True))
    (again,) = piecewise.resent
    piecewise.answer(again.job, "dois")

    assert again.job == job
    assert len(again.pcm) >= 2 * job.end
    assert last_final(piecewise).text == "um dois"


def test_a_rest_without_text_leaves_what_there_is(piecewise: Talk) -> None:
    """A final with text was not dropped."""
    say(piecewise, 16, "um")
    piecewise.windows(16, speaking=True)
    piecewise.windows(5, speaking=False)
    piecewise.answer(piecewise.final(), "", dropped=Dropped(reason="no_evidence", score=0.1), confidence=0.0)

    assert (last_final(piecewise).text, last_final(piecewise).dropped) == ("um", UNSET)
    assert last_final(piecewise).confidence == 0.9


def test_a_rest_is_in_the_language_of_its_piece() -> None:
    """It is found out once a segment, where there is most to go by."""
    talk = Talk(replace(PIECEWISE, detect=True, languages=("pt", "es")))
    talk.start()
    say(talk, 16, "hola", language="es", evidence={"es": 1.0, "pt": -9.0})
    assert set(talk.final().languages) == {"pt", "es"}
    talk.windows(4, speaking=True)
    talk.windows(5, speaking=False)
    assert (talk.final().language, talk.final().languages) == ("es", {})
    talk.answer(talk.final(), "mundo")

    assert (last_final(talk).text, last_final(talk).language) == ("hola mundo", "es")


def test_what_becomes_of_speculations_is_counted(piecewise: Talk) -> None:
    """Each once: used, kept, or neither."""
    say(piecewise, 4, "um")
    assert outcomes(piecewise, windows=16, speaking=True) == ["miss"]
    piecewise.windows(2, speaking=False)
    late = piecewise.final()
    assert outcomes(piecewise, windows=3, speaking=True) == []
    effects = piecewise.session.receive_result(
        Failure(job_id=late.job_id, segment_id=late.segment_id, kind=late.kind, reason="no", retryable=True), 0.0
    )
    assert effects == [CountSpeculation("miss")]
    say(piecewise, 16, "um dois")
    assert outcomes(piecewise, windows=3, speaking=True) == ["kept"]
    say(piecewise, 2, "três")
    assert outcomes(piecewise, windows=3, speaking=False) == ["hit"]


def test_a_piece_is_kept_with_those_that_it_goes_on_from(piecewise: Talk) -> None:
    """Another may have taken their place meanwhile, and end later than this one begins."""
    asked = []
    for windows, answered, text in ((16, None, ""), (2, 0, "um"), (16, 1, "um dois")):
        piecewise.windows(windows, speaking=True)
        piecewise.windows(2, speaking=False)
        asked.append(piecewise.final())
        if answered is not None:
            piecewise.answer(asked[answered], text)
    assert [job.start for job in asked] == [0, 0, asked[0].end]
    piecewise.windows(4, speaking=True)
    piecewise.answer(asked[2], "dois três")
    piecewise.windows(5, speaking=False)
    assert piecewise.final().start == asked[2].end
    piecewise.answer(piecewise.final(), "quatro")

    assert last_final(piecewise).text == "um dois três quatro"


@pytest.mark.parametrize(("order", "kept"), [((0, 1), ["kept", "kept"]), ((1, 0), ["kept", "miss"])])
def test_answers_that_come_after_the_next_pause_are_kept_all_the_same(
    piecewise: Talk, order: tuple[int, int], kept: list[str]
) -> None:
    """The longest of them; one that has not come by the end of the utterance is of no use any more."""
    asked, counted = [], []
    for windows in (16, 4, 4):
        piecewise.windows(windows, speaking=True)
        piecewise.windows(2, speaking=False)
        asked.append(piecewise.final())
    assert outcomes(piecewise, windows=1, speaking=True) == []
    for at in order:
        answer = transcript(asked[at], ("Quero", "Quero falar")[at])
        effects = piecewise.session.receive_result(answer, piecewise.now)
        counted += [effect.outcome for effect in effects if isinstance(effect, CountSpeculation)]
    assert (counted, outcomes(piecewise, windows=5, speaking=False)) == (kept, ["hit", "miss"])
    assert piecewise.final().start == asked[1].end
    piecewise.answer(piecewise.final(), "com a Ana.")

    assert last_final(piecewise).text == "Quero falar com a Ana."


def test_partials_begin_after_a_piece_and_its_words_are_stable(piecewise: Talk) -> None:
    """The final will have them, so that they need not be heard again."""
    say(piecewise, 16, "Quero falar")
    cut = piecewise.final().end
    piecewise.windows(6, speaking=True)
    partial = piecewise.jobs[-1]
    piecewise.answer(partial, "com")
    shown = piecewise.sent[-1]

    assert (partial.kind, partial.start, partial.prefix) == (Kind.PARTIAL, cut, "")
    assert isinstance(shown, PartialTranscript)
    assert (shown.text, shown.stable_text) == ("Quero falar com", "Quero falar")


def test_a_partial_under_way_when_a_piece_comes_late_is_not_shown(piecewise: Talk) -> None:
    """It says again what the piece says."""
    piecewise.windows(16, speaking=True)
    piecewise.windows(2, speaking=False)
    late = piecewise.final()
    piecewise.windows(5, speaking=True)
    stale = piecewise.jobs[-1]
    assert stale.kind is Kind.PARTIAL
    effects = piecewise.session.receive_result(transcript(late, "Quero falar"), piecewise.now)
    assert CancelPartials(stale.segment_id, stale.number) in effects
    sent = len(piecewise.sent)
    piecewise.answer(stale, "Quero falar com")
    assert len(piecewise.sent) == sent
    piecewise.windows(4, speaking=True)

    assert (piecewise.jobs[-1].kind, piecewise.jobs[-1].start) == (Kind.PARTIAL, late.end)


def test_a_piece_that_says_otherwise_than_what_was_stable_leaves_partials_as_they_are() -> None:
    """What was told as stable stays so, while partials last; the final may put it right."""
    talk = Talk(replace(PIECEWISE, max_partial_window_s=1.0))
    talk.start()
    talk.windows(6, speaking=True)
    for _ in range(2):
        talk.windows(4, speaking=True)
        talk.answer(talk.jobs[-1], "quero fala com")
    assert talk.sent[-1].stable_text == "quero fala"
    talk.windows(4, speaking=True)
    talk.windows(2, speaking=False)
    talk.answer(talk.final(), "Quero falar com")
    assert talk.sent[-1].stable_text == "quero fala"
    talk.windows(6, speaking=True)
    talk.answer(talk.jobs[-1], "quero fala com a Ana")

    assert talk.jobs[-1].kind is Kind.PARTIAL
    assert talk.sent[-1].text == "quero fala com a Ana"
    assert talk.sent[-1].stable_text.startswith("quero fala")


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("Quero falar.", "com a Ana.", "Quero falar com a Ana."),
        ("Quero falar.", "Com a Ana.", "Quero falar. Com a Ana."),
        ("Quero falar...", "com a Ana.", "Quero falar... com a Ana."),
        ("Quero falar?", "com a Ana.", "Quero falar? com a Ana."),
    ],
)
def test_a_full_stop_of_the_audios_end_is_left_out_where_the_sentence_goes_on(
    piecewise: Talk, first: str, second: str, text: str
) -> None:
    """In the text and in its words; until that is known, what is stable ends before it."""
    say(piecewise, 16, first, words=[Word(word=first.split()[-1], start=0.1, end=0.4, probability=0.9)])
    piecewise.windows(6, speaking=True)
    piecewise.answer(piecewise.jobs[-1], "com")
    assert text.startswith(piecewise.sent[-1].stable_text)
    say(piecewise, 4, second, words=[Word(word=second.split()[-1], start=0.1, end=0.3, probability=0.9)])
    piecewise.windows(3, speaking=False)
    final = last_final(piecewise)

    assert final.text == text
    assert [word.word for word in final.words] == [text.split()[1], "Ana."]


def test_an_answer_that_says_less_than_is_known_changes_nothing(piecewise: Talk) -> None:
    """It was asked for before, and is answered after."""
    piecewise.windows(16, speaking=True)
    piecewise.windows(2, speaking=False)
    first = piecewise.final()
    piecewise.windows(3, speaking=True)
    piecewise.windows(2, speaking=False)
    second = piecewise.final()
    piecewise.answer(second, "um dois")
    piecewise.windows(2, speaking=True)
    piecewise.answer(first, "um")
    say(piecewise, 3, "três")
    piecewise.windows(3, speaking=False)

    assert piecewise.final().start == second.end
    assert last_final(piecewise).text == "um dois três"


def test_a_final_of_pieces_tells_its_language_only_where_it_was_to_be_found_out(piecewise: Talk) -> None:
    """A worker says of each answer what it is in."""
    say(piecewise, 16, "um", language="pt")
    say(piecewise, 4, "dois", language="pt")
    piecewise.windows(3, speaking=False)

    assert (last_final(piecewise).text, last_final(piecewise).language) == ("um dois", UNSET)
