"""Policies over turns that were heard once, and the turns themselves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.dictation import HALVES, KINDS, Turn, dictation
from benchmarks.hearing import Heard, Kept, hear
from benchmarks.reporting import turns_markdown
from benchmarks.turns import POLICIES, Ended, Point, Policy, Swept, play, sweep
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


FIXED, AUTO, SOUND, BOTH, DICTATION = POLICIES
CPF = heard("meu CPF é cinco dois nove", "nove oito dois dois quatro sete dois cinco")


@pytest.mark.parametrize(
    ("policy", "decode_ms", "cut", "dead_air_ms"),
    [(FIXED, 150, True, None), (AUTO, 150, False, 320), (AUTO, 400, True, None), (AUTO, 300, False, 480)],
)
def test_a_policy_ends_a_turn(policy: Policy, decode_ms: float, cut: bool, dead_air_ms: float | None) -> None:
    """Cut in its pause, unless its text is there in time and holds it; over early where it is complete."""
    ended = play(CPF, policy, VadConfig(turn_mode=policy.mode), decode_ms)

    assert ended == Ended("cpf", cut, dead_air_ms, whole=not cut)


@pytest.mark.parametrize(
    ("policy", "sounds", "cut", "dead_air_ms"),
    [
        (SOUND, (0.1, 0.9), False, 512), (SOUND, (0.9, 0.1), True, None), (SOUND, (0.1, 0.1), False, 1504),
        (BOTH, (0.9, 0.1), False, 320), (AUTO, (0.9, 0.1), False, 320),
    ],
)  # fmt: skip
def test_a_policy_goes_by_how_it_sounds(
    policy: Policy, sounds: tuple[float, float], cut: bool, dead_air_ms: float | None
) -> None:
    """Alone, it holds what does not sound over; beside a text that is sure it says nothing."""
    turn = replace(CPF, sounds=dict(zip(CPF.texts, sounds, strict=True)))

    ended = play(turn, policy, VadConfig(turn_mode=policy.mode), 150)
    assert (ended.cut, ended.dead_air_ms) == (cut, dead_air_ms)


def test_what_was_made_of_audio_is_kept(tmp_path: Path) -> None:
    """For the next run with the same model, and for no other."""
    asked: list[int] = []

    def model(pcm: np.ndarray) -> float:
        asked.append(pcm.size)
        return 0.25

    pcm = np.arange(9, dtype=np.int16)
    for name in ("one", "one", "other"):
        assert Kept(model, name, tmp_path / "out" / "kept.jsonl")(pcm) == 0.25
    assert asked == [9, 9]


def test_a_turn_is_heard_at_each_pause() -> None:
    """By both models, from where its speech begins."""
    needed("espeak-ng")
    turn = next(turn for turn in dictation("tuning", 6, ["pt-br"], 3) if turn.kind == "cpf")
    found = hear(turn, lambda pcm: str(pcm.size), lambda pcm: float(pcm.size))

    assert found.texts
    assert found.sounds == {at: float(size) for at, size in found.texts.items()}
    assert not hear(turn, lambda pcm: str(pcm.size)).sounds


@pytest.mark.parametrize(
    ("written", "whole"),
    [("meu CPF é 529.982.247-25", True), ("cinco dois nove nove oito dois dois quatro sete dois cinco", True),
     ("529 982 247 26", False), ("", False)],
)  # fmt: skip
def test_a_cpf_is_whole_where_its_final_has_it(written: str, whole: bool) -> None:
    """By the last text that was decoded before the endpoint; other turns have none."""
    late = replace(CPF, texts=CPF.texts | {max(CPF.texts): written})

    assert play(late, DICTATION, VadConfig(turn_mode="dictation"), 150).whole is whole
    other = replace(late, turn=replace(late.turn, kind="name"))
    assert play(other, DICTATION, VadConfig(turn_mode="dictation"), 150).whole is None
    assert Point(500, [Ended("cpf", True, None, False), Ended("cpf", False, 1.0, True)]).whole == (2, 1)


def test_a_longer_silence_cuts_less_and_waits_longer() -> None:
    """The two figures of a sweep."""
    fixed, auto = (sweep("made", [CPF, heard("sim", "")], policy, 150) for policy in (FIXED, AUTO))

    assert fixed.cut_within(600) == 1.0
    assert fixed.waited_within(0.05) == pytest.approx(864)
    assert auto.cut_within(600) == 0.5
    assert fixed.default.kinds == {"cpf": (2, 2)}
    assert Swept("none", "fixed", [Point(500, [Ended("cpf", True, None)])]).waited_within(0.5) is None


def test_the_report_has_all_policies() -> None:
    """And what each cuts."""
    markdown = turns_markdown([sweep("made", [CPF], policy, 150) for policy in POLICIES])

    for policy in POLICIES:
        assert f"| made    | {policy.name:<22} |" in markdown
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
