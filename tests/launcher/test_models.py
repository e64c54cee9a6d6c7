"""`manage.py models`, as an operator runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.processes import ROOT, bare_environment


def models(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run it with nothing but the settings given."""
    command = [sys.executable, "manage.py", "models", *arguments]
    environ = bare_environment() | settings
    return subprocess.run(command, env=environ, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.mark.model
def test_the_list_says_what_is_here_and_what_is_configured(tmp_path: Path) -> None:
    done = models("list", HF_HUB_CACHE=str(tmp_path))
    lines = {line[2:].split()[0]: line for line in done.stdout.splitlines()}

    assert done.returncode == 0, done.stderr
    assert lines["base"].startswith("* base")
    assert lines["base"].endswith("embedded, in two wheels")
    assert lines["large-v3-turbo"].endswith("not here")
    assert "English" in lines["distil-large-v3"]


@pytest.mark.model
def test_a_model_is_pulled_and_checked(tmp_path: Path) -> None:
    """Into STT_MODEL_DIR, from where it loads."""
    pulled = models("pull", "base", STT_MODEL_DIR=str(tmp_path))
    checked = models("check", STT_MODEL_DIR=str(tmp_path))

    assert pulled.stdout.strip() == str(tmp_path / "base")
    assert checked.stdout.strip() == f"base ({tmp_path / 'base'}) loads on cpu, int8."


def test_a_model_that_is_not_here_is_one_sentence(tmp_path: Path) -> None:
    missing = models("check", "small", HF_HUB_CACHE=str(tmp_path))
    unknown = models("pull", "enormous")

    assert (missing.returncode, unknown.returncode) == (1, 1)
    assert missing.stderr.strip() == "CommandError: small is not here: manage.py models pull small"
    assert "is not a model" in unknown.stderr
    assert "Traceback" not in unknown.stderr
