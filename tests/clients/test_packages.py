"""What the client packages ask for and hold, as pip sees it. Nothing of the service comes with them."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[2] / "clients"
FOREIGN = {"django", "torch", "celery", "channels", "daphne", "redis", "faster-whisper", "ctranslate2", "silero-vad"}


def pip(*arguments: object) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


@pytest.mark.parametrize(
    ("source", "modules"), [("livekit_plugin", "livekit/plugins/whisper_stt"), ("python/", "whisper_stt")]
)
def test_package_brings_nothing_of_the_service(source: str, modules: str, tmp_path: Path) -> None:
    """Resolved for an empty environment."""
    copy = tmp_path / "source"  # setuptools builds beside the sources
    shutil.copytree(CLIENTS / source, copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    pip("wheel", "--no-deps", "--wheel-dir", tmp_path, copy)
    (wheel,) = tmp_path.glob("*.whl")
    report = json.loads(
        pip("install", "--dry-run", "--ignore-installed", "--report", "-", "--target", tmp_path / "empty", wheel)
    )
    installed = {entry["metadata"]["name"].lower().replace("_", "-") for entry in report["install"]}
    held = set(zipfile.ZipFile(wheel).namelist())

    assert "websockets" in installed or "livekit-agents" in installed
    assert not installed & FOREIGN
    assert {f"{modules}/__init__.py", f"{modules}/py.typed"} <= held
    assert all(name.startswith((modules, wheel.name.partition("-")[0])) for name in held)
