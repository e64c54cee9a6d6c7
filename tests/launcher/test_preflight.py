"""What is looked for before anything is started or downloaded, where a test can stand in for the hardware."""

import subprocess
from collections.abc import Sequence

import ctranslate2
import pytest

from launcher import preflight
from sttproject import env
from workers.engines import cuda


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that CTranslate2 says it can use."""
    monkeypatch.setattr(preflight, "cuda_devices", lambda: 1)
    monkeypatch.setattr(ctranslate2, "get_supported_compute_types", lambda device: {"float32", "float16"})


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """None that it can use, whatever the machine has."""
    monkeypatch.setattr(preflight, "cuda_devices", lambda: 0)
    monkeypatch.setattr(cuda, "why_none", lambda: "the card is tired: let it rest.")


def comes_to(monkeypatch: pytest.MonkeyPatch, outcome: subprocess.CompletedProcess[str] | Exception) -> list[str]:
    """What the trial comes to; the command it was started with, once it was."""
    started: list[str] = []

    def run(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        started.extend(command)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(preflight.subprocess, "run", run)
    return started


@pytest.mark.usefixtures("card")
def test_a_card_is_tried_before_anything_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own."""
    started = comes_to(monkeypatch, subprocess.CompletedProcess([], 0, "cuda decodes as float16\n", ""))

    assert preflight.device(env.load(device="cuda")) == "cuda, float16"
    assert started[1:] == ["-m", "workers.engines.trial", "cuda", "float16"]


@pytest.mark.usefixtures("card")
@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (
            subprocess.CompletedProcess([], 1, "noise\ncuda cannot decode: full: stop it.\n", ""),
            "^cuda cannot decode: full",
        ),
        (subprocess.CompletedProcess([], 1, "", "Traceback\nImportError: no\n"), "^ImportError: no$"),
        (subprocess.CompletedProcess([], 3, "", ""), "exit status 3"),
        (
            subprocess.CompletedProcess([], -11, "", ""),
            r"signal 11.*workers\.engines\.trial cuda float16.*STT_DEVICE=cpu",
        ),
        (subprocess.TimeoutExpired("trial", 120), r"120 s.*nvidia-smi.*STT_DEVICE=cpu"),
    ],
    ids=["a sentence", "a traceback", "nothing", "a crash", "no end"],
)
def test_a_card_that_does_not_decode_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, outcome: subprocess.CompletedProcess[str] | Exception, said: str
) -> None:
    """Whatever became of the trial."""
    comes_to(monkeypatch, outcome)

    with pytest.raises(preflight.LaunchError, match=said):
        preflight.device(env.load(device="cuda"))


@pytest.mark.usefixtures("card")
def test_a_compute_type_that_the_card_has_not_is_told_with_those_it_has() -> None:
    with pytest.raises(preflight.LaunchError, match=r"int8_float16 is nothing .*expected one of float16, float32"):
        preflight.device(env.load(device="cuda", compute_type="int8_float16"))


@pytest.mark.usefixtures("no_card")
def test_a_card_that_is_asked_for_and_not_there_is_told_with_the_reason() -> None:
    with pytest.raises(preflight.LaunchError, match=r"STT_DEVICE is cuda, .*the card is tired: let it rest"):
        preflight.device(env.load(device="cuda"))


@pytest.mark.parametrize("engine", ["whisper", "echo"])
def test_a_turn_model_that_is_not_here_ends_the_start(engine: str) -> None:
    """With the setting, and how to have it, whatever decodes."""
    with pytest.raises(preflight.LaunchError, match=r"^STT_TURN_MODEL=smart-tern is not here: expected smart-turn, "):
        preflight.model(env.load(engine=engine, turn_model="smart-tern"))


@pytest.mark.usefixtures("no_card")
def test_a_card_that_cannot_be_used_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody asked for a device, the CPU is used and the reason told; where there is no card there is none."""
    monkeypatch.setattr(cuda, "is_card_here", lambda: True)
    assert "the card is tired" in preflight.unused_card(env.load())
    monkeypatch.setattr(cuda, "is_card_here", lambda: False)

    assert preflight.unused_card(env.load()) == ""


@pytest.mark.usefixtures("no_card")
def test_a_card_that_nobody_wants_is_not_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "is_card_here", lambda: True)
    monkeypatch.setenv("STT_DEVICE", "cpu")

    assert preflight.unused_card(env.load()) == ""
