"""The real engine with the embedded model."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.audio import SAMPLE_RATE, noise, silence, speech
from sttproject import env
from transcription.core.contract.jobs import Job, Kind
from workers import bootstrap
from workers.engines import repetition, windows
from workers.engines.engine import Hypothesis, Request
from workers.engines.evidence import weighed
from workers.engines.model_store import resolve
from workers.engines.whisper import Attempt, WhisperEngine

pytestmark = pytest.mark.model

CLIPS = ("s13_pm_alex", "s24_pf_dora", "s18_pf_dora", "s07_pm_alex")


@pytest.fixture(scope="module")
def engine() -> WhisperEngine:
    model = resolve("base", None, "~/.cache/whisper-stt")
    return WhisperEngine(Path(model), "cpu", "int8", cpu_threads=1, lanes=1)


def audio(pcm: bytes) -> NDArray[np.float32]:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0


def job(
    kind: Kind = Kind.FINAL,
    *,
    language: str = "pt",
    words: bool = False,
    prefix: str = "",
    endpointed: bool = True,
) -> Job:
    return Job(
        job_id="x", group="", segment_id="", kind=kind, audio_key="", overtaken_key="", number=0, start=0, end=None,
        language=language, beam_size=5 if kind is Kind.FINAL else 1, word_timestamps=words, prefix=prefix,
        endpointed=endpointed,
    )  # fmt: skip


def heard(engine: WhisperEngine, job: Job, samples: NDArray[np.float32]) -> Hypothesis:
    prepared = engine.prepare(job, samples)
    (answer,) = [prepared] if isinstance(prepared, Hypothesis) else engine.decode([prepared])
    assert isinstance(answer, Hypothesis)
    return answer


asks = st.tuples(
    st.sampled_from(CLIPS),
    st.sampled_from(["pt", "en", "es"]),
    st.sampled_from(["", "vire à", "a gente se"]),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(list(Kind)), requests=st.lists(asks, min_size=2, max_size=4))
def test_a_request_is_answered_as_if_it_were_alone(
    engine: WhisperEngine, kind: Kind, requests: list[tuple[str, str, str]]
) -> None:
    """Neighbours with other audio, languages and prefixes in the same batch change nothing."""
    prepared = [
        engine.prepare(
            job(kind, language=language, prefix=prefix if kind is Kind.PARTIAL else ""), audio(speech(clip))[:56_000]
        )
        for clip, language, prefix in requests
    ]
    assert len({request.key for request in prepared}) == 1, "they do share a batch"
    together = engine.decode(prepared)
    alone = [engine.decode([request])[0] for request in prepared]

    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.sure_words for answer in together] == [answer.sure_words for answer in alone]

    assert [answer.confidence for answer in together] == pytest.approx(
        [answer.confidence for answer in alone], abs=0.02
    )


def test_a_partial_says_how_many_words_the_model_is_sure_of(engine: WhisperEngine) -> None:
    """Words it was held to and does not believe are none; a final's are not counted."""
    samples = audio(speech("s13_pm_alex"))
    free = heard(engine, job(Kind.PARTIAL), samples)
    held = heard(engine, job(Kind.PARTIAL, prefix="Vire a geladeira"), samples)

    assert free.sure_words is not None and 5 <= free.sure_words <= len(free.text.split())
    assert held.text.startswith("Vire a geladeira") and held.sure_words in (0, 1, 2)
    assert heard(engine, job(), samples).sure_words is None


def test_words_that_a_partial_is_held_to_are_as_likely_as_where_it_wrote_them(engine: WhisperEngine) -> None:
    """Each is given in the tokens that the model would use; the published tokenizer has others for " t"."""
    samples = audio(speech("s04_pm_alex"))
    free = heard(engine, job(Kind.PARTIAL), samples)
    held = heard(engine, job(Kind.PARTIAL, prefix=" ".join(free.text.split()[:-1])), samples)

    assert any(word.lower().startswith("t") for word in free.text.split()[:-1])
    assert held.sure_words == free.sure_words


def test_a_translation_is_in_english(engine: WhisperEngine) -> None:
    """In a batch with what is not translated, which stays as it is; longer than a window too."""
    clip = audio(speech("s13_pm_alex"))
    english = msgspec.structs.replace(job(), task="translate")
    said, translated = engine.decode([engine.prepare(job(), clip), engine.prepare(english, clip)])
    long = heard(engine, english, np.concatenate([clip, np.zeros(31 * SAMPLE_RATE - clip.size, np.float32)]))

    assert isinstance(said, Hypothesis) and isinstance(translated, Hypothesis)
    assert "avenida" in said.text.lower()
    for answer in (translated, long):
        assert "paulista" in answer.text.lower()
        assert "avenida" not in answer.text.lower()


def test_words_and_times_follow_the_text(engine: WhisperEngine) -> None:
    """In order, inside the audio, each text's own."""
    clips = [audio(speech(clip)) for clip in CLIPS[:2]]
    answers = engine.decode([engine.prepare(job(words=True), clip) for clip in clips])

    for answer, clip in zip(answers, clips, strict=True):
        assert " ".join(word.word for word in answer.words) == answer.text
        starts = [word.start for word in answer.words]
        assert starts == sorted(starts)
        assert all(0 <= word.start <= word.end <= clip.size / 16_000 for word in answer.words)
        assert all(0 < word.probability <= 1 for word in answer.words)


def test_a_partial_goes_on_from_its_prefix(engine: WhisperEngine) -> None:
    """What is known is not decoded again, and the text begins with it."""
    answer = heard(engine, job(Kind.PARTIAL, prefix="Vire a direita na"), audio(speech("s13_pm_alex")))

    assert answer.text.startswith("Vire a direita na avenida Paulista")


@pytest.mark.parametrize("kind", list(Kind))
def test_silence_and_noise_never_run_on(engine: WhisperEngine, kind: Kind) -> None:
    """Nothing, or a few words; never a loop."""
    for pcm in (silence(3.0), noise(3.0)):
        answer = heard(engine, job(kind), audio(pcm))

        assert len(answer.text.split()) <= windows.max_tokens(5)
        assert not repetition.is_loop(answer.text, 3.0)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("level", [0.0, 0.001, 0.1])
def test_noise_that_no_endpointer_has_looked_at_is_not_decoded(engine: WhisperEngine, kind: Kind, level: float) -> None:
    """It is no speech to the worker either, so that what was known before is the answer."""
    hiss = level * audio(noise(8.0))

    assert engine.prepare(job(kind, endpointed=False, prefix="bom dia"), hiss) == Hypothesis(
        "bom dia", 0.0, [], sure_words=0
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_digital_silence_is_never_decoded(engine: WhisperEngine, kind: Kind) -> None:
    assert engine.prepare(job(kind), audio(silence(8.0))) == Hypothesis("", 0.0, [], sure_words=0)


def test_speech_that_no_endpointer_has_looked_at_is_decoded(engine: WhisperEngine) -> None:
    clip = audio(speech("s24_pf_dora"))

    assert heard(engine, job(endpointed=False), clip) == heard(engine, job(), clip)
    assert "padaria" in heard(engine, job(endpointed=False), clip).text


@pytest.mark.parametrize("said", ["...", "... ... ...", "♪", "!"])
def test_a_text_that_cannot_be_read_aloud_is_none(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(engine, "_text", lambda *_: said)

    assert heard(engine, job(), audio(speech("s13_pm_alex"))) == Hypothesis("", 0.0, [])


def windows_of_a_doubter(engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The windows of what an engine decodes from now on, which takes every decode for doubtful."""
    seen: list[int] = []
    generate = engine._generate
    monkeypatch.setattr(
        engine,
        "_generate",
        lambda batch, *rest, **encoded: seen.append(batch[0].features.window) or generate(batch, *rest, **encoded),
    )
    monkeypatch.setattr(windows, "is_doubtful", lambda *_, **__: True)
    return seen


def test_a_doubtful_final_is_decoded_again_in_the_whole_window(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; partials are not worth it."""
    seen = windows_of_a_doubter(engine, monkeypatch)
    final = heard(engine, job(), audio(speech("s24_pf_dora")))
    heard(engine, job(Kind.PARTIAL), audio(speech("s24_pf_dora")))

    assert seen == [10, 30, 5]
    assert "padaria" in final.text


def test_finals_are_decoded_in_the_window_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the worker's setting; a whole window is looked at once, and a partial has its own."""
    chosen = env.load(whisper_model="base", device="cpu", compute_type="int8", min_final_window_s=30, model_dir=None)
    monkeypatch.setattr(django_settings, "STT", chosen)
    engine = bootstrap._engine(1)
    seen = windows_of_a_doubter(engine, monkeypatch)
    final = heard(engine, job(), audio(speech("s24_pf_dora")))
    heard(engine, job(Kind.PARTIAL), audio(speech("s24_pf_dora")))

    assert seen == [30, 5]
    assert "padaria" in final.text


def test_a_sentence_that_is_left_out_is_found(engine: WhisperEngine) -> None:
    """Said twice, and then another: a decode without timestamps may begin with that."""
    first = trimmed("s18_pf_dora")
    said = np.concatenate([first, first, trimmed("s13_pm_alex")])
    answer = heard(engine, job(words=True), said)

    assert "forno" in answer.text
    assert "Paulista" in answer.text
    assert [word.word for word in answer.words] == answer.text.split()


def trimmed(clip: str) -> NDArray[np.float32]:
    """From its first sound to its last, and a fifth of a second."""
    samples = audio(speech(clip))
    loud = np.nonzero(np.abs(samples) > 0.003)[0]
    return np.concatenate([samples[loud[0] : loud[-1] + 1], np.zeros(3200, np.float32)])


def syllable(clip: str, at_s: float, length_s: float, gap_s: float) -> NDArray[np.float32]:
    """A syllable of a clip, said a dozen times."""
    sound = audio(speech(clip))[int(at_s * 16_000) :][: int(length_s * 16_000)]
    faded = sound * np.hanning(sound.size) ** 0.3
    return np.tile(np.concatenate([faded, np.zeros(int(gap_s * 16_000))]), 12).astype(np.float32)


@pytest.mark.parametrize(
    ("clip", "at_s", "length_s", "gap_s"),
    [("s07_pm_alex", 3.5, 0.2, 0.05), ("s06_pf_dora", 3.3, 0.15, 0.1), ("s24_pf_dora", 3.3, 0.15, 0.1)],
)
@pytest.mark.parametrize("kind", list(Kind))
def test_no_text_is_longer_than_its_audio_allows(
    engine: WhisperEngine, kind: Kind, clip: str, at_s: float, length_s: float, gap_s: float
) -> None:
    """Of a syllable said again and again Whisper makes a word of a hundred letters and more."""
    samples = syllable(clip, at_s, length_s, gap_s)
    answer = heard(engine, job(kind, words=True), samples)

    assert len(answer.text) <= repetition.most_chars(samples.size / 16_000)
    assert all(len(word) <= 40 for word in answer.text.split())
    assert [word.word for word in answer.words] == answer.text.split()


def test_the_way_out_of_a_loop_is_another_decode_of_the_same_window(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fewer tokens, none of which may be said again; what it says is taken, though it is less likely."""
    asked = []
    generate = engine._generate

    def looping(batch: list[Request], limit: int = 0, encoded: Any = None, **options: int) -> list[Attempt]:
        asked.append((batch[0].features.window, limit, options))
        found = generate(batch, limit, encoded, **options)
        return found if options else [replace(attempt, loops=True, logprob=-0.01) for attempt in found]

    monkeypatch.setattr(engine, "_generate", looping)
    samples = audio(speech("s24_pf_dora"))[:48_000]
    answer = heard(engine, job(), samples)

    assert asked == [(10, 0, {}), (10, windows.max_tokens(3.0), {"no_repeat_ngram_size": 4})]
    assert answer.text


def test_what_is_said_after_a_repetition_is_heard(engine: WhisperEngine) -> None:
    """A sentence's beginning said twice, then the whole of it."""
    clip = audio(speech("s07_pm_alex"))
    answer = heard(engine, job(words=True), np.concatenate([clip[:24_000], clip[:24_000], clip]))

    assert "relatório" in answer.text
    assert answer.text.rstrip(".").endswith("dia")
    assert [word.word for word in answer.words] == answer.text.split()


def test_audio_longer_than_a_window_is_transcribed_all_the_same(engine: WhisperEngine) -> None:
    """Through faster-whisper's own sliding windows."""
    long = audio(speech("s24_pf_dora") + silence(24.0) + speech("s18_pf_dora") + silence(1.0))
    answer = heard(engine, job(), long)

    assert long.size > 30 * 16_000
    assert "padaria" in answer.text
    assert "café" in answer.text


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


# Terms


def test_a_term_that_was_said_is_written_as_it_is_spelt(engine: WhisperEngine) -> None:
    """Its times are those of the words it takes the place of; what is around it stays, alone or beside jobs without."""
    samples = audio(speech("s24_pf_dora"))
    plain = job(words=True)
    asked = msgspec.structs.replace(plain, keyterms=("Padarya", "Sicoob", "Kowalski"))
    without, (alone,) = heard(engine, plain, samples), [heard(engine, asked, samples)]
    together = engine.decode([engine.prepare(each, samples) for each in (plain, asked, plain)])

    assert "padaria" in without.text and "Padarya" in alone.text
    assert alone.text == without.text.replace("padaria", "Padarya")
    times = {word.word.strip(",."): (word.start, word.end) for word in alone.words}
    (was,) = [(word.start, word.end) for word in without.words if word.word.startswith("padaria")]
    assert times["Padarya"] == pytest.approx(was, abs=0.3)
    assert [each.text for each in together] == [without.text, alone.text, without.text]
    assert alone.confidence == pytest.approx(without.confidence)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("kind", list(Kind))
def test_terms_that_were_not_said_change_nothing(engine: WhisperEngine, clip: str, kind: Kind) -> None:
    """Some of them sound like what was said."""
    terms = ("Sicoob", "Clara", "Vieira", "Forno Bom", "Paulina", "Relato", "Amanda", "Metrô", "Farmais", "Kowalski")
    samples = audio(speech(clip))
    asked = msgspec.structs.replace(job(kind), keyterms=terms)

    assert heard(engine, asked, samples).text == heard(engine, job(kind), samples).text


def test_a_partial_has_terms_after_its_prefix_alone(engine: WhisperEngine) -> None:
    """What is stable stays stable."""
    samples = audio(speech("s24_pf_dora"))
    asked = msgspec.structs.replace(job(Kind.PARTIAL), keyterms=("Padarya", "Gentil"))

    assert "Padarya" in heard(engine, asked, samples).text
    held = msgspec.structs.replace(asked, prefix="A gente se encontra na frente da padaria, do")
    assert heard(engine, held, samples).text.startswith("A gente se encontra na frente da padaria, do")


def test_a_text_with_terms_is_weighed_as_the_model_wrote_it(engine: WhisperEngine) -> None:
    """A name is unlikely on silence: held against that, it would be evidence by itself."""
    samples = audio(speech("s24_pf_dora"))
    asked = engine.prepare(msgspec.structs.replace(job(), keyterms=("Padarya",)), samples)
    attempt = Attempt(Hypothesis("Kowalski", 0.5, []), logprob=-4.0, said="E aí")

    believed = engine._believed(asked, attempt)
    assert (believed.hypothesis.text, believed.hypothesis.dropped_text) == ("", "E aí")
