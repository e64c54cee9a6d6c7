"""The systemd units are ones that systemd takes, and start what the images start."""

import re
import subprocess
from pathlib import Path

import pytest

from harness.programs import needed
from sttproject.env import Env

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_it(unit: Path, tmp_path: Path) -> None:
    """Without a word, as an instance; the program is a stand-in, since nothing is installed in /opt."""
    stand_in = re.sub(r"/opt/whisper-stt/deploy/\w+\.sh", "/bin/true", unit.read_text())
    instance = tmp_path / unit.name.replace("@", "@1")
    instance.write_text(stand_in)
    command = [needed("systemd", "systemd-analyze"), "verify", "--man=no", str(instance)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_it_comes_back_and_may_do_little(unit: Path) -> None:
    lines = set(unit.read_text().splitlines())
    role = unit.stem.removeprefix("whisper-stt-").partition("@")[0]
    (start,) = (line for line in lines if line.startswith("ExecStart="))
    assert start.split()[:2] == ["ExecStart=/opt/whisper-stt/deploy/entrypoint.sh", role]
    assert {"Restart=always", "DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict"} <= lines


def test_a_worker_on_a_card_is_given_cublas() -> None:
    """By root, since /opt is not its own to write; that it cannot be had is no reason not to start and say so."""
    (worker,) = (unit.read_text().splitlines() for unit in UNITS if "worker" in unit.name)
    assert "ExecStartPre=-+/opt/whisper-stt/deploy/cublas.sh /opt/whisper-stt/.venv/bin" in worker


def test_web_processes_are_given_the_time_to_drain() -> None:
    """And ten seconds."""
    (web,) = (unit.read_text().splitlines() for unit in UNITS if "web@" in unit.name)
    assert f"TimeoutStopSec={Env.model_fields['drain_s'].default + 10:g}" in web


def test_whoever_follows_the_page_starts_all_that_is_needed() -> None:
    """All but the sender of webhooks, which its own page is about: without housekeeping nothing is purged."""
    (line,) = re.findall(r"^systemctl enable --now (.+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    started = {re.sub(r"@\d+$", "@", name) for name in line.split()}

    assert started == {unit.stem for unit in UNITS} - {"whisper-stt-webhooks"}
