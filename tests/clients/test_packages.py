"""What the client packages ask for and hold, as pip sees it. Nothing of the service comes with them."""

import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.stack import Stack
from transcription.views import VERSION

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "clients"
SPEECH = ROOT / "tests/audio/s13_pm_alex.wav"
FOREIGN = {"django", "torch", "celery", "channels", "daphne", "redis", "faster-whisper", "ctranslate2", "silero-vad"}


SESSION = CLIENTS / "python/src/whisper_stt/session"
MODULES = {"whisper_stt_client": "whisper_stt", "livekit_plugins_whisper_stt": "livekit/plugins/whisper_stt"}
SOURCES = {
    "whisper_stt_client": CLIENTS / "python/src/whisper_stt",
    "livekit_plugins_whisper_stt": CLIENTS / "livekit_plugin",
}
REPOSITORY = "https://forge.example/owner/whisper-stt"

HEARS = """
import asyncio, sys, wave
import aiohttp
from livekit import rtc
from livekit.agents.stt import SpeechEventType
from livekit.plugins.whisper_stt import WhisperSTT

async def main():
    with wave.open(sys.argv[1]) as audio:
        pcm = audio.readframes(audio.getnframes())
    async with (
        aiohttp.ClientSession() as http, WhisperSTT(sys.argv[2], http_session=http) as stt, stt.stream() as stream
    ):
        stream.push_frame(rtc.AudioFrame(pcm, 16_000, 1, len(pcm) // 2))
        stream.end_input()
        async for event in stream:
            if event.type is SpeechEventType.FINAL_TRANSCRIPT:
                print(event.alternatives[0].text)

asyncio.run(main())
"""


def run(*command: object, cwd: Path, **environ: str) -> str:
    """What a program says, which sees nothing of the checkout."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | environ
    done = subprocess.run(
        [*map(str, command)], check=False, cwd=cwd, env=bare, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both packages, as a release builds them."""
    out = tmp_path_factory.mktemp("packages") / "dist"
    run(sys.executable, ROOT / "deploy/packages.py", out, "--repository", f"{REPOSITORY}/blob/v1", cwd=out.parent)
    return out


def installed(wheel: Path, extra: str = "") -> Path:
    """The programs of an empty environment with a wheel and what it asks an index for."""
    home = wheel.parents[1] / f"environment-{wheel.name.partition('-')[0]}"
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=wheel.parent)
    pip = [sys.executable, "-m", "pip", "--python", home, "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-compile", f"{wheel}{extra}", cwd=wheel.parent)
    listed = json.loads(run(*pip, "list", "--format", "json", cwd=wheel.parent))
    assert not {canonicalize_name(one["name"]) for one in listed} & FOREIGN
    return home / "bin"


@pytest.mark.parametrize("package", MODULES)
def test_a_package_is_the_sources_and_nothing_else(package: str, built: Path) -> None:
    """Files, not links, in sdist and wheel; the wheel is made from the sdist."""
    (wheel,), (sdist,) = built.glob(f"{package}-*.whl"), built.glob(f"{package}-*.tar.gz")
    held = zipfile.ZipFile(wheel)
    modules = {
        name.removeprefix(f"{MODULES[package]}/"): held.read(name)
        for name in held.namelist()
        if not name.startswith(f"{package}-")
    }
    source = SOURCES[package]
    expected = {
        str(path.relative_to(source)): path.read_bytes()
        for folder in (source, source / "_session")
        for path in folder.rglob("*")
        if path.suffix in {".py", ".mo"} or path.name == "py.typed"
    }

    assert modules == expected
    assert {path.name for path in SESSION.glob("*.py")} <= {name.rpartition("/")[2] for name in modules}
    with tarfile.open(sdist) as archive:
        assert all(one.isfile() or one.isdir() for one in archive)


@pytest.mark.parametrize("package", MODULES)
def test_what_an_index_shows(package: str, built: Path) -> None:
    """One version with the service, the licence, and no link that leads nowhere."""
    (wheel,) = built.glob(f"{package}-*.whl")
    held = zipfile.ZipFile(wheel)
    (name,) = (name for name in held.namelist() if name.endswith("/METADATA"))
    shown = metadata.PathDistribution(zipfile.Path(held, f"{name.rpartition('/')[0]}/")).metadata

    assert shown["Version"] == VERSION
    assert shown["License-Expression"] == "MIT"
    assert shown.get_all("License-File") == ["LICENSE"]
    assert shown.get_all("Project-URL") == [f"Repository, {REPOSITORY}"]
    assert f"]({REPOSITORY}/blob/v1/docs/" in (text := held.read(name).decode())
    assert not re.findall(r"\]\(\.", text)


def test_the_command_is_installed_and_used(built: Path, echo_stack: Stack) -> None:
    """In an empty environment, against a running service."""
    (wheel,) = built.glob("whisper_stt_client-*.whl")
    command = installed(wheel, "[cli]") / "whisper-stt"

    assert run(command, "--version", cwd=built) == f"whisper-stt {VERSION}\n"
    assert run(command, "status", "--url", echo_stack.ws_url, cwd=built)
    assert "opções:" in run(command, "--help", cwd=built, LANGUAGE="pt_BR")
    heard = run(command, "transcribe", "--format", "json", "--url", echo_stack.ws_url, SPEECH, cwd=built)
    assert [segment["text"] for segment in json.loads(heard)["segments"]]


def test_the_plugin_is_installed_and_used(built: Path, echo_stack: Stack) -> None:
    """Beside the LiveKit of an index, against a running service."""
    (wheel,) = built.glob("livekit_plugins_whisper_stt-*.whl")
    python = installed(wheel) / "python"

    assert run(python, "-c", HEARS, SPEECH, echo_stack.ws_url, cwd=built).strip()


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
