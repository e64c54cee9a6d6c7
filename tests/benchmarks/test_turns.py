"""Policies over turns that were heard once, and the turns themselves."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.dictation import HALVES, KINDS, Turn, dictation
from benchmarks.hearing import Heard
from benchmarks.reporting import turns_markdown
from benchmarks.turns import MODES, Ended, Point, Swept, play, sweep
from harness.programs import needed
from transcription.core.config import VadConfig
from transcription.core.session.endpointing import WINDOW

SPEECH, PAUSE, TAIL = 20, 25, 120
"""Windows of 32 ms: 640 ms, 800 ms, and longer than any policy waits."""


def heard(first: str, then: str) -> Heard:
    """Two pieces with a pause of 800 ms between them, asked for 160 ms into each pause."""
    end = (SPEECH + PAUSE + SPEECH) * WINDOW
    turn = Turn("made", "cpf", np.zeros(0, np.int16), ((SPEECH * WINDOW, first), (end, then)))
    voiced = [*[1.0] * SPEECH, *[0.0] * PAUSE, *[1.0] * SPEECH, *[0.0] * TAIL]
    asked = (SPEECH + 5) * WINDOW, end + 5 * WINDOW
    return Heard(turn, [(each, 0.0) for each in voiced], {at: turn.said_by(at) for at in asked})


CPF = heard("meu CPF é cinco dois nove", "nove oito dois dois quatro sete dois cinco")


@pytest.mark.parametrize(
    ("mode", "decode_ms", "cut", "dead_air_ms"),
    [("fixed", 150, True, None), ("auto", 150, False, 320), ("auto", 400, True, None), ("auto", 300, False, 480)],
)
def test_a_policy_ends_a_turn(mode: str, decode_ms: float, cut: bool, dead_air_ms: float | None) -> None:
    """Cut in its pause, unless its text is there in time and holds it; over early where it is complete."""
    assert play(CPF, VadConfig(turn_mode=mode), decode_ms) == Ended("cpf", cut, dead_air_ms, whole=not cut)


@pytest.mark.parametrize(
    ("written", "whole"),
    [("meu CPF é 529.982.247-25", True), ("cinco dois nove nove oito dois dois quatro sete dois cinco", True),
     ("529 982 247 26", False), ("", False)],
)  # fmt: skip
def test_a_cpf_is_whole_where_its_final_has_it(written: str, whole: bool) -> None:
    """By the last text that was decoded before the endpoint; other turns have none."""
    late = replace(CPF, texts=CPF.texts | {max(CPF.texts): written})

    assert play(late, VadConfig(turn_mode="dictation"), 150).whole is whole
    other = replace(late, turn=replace(late.turn, kind="name"))
    assert play(other, VadConfig(turn_mode="dictation"), 150).whole is None
    assert Point(500, [Ended("cpf", True, None, False), Ended("cpf", False, 1.0, True)]).whole == (2, 1)


def test_a_longer_silence_cuts_less_and_waits_longer() -> None:
    """The two figures of a sweep."""
    fixed, auto = (sweep("made", [CPF, heard("sim", "")], mode, 150) for mode in ("fixed", "auto"))

    assert fixed.cut_within(600) == 1.0
    assert fixed.waited_within(0.05) == pytest.approx(864)
    assert auto.cut_within(600) == 0.5
    assert fixed.default.kinds == {"cpf": (2, 2)}
    assert Swept("none", "fixed", [Point(500, [Ended("cpf", True, None)])]).waited_within(0.5) is None


def test_the_report_has_all_modes() -> None:
    """And what each cuts."""
    markdown = turns_markdown([sweep("made", [CPF], mode, 150) for mode in MODES])

    assert "| made    | fixed     |" in markdown
    assert "| made    | auto      |" in markdown
    assert "1 of 1" in markdown


def test_turns_are_dictated() -> None:
    """The same for the same seed, others in the other half; where each piece ends is known."""
    needed("espeak-ng")
    tuning, again, judging = (dictation(half, 6, ["pt-br"], 3) for half in (HALVES[0], HALVES[0], HALVES[1]))

    for one, other in zip(tuning, again, strict=True):
        assert one.pieces == other.pieces
        assert (one.pcm == other.pcm).all()
    assert {turn.kind for turn in tuning} <= KINDS.keys()
    assert [turn.pieces for turn in tuning] != [turn.pieces for turn in judging]
    assert all(turn.said_by(turn.end) == " ".join(text for _, text in turn.pieces) for turn in tuning)
    assert all(turn.said_by(turn.end - 1) != turn.said_by(turn.end) for turn in tuning)
