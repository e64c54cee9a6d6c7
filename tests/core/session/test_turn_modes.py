"""What was said and when an utterance ends, in a session."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.session.fakes import FAST, HUM, Talk, transcript, with_vad
from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Kind
from transcription.core.protocol import Configured, Error, FinalTranscript, VadEvent, encode
from transcription.core.session.effects import Send
from transcription.core.session.endpointing import WINDOW

MS = WINDOW / 16
PATIENT = with_vad(
    replace(FAST, max_utterance_s=30.0),
    min_silence_ms=500, speculate_ms=96, turn_mode="auto", max_hold_ms=1500, min_silence_early_ms=200,
)  # fmt: skip


def begun(config: SessionConfig = PATIENT) -> Talk:
    talk = Talk(config)
    talk.start()
    talk.windows(20, speaking=True)
    return talk


def silence_until_end(talk: Talk, text: str | None, *, after: int = 5, **fields: object) -> float:
    """Be silent until speech is over (ms); the final that is decoded ahead is answered after so many windows."""
    for window in range(1, 400):
        talk.windows(1, speaking=False)
        if talk.kinds()[-1] == "speech_end" or "speech_end" in talk.kinds()[-2:]:
            return window * MS
        if window == after and text is not None:
            talk.answer(talk.final(), text, **fields)
    raise AssertionError("never over")


@pytest.mark.parametrize(
    ("mode", "text", "silence_ms"),
    [
        ("auto", "meu CPF é", 1500), ("auto", "bom dia", 500), ("auto", "sim", 200), ("auto", None, 500),
        ("dictation", "bom dia", 1500), ("dictation", "sim", 200), ("dictation", None, 500),
        ("short", "bom dia", 200), ("short", "meu CPF é", 1500),
        ("fixed", "meu CPF é", 500), ("fixed", "sim", 500),
    ],
)  # fmt: skip
def test_an_utterance_ends_by_what_was_said(mode: str, text: str | None, silence_ms: float) -> None:
    """After the silence that its text asks for; the fixed one where there is no text in time."""
    talk = begun(with_vad(PATIENT, turn_mode=mode))

    assert silence_ms <= silence_until_end(talk, text) < silence_ms + MS


@pytest.mark.parametrize(
    ("text", "probability", "silence_ms"),
    [("bom dia", 0.2, 1400), ("bom dia", 0.8, 500), ("bom dia", None, 500), ("sim", 0.2, 200)],
)
def test_an_utterance_that_does_not_sound_over_is_held(text: str, probability: float | None, silence_ms: int) -> None:
    """As the worker says with the text; where it says nothing, the text alone counts."""
    talk = begun(with_vad(PATIENT, max_hold_ms=1400))

    assert silence_ms <= silence_until_end(talk, text, turn_probability=probability) < silence_ms + MS


@pytest.mark.parametrize(
    ("config", "asked"),
    [(PATIENT, True), (with_vad(PATIENT, turn_mode="fixed"), False), (replace(PATIENT, language="en"), False)],
)
def test_only_who_goes_by_it_asks_how_a_turn_sounds(config: SessionConfig, asked: bool) -> None:
    """Of finals that are decoded ahead; one at an endpoint comes too late to hold it."""
    talk = begun(config)
    talk.windows(5, speaking=False)
    talk.windows(10, speaking=True)
    talk.text('{"type": "flush"}')
    ahead, at_the_endpoint = [job.turn for job in talk.jobs if job.kind is Kind.FINAL]

    assert (ahead, at_the_endpoint) == (asked, False)
    assert not any(job.turn for job in talk.jobs if job.kind is Kind.PARTIAL)


def test_text_that_comes_late_changes_nothing() -> None:
    """The fixed silence is over: so is the utterance, and its final is that text."""
    talk = begun()
    assert silence_until_end(talk, None) < 500 + MS
    talk.answer(talk.final(), "meu CPF é")

    assert [m.text for m in talk.sent if isinstance(m, FinalTranscript)] == ["meu CPF é"]


def test_text_between_the_early_and_the_fixed_silence_ends_it_at_once() -> None:
    """With the next window."""
    talk = begun()

    assert silence_until_end(talk, "sim", after=10) == 11 * MS


def test_the_next_pause_is_judged_anew() -> None:
    """What held the last one holds it no more."""
    talk = begun()
    talk.windows(5, speaking=False)
    talk.answer(talk.final(), "meu CPF é")
    talk.windows(30, speaking=False)
    assert "speech_end" not in talk.kinds()
    talk.windows(10, speaking=True)

    assert silence_until_end(talk, None) < 500 + MS
    assert [m.state for m in talk.sent if isinstance(m, VadEvent)] == ["speech_start", "speech_end"]


def test_only_portuguese_is_judged() -> None:
    """The rules are of no other language."""
    assert silence_until_end(begun(replace(PATIENT, language="en")), "não") < 500 + MS


def test_a_client_that_sends_no_audio_is_waited_for_as_long() -> None:
    """What does not come is silence, and holds an open utterance no shorter."""
    talk = begun()
    talk.windows(5, speaking=False)
    talk.answer(talk.final(), "meu CPF é")
    for _ in range(3):
        talk.now += 0.5
        talk.take(talk.session.tick(talk.now))
    assert "speech_end" not in talk.kinds()
    for _ in range(2):
        talk.now += 0.5
        talk.take(talk.session.tick(talk.now))

    assert "speech_end" in talk.kinds()


# configure


def configured(talk: Talk) -> list[Configured]:
    return [message for message in talk.sent if isinstance(message, Configured)]


def configure(talk: Talk, **options: object) -> None:
    talk.text(msgspec.json.encode({"type": "configure", **options}).decode())


def test_a_client_changes_its_turns() -> None:
    """And is told what it has now; what it leaves out stays."""
    talk = begun(with_vad(PATIENT, turn_mode="fixed"))
    configure(talk, turn_mode="dictation", max_hold_ms=800)

    assert configured(talk) == [
        Configured(session_id="s", lang_code="pt", turn_mode="dictation", min_silence_ms=500, max_hold_ms=800)
    ]
    assert 800 <= silence_until_end(talk, "bom dia") < 800 + MS


def test_it_takes_effect_in_a_pause() -> None:
    """With what is known to have been said in it."""
    talk = begun(with_vad(PATIENT, turn_mode="fixed"))
    talk.windows(5, speaking=False)
    talk.answer(talk.final(), "bom dia")
    configure(talk, turn_mode="dictation")
    talk.windows(20, speaking=False)
    assert "speech_end" not in talk.kinds()
    configure(talk, turn_mode="auto")
    talk.windows(1, speaking=False)

    assert "speech_end" in talk.kinds()


def test_another_language_is_that_of_the_next_utterance() -> None:
    """An open one stays what it began as, its formatted text too."""
    talk = begun(replace(PATIENT, format="pt-BR"))
    configure(talk, lang_code="en-US", min_silence_ms=200)
    silence_until_end(talk, None)
    first = talk.final()
    talk.answer(first, "vinte e cinco por cento")
    talk.windows(20, speaking=True)
    silence_until_end(talk, None)
    second = talk.final()
    talk.answer(second, "twenty five")

    assert [first.language, second.language] == ["pt", "en"]
    finals = [message for message in talk.sent if isinstance(message, FinalTranscript)]
    assert [final.text_formatted for final in finals] == ["25%", msgspec.UNSET]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"turn_mode": "slow"}, ["turn_mode"]),
        ({"min_silence_ms": 5, "max_hold_ms": "long", "turn_mode": "auto"}, ["min_silence_ms", "max_hold_ms"]),
        ({"lang_code": "klingon", "keyterms": [""], "max_hold_ms": -1}, ["lang_code", "keyterms", "max_hold_ms"]),
        ({"sample_rate": 8000}, ["sample_rate"]),
        ({"lang_code": "auto", "languages": ["pt", "es"], "turn_mode": "slow"}, ["turn_mode"]),
    ],
)
def test_all_that_is_wrong_is_named_at_once(options: dict[str, Any], named: list[str]) -> None:
    """Nothing of it is taken, and the session goes on."""
    talk = begun()
    configure(talk, **options)

    (error,) = [message for message in talk.sent if isinstance(message, Error)]
    assert error.refused == "configure"
    assert {name for name in options if name in error.message} == {*named}
    assert not configured(talk)
    assert silence_until_end(talk, "sim") < 200 + MS


def test_it_wants_a_session() -> None:
    """Before there is one, there is nothing to configure."""
    talk = Talk(PATIENT)
    configure(talk, turn_mode="auto")

    assert [message.message for message in talk.sent if isinstance(message, Error)] == [
        "Expected between `start_session` and `end_session`"
    ]


def test_each_refusal_is_told() -> None:
    """However many there are: somebody waits for it. Other complaints are told less and less, and say no such thing."""
    talk = begun()
    for _ in range(30):
        configure(talk, max_hold_ms=-1)
        talk.text('{"type": "nonsense"}')

    refused = [message.refused for message in talk.sent if isinstance(message, Error)]
    assert refused.count("configure") == 30 > refused.count(None)


# Always

TEXTS = st.sampled_from(["meu CPF é", "529 982", "sim", "bom dia", "", "é..."])
MODES = st.sampled_from(["auto", "dictation", "short", "fixed"])


@given(
    st.lists(st.tuples(st.integers(1, 25), st.integers(1, 60), st.none() | TEXTS, st.integers(1, 30)), max_size=6),
    MODES,
    st.none() | MODES,
)
def test_whatever_is_said_the_promises_hold(
    said: list[tuple[int, int, str | None, int]], mode: str, then: str | None
) -> None:
    """No endpoint is later than silence and hold; each utterance has one final, and finals come in order."""
    talk = Talk(with_vad(PATIENT, turn_mode=mode))
    talk.start()
    for n, (speaking, silent, text, after) in enumerate(said):
        talk.windows(speaking, speaking=True)
        for window in range(silent):
            talk.windows(1, speaking=False)
            if window == after and text is not None and talk.jobs and talk.jobs[-1].kind == "final":
                talk.answer(talk.jobs[-1], text)
            if talk.session.talking:
                assert window * MS <= 500 + 1500
        if n == 1 and then:
            configure(talk, turn_mode=then)
    talk.text('{"type": "flush"}')
    for job in [job for job in talk.jobs if job.kind == "final"]:
        talk.answer(job, "fim")

    ended = [message.segment_id for message in talk.sent if getattr(message, "state", "") == "speech_end"]
    finals = [message.segment_id for message in talk.sent if isinstance(message, FinalTranscript)]
    assert finals == sorted(finals) == ended


@given(st.lists(st.tuples(st.integers(1, 25), st.integers(1, 60), TEXTS), max_size=5))
def test_fixed_is_what_it_was(said: list[tuple[int, int, str]]) -> None:
    """What is sent is the same, byte for byte, as where no text is judged, in a language without rules."""

    def sent(config: SessionConfig) -> list[str]:
        talk = Talk(config)
        talk.start()
        wire: list[str] = []
        for speaking, silent, text in said:
            for window in range(speaking + silent):
                talk.vad.speaking = window < speaking
                talk.now += WINDOW / 16_000
                effects = talk.take(talk.session.receive_audio(HUM, talk.now))
                if window == speaking + 5 and talk.jobs:
                    effects += talk.take(talk.session.receive_result(transcript(talk.jobs[-1], text), talk.now))
                wire += [encode(effect.message) for effect in effects if isinstance(effect, Send)]
        return wire

    assert sent(with_vad(PATIENT, turn_mode="fixed")) == sent(replace(PATIENT, language="en"))
