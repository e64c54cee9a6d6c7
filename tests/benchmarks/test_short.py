"""Answers of a word or two."""

import numpy as np
import pytest

from benchmarks import answers
from benchmarks.clips import made
from benchmarks.record import Record
from benchmarks.reporting import short_markdown
from benchmarks.schedule import alone
from benchmarks.short import Answers, answer
from harness.programs import needed
from tests.benchmarks.material import clip, endpoint, final, record_of, sound


def heard(said: str, *messages: dict) -> Record:
    """A session of one answer."""
    script = alone(made(said, sound(0.4), text=said))
    return record_of(script, [(1.0 + i, message) for i, message in enumerate(messages)])


def test_an_answer_is_right_word_for_word() -> None:
    """After normalisation; a digit is a word."""
    two = answer(heard("dois", endpoint("s1"), final("s1", 0.0, 400.0, "2.")), "Dois.")
    wrong = answer(heard("tá", endpoint("s1"), final("s1", 0.0, 400.0, "Está.")), "")

    assert (two.began, two.finals, two.right, two.right_offline) == (True, 1, True, True)
    assert (wrong.right, wrong.right_offline) == (False, False)


def test_the_report_tells_what_was_not_heard() -> None:
    """Without speech, without a final, without text, its text dropped, without the word: each is counted by itself."""
    found = [
        answer(heard("sim", endpoint("s1"), final("s1", 0.0, 400.0, "Sim!")), "Sim"),
        answer(heard("oi", endpoint("s1"), final("s1", 0.0, 400.0, "Foi.")), ""),
        answer(heard("não", endpoint("s1"), final("s1", 0.0, 400.0, "") | {"dropped": {}}), "Não"),
        answer(heard("não"), "Mão"),
    ]
    text = short_markdown([Answers("phone", found)])
    cells = [cell.strip() for cell in text.splitlines()[4].split("|")]

    assert cells[1:-1] == ["phone", "4", "3", "3", "2", "1", "1", "3", "2"]
    assert "- phone: não 2" in text


def test_answers_are_synthesised_voice_by_voice() -> None:
    """Trimmed, and at a telephone's level."""
    needed("espeak-ng")
    spoken = answers.synthesised(["pt-br", "pt-br+f2"], 40)

    assert [recording.clip.text for recording in spoken[:36]] == list(answers.ANSWERS)
    assert [recording.clip.speaker for recording in spoken[34:]] == ["pt-br"] * 2 + ["pt-br+f2"] * 4
    assert all(0.1 < recording.seconds < 2 for recording in spoken)
    assert np.sqrt(np.mean(spoken[0].pcm.astype(float) ** 2)) / 32768 == pytest.approx(answers.LEVEL, rel=0.2)


def test_there_are_none_where_the_program_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert answers.synthesised(["pt-br"], None) == []


def test_a_short_recording_has_one_word_or_two() -> None:
    assert [answers.is_short(clip(text=text)) for text in ("", "sim", "pode ser", "isso aí mesmo")] == [
        False,
        True,
        True,
        False,
    ]
