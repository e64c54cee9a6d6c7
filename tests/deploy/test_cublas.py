"""cuBLAS is installed where a driver is, and only there; the driver and the environment are stand-ins."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALLS = "-m pip install --disable-pip-version-check --no-deps -r requirements/cuda.txt"


@pytest.fixture
def bin_dir(tmp_path: Path) -> Path:
    """An environment whose Python says what it is given, and finds no cuBLAS."""
    write(tmp_path / "python", '[ "$1" = -c ] && exit 1\necho "$*"')
    write(tmp_path / "uname", "echo x86_64")
    write(tmp_path / "nvidia-smi", "echo 'GPU 0: NVIDIA H100'")
    return tmp_path


def write(program: Path, lines: str) -> None:
    program.write_text(f"#!/bin/sh\n{lines}\n")
    program.chmod(0o755)


def told(bin_dir: Path) -> list[str]:
    """What the script says, its path being the environment's and nothing else."""
    command = [ROOT / "deploy" / "cublas.sh", bin_dir]
    path = {"PATH": f"{bin_dir}:{os.defpath}"}
    return subprocess.run(command, env=path, capture_output=True, text=True, check=True).stdout.splitlines()


def test_with_a_driver_cublas_is_installed_and_said_so(bin_dir: Path) -> None:
    """It takes a while."""
    said, installed = told(bin_dir)
    assert "1.1 GB" in said
    assert installed == INSTALLS


@pytest.mark.parametrize(
    ("program", "lines"),
    [("nvidia-smi", "exit 9"), ("uname", "echo aarch64"), ("python", "exit 0")],
    ids=["a driver that does not answer", "no CUDA in CTranslate2", "there already"],
)
def test_nothing_is_done_where_it_would_be_of_no_use(bin_dir: Path, program: str, lines: str) -> None:
    write(bin_dir / program, lines)

    assert told(bin_dir) == []
