"""`whisper-stt transcribe --local`: the real engine as a process beside the command, and what is said without one."""

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from commands import COMMAND, ENVIRONMENT, ROOT, SPEECH, command
from whisper_stt.cli import Exit, local, main

HERE = {"env": {"PYTHONWARNINGS": ""}}
"""The engine's libraries warn."""


@pytest.mark.model
def test_a_recording_without_a_service(tmp_path: Path) -> None:
    """From wherever it is called; in the same formats, formatted and all."""
    done = command("transcribe", "--local", "--format", "json", "--formatted", SPEECH, cwd=tmp_path, **HERE)

    assert done.returncode == Exit.OK, done.stderr
    (segment,) = json.loads(done.stdout)["segments"]
    assert "avenida Paulista" in segment["text"]
    assert segment["words"][0]["word"] == "Vire"
    assert "entities" in segment


def test_what_keeps_the_engine_from_decoding_is_one_sentence() -> None:
    done = command("transcribe", "--local", "--model", "large-v9", SPEECH, **HERE)

    assert done.returncode == Exit.SERVICE
    assert "STT_WHISPER_MODEL=large-v9 is not a model (did you mean large-v3?)" in done.stderr
    assert "Traceback" not in done.stderr


def test_elsewhere_it_says_how_to_come_by_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where the client alone is installed."""
    monkeypatch.setattr(local, "ROOT", tmp_path)

    assert main(["transcribe", "--local", str(SPEECH)]) == Exit.SERVICE
    assert "In a checkout of the service: make run" in capsys.readouterr().err


def test_the_checkouts_own_environment_has_the_engine_where_this_one_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "launcher/management/commands/transcribe.py"
    program.parent.mkdir(parents=True)
    program.touch()
    monkeypatch.setattr(local, "ROOT", tmp_path)
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    with pytest.raises(local.LocalError, match="make run"):
        local._program()

    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()

    assert local._program() == [str(tmp_path / ".venv/bin/python"), "manage.py", "transcribe"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--local", "--realtime"], "--local and --realtime do not go together"),
        (["--local", "--url", "ws://127.0.0.1:1/"], "--local and --url do not go together"),
        (["--model", "small"], "--model goes with --local"),
    ],
)
def test_what_does_not_go_together_is_refused(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcribe", *options, str(SPEECH)]) == Exit.USAGE
    assert said in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_end_by_signal_leaves_no_engine_behind() -> None:
    environ = ENVIRONMENT | HERE["env"]
    with subprocess.Popen(
        [*COMMAND, "transcribe", "--local", SPEECH], env=environ, cwd=ROOT, stderr=subprocess.PIPE
    ) as run:
        us = psutil.Process(run.pid)
        while not (children := us.children()):
            assert run.poll() is None
        run.send_signal(signal.SIGTERM)
        run.wait(60)

    assert run.returncode == 128 + signal.SIGTERM
    psutil.wait_procs(children, 10)
    assert not any(child.is_running() for child in children)
