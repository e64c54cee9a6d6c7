"""Recordings in virtual time, and what is made of partials that can be relied on."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.clips import load, made, read_manifest
from benchmarks.replay import remembered, replay, replay_markdown, replayed
from benchmarks.schedule import alone
from benchmarks.stability import Stability, errors
from transcription.core.config import SessionConfig
from transcription.core.contract.jobs import Job, Kind
from transcription.core.protocol import FinalTranscript, PartialTranscript, Timing, Word
from workers.engines.engine import Hypothesis

TIMING = Timing(preprocess_ms=0.0, queue_wait_ms=0.0, inference_ms=0.0, postprocess_ms=0.0, server_total_ms=0.0)
CLIP = load(read_manifest(Path("tests/audio/manifest.jsonl"))[0])


def decode(job: Job, audio: np.ndarray, before: np.ndarray | None) -> tuple[Hypothesis, float]:
    """As many words as there are half seconds; a partial costs 0.2 s and a final one."""
    text = " ".join(f"w{n}" for n in range(len(audio) // 8000))
    return Hypothesis(text, 1.0, []), 0.2 if job.kind is Kind.PARTIAL else 1.0


def test_a_recording_is_heard_as_fast_as_its_decodes_are() -> None:
    """One lane: a final waits for a partial, and is there a second after its decode began."""
    heard = replay(alone(CLIP), SessionConfig(), decode)

    ((at, final),) = heard.finals
    endpoint_s = (final.audio_start_ms + final.audio_duration_ms) / 1000
    assert 0.4 < at - endpoint_s < 1.25
    assert len(heard.partials_of(final.segment_id)) >= 3
    assert heard.cpu_s[Kind.PARTIAL] == pytest.approx(0.2 * round(heard.cpu_s[Kind.PARTIAL] / 0.2))
    assert heard.text.startswith("w0 w1 w2")


def test_two_runs_are_the_same() -> None:
    """Nothing of the machine is in it."""
    one, other = (replay(alone(CLIP), SessionConfig(), decode).messages for _ in range(2))

    assert one == other


def test_the_report_has_all_figures() -> None:
    found = replayed([CLIP], decode)

    assert found.stability.stable > 0
    assert found.as_json()["cpu_s"]["final"] >= 1.0
    table = replay_markdown({0: found, 8000: found})
    assert "| word error rate " in table
    assert "| whole " in table
    assert "| pieces of 8 s " in table


def test_pieces_cost_what_was_said_last() -> None:
    """Of a recording with a pause in which much has been said already."""
    speech = CLIP.pcm[: 3 * 16_000]
    recording = made("two", np.concatenate([speech, np.zeros(4_800, np.int16), speech]))
    costs: list[int] = []

    def counting(job: Job, audio: np.ndarray, before: np.ndarray | None) -> tuple[Hypothesis, float]:
        costs.append(len(audio) if job.kind is Kind.FINAL else 0)
        return decode(job, audio, before)

    replayed([recording], counting, piece_ms=0)
    whole = max(costs)
    costs.clear()
    replayed([recording], counting, piece_ms=2_000)

    assert max(costs) < 0.7 * whole


def test_the_audio_of_the_segment_before_is_there_where_a_job_names_it() -> None:
    """Two halves of a sentence, with a pause of 0.7 s that ends the first."""
    speech = CLIP.pcm[: 3 * 16_000]
    recording = made("two", np.concatenate([speech, np.zeros(11_200, np.int16), speech]))
    known: list[tuple[str, int]] = []

    def noting(job: Job, audio: np.ndarray, before: np.ndarray | None) -> tuple[Hypothesis, float]:
        if job.kind is Kind.FINAL and job.before and before is not None:
            known.append((job.before.text, before.size))
        return decode(job, audio, before)[0], 0.1

    first = replay(alone(recording), SessionConfig(), noting).finals[0][1]

    assert known == [(first.text, first.audio_duration_ms * 16)]


def test_what_was_decoded_is_not_decoded_again() -> None:
    """The same audio for the same kind of job."""
    asked = []

    def counting(job: Job, audio: np.ndarray, before: np.ndarray | None) -> tuple[Hypothesis, float]:
        asked.append(job)
        return decode(job, audio, before)

    remembering = remembered(counting)
    first = replayed([CLIP], remembering)
    jobs = len(asked)

    assert replayed([CLIP], remembering) == first
    assert len(asked) == jobs


@pytest.mark.parametrize(
    ("words", "text", "least", "hits"),
    [
        ("a b c", "a b c d", 0, {0, 1, 2}),
        ("a x c", "a b c d", 1, {0, 2}),
        ("a x b c", "a b c d", 1, {0, 1, 2}),
        ("a c", "a b c d", 1, {0}),
        ("", "a b", 0, set()),
        ("a b", "", 2, set()),
    ],
)
def test_words_are_held_against_the_texts_beginning(words: str, text: str, least: int, hits: set[int]) -> None:
    """What follows is nobody's error."""
    found, told = errors(words.split(), text.split())

    assert found == least
    assert hits <= told


def partial(text: str, stable: str) -> PartialTranscript:
    return PartialTranscript(
        session_id="s", segment_id="1", text=text, confidence=1.0, stable_text=stable, speculative=False,
        audio_end_ms=0.0, timing=TIMING,
    )  # fmt: skip


def test_stable_words_are_counted_once_with_their_lags() -> None:
    """From the word's end on the session's clock to the first partial that had it."""
    words = [Word(word=w, start=i * 1.0, end=i + 0.5, probability=1.0) for i, w in enumerate(["Bom", "dia,", "Ana."])]
    final = FinalTranscript(
        session_id="s", segment_id="1", text="Bom dia, Ana.", confidence=1.0, words=words,
        audio_duration_ms=3000.0, audio_start_ms=2000.0, timing=TIMING,
    )  # fmt: skip
    found = Stability()
    found.add([(3.0, partial("Bom tia", "Bom")), (4.5, partial("Bom dia Hanna", "bom dia"))], final)

    assert (found.words, found.stable, found.wrong) == (3, 2, 0)
    assert found.lags_s == [pytest.approx(0.5), pytest.approx(1.0)]
    assert (found.shown, found.changed) == (1, 1)
