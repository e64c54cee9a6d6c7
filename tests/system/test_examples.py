"""What the documentation tells people to paste, pasted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.audio import speech
from harness.processes import ROOT
from harness.stack import Stack

pytestmark = pytest.mark.model


def run(program: str, stack: Stack, directory: Path, *arguments: str) -> str:
    """Run a Python program against a stack; what it printed."""
    program = program.replace("ws://localhost:8000/ws/stt", stack.ws_url)
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True, timeout=60).stdout


def test_the_readme_s_client_prints_partials_and_a_final(model_stack: Stack) -> None:
    """As it stands there, but for the port."""
    (program,) = re.findall(r"```python\n(import asyncio.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    printed = run(program, model_stack, ROOT)

    assert '"type":"partial_transcript"' in printed
    assert re.search(r'"type":"final_transcript".*avenida Paulista e siga', printed)
    assert printed.strip().splitlines()[-1].startswith('{"type":"session_ended"')


def test_the_readmes_library_clients_say_what_they_heard(model_stack: Stack) -> None:
    """A file and a stream, as they stand there; the port comes from the environment."""
    library = ROOT / "clients" / "python" / "README.md"
    programs = re.findall(r"```python\n(import whisper_stt\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    programs += re.findall(r"```python\n(import whisper_stt, asyncio.*?)```", library.read_text(), re.DOTALL)
    environment = os.environ | {"STT_URL": model_stack.ws_url, "PYTHONPATH": str(ROOT / "clients" / "python" / "src")}
    whole, stream = (
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for program in programs
    )

    assert re.search(r"^[0-9.]+ .*avenida Paulista", whole)
    assert "PartialTranscript(" in stream
    assert re.search(r"FinalTranscript\(.*avenida Paulista", stream)


def test_the_contract_s_example_client_runs_unchanged(model_stack: Stack, tmp_path: Path) -> None:
    """Given a raw file."""
    (tmp_path / "audio.raw").write_bytes(speech("s24_pf_dora"))
    printed = run((ROOT / "examples" / "spec_client.py").read_text(), model_stack, tmp_path)

    assert re.search(r"Transcript: .*padaria.*farmácia", printed)


def test_the_smallest_client_prints_what_comes(model_stack: Stack) -> None:
    """examples/client.py, which `make run` names."""
    program = ROOT / "examples" / "client.py"
    clip = ROOT / "tests" / "audio" / "s18_pf_dora.wav"
    command = [sys.executable, str(program), str(clip), model_stack.ws_url]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    assert "partial_transcript" in printed
    assert "pão de queijo" in printed
