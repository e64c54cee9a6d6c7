"""What the real engine makes of a text that its audio may not support."""

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from harness.audio import SAMPLE_RATE, speech
from tests.workers.engines.decoding import CLIPS, audio, heard, job
from transcription.core.contract.jobs import Kind
from workers.engines.attempt import Attempt
from workers.engines.engine import Hypothesis, Request
from workers.engines.evidence import weighed
from workers.engines.whisper import WhisperEngine

pytestmark = pytest.mark.model


def test_a_text_that_the_audio_does_not_support_is_dropped(engine: WhisperEngine) -> None:
    """Claps that an endpointer let through: what Whisper writes by habit is no final, and the audit gets to know."""
    claps = np.zeros(3 * SAMPLE_RATE, np.float32)
    random = np.random.default_rng(3)
    for start in (8_000, 24_000, 40_000):
        claps[start : start + 800] += (random.normal(0, 0.3, 800) * np.exp(-np.arange(800) / 150)).astype(np.float32)
    request = engine.prepare(job(), claps)
    assert isinstance(request, Request)
    said = Hypothesis("O que é isso?", 0.4, [])

    believed = engine._believed(request, Attempt(said, logprob=-0.9, said=said.text)).hypothesis

    assert believed.text == ""
    assert believed.dropped
    assert believed.dropped.reason == "no_evidence"
    assert believed.dropped_text == said.text


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("level", [1.0, 0.01])
def test_speech_has_evidence_at_any_level(engine: WhisperEngine, clip: str, level: float) -> None:
    found = heard(engine, job(), audio(speech(clip)) * np.float32(level))

    assert found.text
    assert found.dropped is None


@pytest.mark.parametrize("said", ["Não, não, não. Não, não.", "Sim, sim, sim!", "Alô? Alô? Alô?", "nove nove nove"])
def test_what_is_said_again_and_again_keeps_its_evidence(engine: WhisperEngine, said: str) -> None:
    """Each next copy is easy to foresee, on silence too; that is no reason to doubt the first."""
    sot_sequence = engine._tokenizer("pt").sot_sequence
    again, once = (
        engine._silence.logprob(sot_sequence, engine._tokens(text)) for text in (weighed(said), said.split()[0])
    )

    assert again == pytest.approx(once, abs=1.5)
    assert again < -1.5


def test_a_word_that_begins_with_t_is_weighed_as_the_model_writes_it(engine: WhisperEngine) -> None:
    """In the published tokens it is unlikely on silence by ten orders of magnitude more, and so always believed."""
    tokenizer = engine._tokenizer("pt")
    request, said = engine.prepare(job(), audio(speech("s24_pf_dora"))), "tudo bem"
    assert isinstance(request, Request)
    weighed = engine._evidence(request, Attempt(Hypothesis(said, 1.0, []), logprob=0.0, said=said))
    published = -engine._silence.logprob(tokenizer.sot_sequence, tokenizer.encode(f" {said}"))

    assert weighed < published - 1


@pytest.mark.parametrize("said", ["e aí", "E aí", "e aí."])
def test_how_a_habit_is_spelt_is_no_evidence(engine: WhisperEngine, said: str) -> None:
    """Over hold music an "e aí" was believed, which "E aí?" would not have been."""
    asked = engine.prepare(job(), audio(speech("answers/oi_pm_alex")))
    usual, other = (
        engine._evidence(asked, Attempt(Hypothesis(one, 0.2, []), logprob=-1.9, said=one)) for one in ("E aí?", said)
    )

    assert other == pytest.approx(usual, abs=0.01)


def test_a_text_that_repeats_itself_is_weighed_by_its_first_words(engine: WhisperEngine) -> None:
    """Its copies are sure on any audio, and unlikely on silence when each is taken for the first."""
    samples = np.random.default_rng(0).normal(0, 0.02, 2 * SAMPLE_RATE).astype(np.float32)
    request = engine.prepare(job(), samples)
    said = "Sim! Sim! Sim! Sim! Sim! Sim!"
    assert isinstance(request, Request)

    assert engine._evidence(request, Attempt(Hypothesis(said, 0.5, []), logprob=-0.6, said=said)) < 1


@pytest.mark.parametrize(("kind", "said"), [(Kind.FINAL, "sim senhor"), (Kind.PARTIAL, "")])
def test_a_final_that_the_model_takes_for_silence_is_weighed_first(
    engine: WhisperEngine, kind: Kind, said: str
) -> None:
    """A partial is not: the next one comes soon."""
    request = engine.prepare(job(kind), audio(speech("s24_pf_dora")))
    assert isinstance(request, Request)
    tokens = engine._tokens("sim senhor")
    result = SimpleNamespace(sequences_ids=[tokens], scores=[-2.0], no_speech_prob=0.65, logits=[[]])
    attempt = engine._read(request, result, 50)

    assert attempt.said == attempt.hypothesis.text == said
    assert kind is Kind.PARTIAL or engine._again(request, attempt) is attempt, "no other decode is worth it"


@pytest.mark.parametrize(("said", "believed"), [("Sangue!", True), ("Hmmmm...", False)])
def test_what_the_model_thinks_is_silence_needs_much_evidence(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch, said: str, believed: bool
) -> None:
    """Its own doubt does not decide: an answer in noise is not lost to it."""
    monkeypatch.setattr(engine, "_evidence", lambda *_: 7.0)
    attempt = Attempt(Hypothesis(said, 0.3, []), logprob=-1.1, no_speech=0.65, said=said)
    found = engine._believed(engine.prepare(job(), audio(speech("s24_pf_dora"))), attempt).hypothesis

    assert attempt.silent
    assert (found.text, found.dropped_text) == ((said, "") if believed else ("", said))
    assert believed or found.dropped.reason == "no_speech"


def test_a_text_with_terms_is_weighed_as_the_model_wrote_it(engine: WhisperEngine) -> None:
    """A name is unlikely on silence: held against that, it would be evidence by itself."""
    samples = audio(speech("s24_pf_dora"))
    asked = engine.prepare(msgspec.structs.replace(job(), keyterms=("Padarya",)), samples)
    attempt = Attempt(Hypothesis("Kowalski", 0.5, []), logprob=-4.0, said="E aí")

    believed = engine._believed(asked, attempt)
    assert (believed.hypothesis.text, believed.hypothesis.dropped_text) == ("", "E aí")


@pytest.mark.parametrize(
    ("before", "believed"), [("Para o próximo.", True), ("A força que a gente precisa", False), ("", False)]
)
def test_what_was_believed_of_a_beginning_is_not_taken_back(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch, before: str, believed: bool
) -> None:
    """A caller who halts, on a bad line: the more is heard of it the less it may have to show for itself."""
    monkeypatch.setattr(engine, "_evidence", lambda *_: 0.1)
    said = "para o próximo, ajudará a enfrentar"
    asked = engine.prepare(msgspec.structs.replace(job(), believed=before), audio(speech("s24_pf_dora")))
    found = engine._believed(asked, Attempt(Hypothesis(said, 0.5, []), logprob=-0.9, said=said)).hypothesis

    assert (found.text, found.dropped_text) == ((said, "") if believed else ("", said))


@pytest.mark.parametrize(
    ("evidence", "loops", "heard_first"), [(3.0, False, True), (2.0, False, False), (3.0, True, False)]
)
def test_a_doubtful_text_with_much_for_it_is_not_lost_to_another_that_has_nothing(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch, evidence: float, loops: bool, heard_first: bool
) -> None:
    """In a window of 10 s somebody's "sim" was "SING", in 30 s it was "O que é isso?"."""
    asked = engine.prepare(job(), audio(speech("answers/oi_pm_alex")))
    first, again = (
        Attempt(Hypothesis(said, 0.2, []), logprob=-1.5, said=said, loops=loops, doubtful=True)
        for said in ("SING", "O que é isso?")
    )
    monkeypatch.setattr(engine, "_again", lambda *_: again)
    monkeypatch.setattr(engine, "_evidence", lambda _, attempt: evidence if attempt is first else 0.2)
    found = engine._final(asked, first).hypothesis

    assert (found.text, found.dropped_text) == (("SING", "") if heard_first else ("", "O que é isso?"))
