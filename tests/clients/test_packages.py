"""What the client packages ask for and hold, as pip sees it. Nothing of the service comes with them."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "clients"
FOREIGN = {"django", "torch", "celery", "channels", "daphne", "redis", "faster-whisper", "ctranslate2", "silero-vad"}


def pip(*arguments: object) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


@pytest.mark.parametrize(
    ("source", "modules", "session"),
    [("livekit_plugin", "livekit/plugins/whisper_stt", "_session"), ("python/", "whisper_stt", "session")],
)
def test_package_brings_nothing_of_the_service(source: str, modules: str, session: str, tmp_path: Path) -> None:
    """Resolved for an empty environment; with all of the session, which the two share."""
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
    shared = {path.name for path in (CLIENTS / "python/src/whisper_stt/session").glob("*.py")}
    assert {name.rpartition("/")[2] for name in held if name.startswith(f"{modules}/{session}/")} == shared
    assert all(name.startswith((modules, wheel.name.partition("-")[0])) for name in held)


CLIENT = tomllib.loads((CLIENTS / "python/pyproject.toml").read_text())["project"]
EXTRAS = CLIENT["optional-dependencies"]


def documentation() -> dict[Path, str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.md", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name and not name.startswith("tests/")]
    return {path: path.read_text() for path in paths if path.exists()}


def test_documented_extras_are_those_there_are() -> None:
    named = {extra for text in documentation().values() for extra in re.findall(r"clients/python\[(\w+)\]", text)}
    assert named == set(EXTRAS)
    readme = (CLIENTS / "python/README.md").read_text()
    for extra, brings in (("cli", ("av", "numpy", "rich")), ("mic", ("sounddevice",))):
        (line,) = re.findall(rf"pip install '\./clients/python\[{extra}\]'.*", readme)
        for name in brings:
            assert re.search(rf"\b{name}\b", line)
            assert any(Requirement(wanted).name == name for wanted in EXTRAS[extra])


def test_make_run_brings_the_whole_command_line() -> None:
    """Its lists are installed without dependencies, so they have to hold these, too."""
    pins = {}
    for name in ("web", "worker", "embedded"):
        for line in (ROOT / f"requirements/{name}.txt").read_text().splitlines():
            if "==" in line and not line.startswith("#"):
                pinned, _, version = line.partition(";")[0].partition("==")
                pins[canonicalize_name(pinned.split("[")[0])] = version.strip()
    wanted = [Requirement(text) for text in [*CLIENT["dependencies"], *EXTRAS["cli"]]]
    seen = set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        assert name in pins, f"make run does not install {requirement}"
        assert requirement.specifier.contains(pins[name])
        wanted += [Requirement(text) for text in metadata.requires(name) or []]
    assert {"av", "rich", "websockets", "msgspec"} <= seen


def test_hints_name_what_an_index_has() -> None:
    """The clients are on none: they are installed from a checkout."""
    asked = [Requirement(text).name for texts in (CLIENT["dependencies"], *EXTRAS.values()) for text in texts]
    known = {*asked, "python-socks"} - {CLIENT["name"]}
    for path, text in documentation().items():
        assert not re.search(r"pip install '?(whisper-stt|livekit-plugins-whisper)", text), path
        if path.is_relative_to(CLIENTS / "python/src"):
            for hint in re.findall(r"pip install ([^\"()]+)", text):
                assert {Requirement(name).name for name in shlex.split(hint)} <= known
