"""What the `whisper-stt` command says of its inputs."""

import asyncio
import io
import os
import shutil
import subprocess
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from scripted_service import Peer, ScriptedService, one_utterance
from test_command_line import COMMAND, ENVIRONMENT, SUBTITLES, command, started
from whisper_stt.cli import Exit


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    async with ScriptedService() as service:
        yield service


def recording(channels: int = 1, rate: int = 44_100) -> bytes:
    """1.5 s of noise."""
    samples = np.random.default_rng(1).integers(-9_000, 9_000, (rate * 3 // 2, channels)).astype(np.int16)
    with io.BytesIO() as buffer, wave.open(buffer, "wb") as audio:
        audio.setparams((channels, 2, rate, 0, "NONE", ""))
        audio.writeframes(samples.tobytes())
        return buffer.getvalue()


def piped(content: bytes, line: str) -> tuple[int, str, str]:
    """A line of bash, given a pipe."""
    done = subprocess.run(
        [str(shutil.which("bash")), "-c", line],
        input=content,
        env=ENVIRONMENT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("way", ["{} -", "{} /dev/stdin", "{} <(cat)"])
async def test_pipes(service: ScriptedService, way: str) -> None:
    service.scripts = [one_utterance()]
    line = way.format(" ".join([*COMMAND, "transcribe", "--no-times", "--url", service.url]))
    assert await asyncio.to_thread(piped, recording(), line) == (0, "olá mundo\n", "")
    assert len(service.peers[0].audio) == pytest.approx(1.5 * 32_000, abs=100)


async def test_damaged_recording_is_transcribed_and_told_once(service: ScriptedService, tmp_path: Path) -> None:
    service.scripts = [one_utterance()]
    cut = tmp_path / "cut.wav"
    cut.write_bytes(recording()[:-44_100])
    subtitles = tmp_path / "cut.srt"
    done = await started("transcribe", "--url", service.url, "--format", "srt", "-o", subtitles, cut)

    assert done[:2] == (Exit.INCOMPLETE, "")
    assert done[2].startswith(f"whisper-stt: {cut}: ends 0.5 s before the end that it promises")
    assert done[2].count("\n") == 1
    assert subtitles.read_text() == SUBTITLES


async def test_nothing_heard_is_said(service: ScriptedService, tmp_path: Path) -> None:
    async def silent(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [silent]
    file = tmp_path / "silence.wav"
    file.write_bytes(recording())
    assert await started("transcribe", "--url", service.url, file) == (
        0,
        "",
        f"whisper-stt: {file}: nothing was heard\n",
    )


async def test_channels(service: ScriptedService, tmp_path: Path) -> None:
    service.scripts = [one_utterance()]
    file = tmp_path / "stereo.wav"
    file.write_bytes(recording(channels=2, rate=16_000))
    assert (await started("transcribe", "--url", service.url, "--channel", 2, file))[0] == 0
    samples = np.frombuffer(file.read_bytes()[44:], np.int16).reshape(-1, 2)
    assert service.peers[0].audio == samples[:, 1].tobytes()
    told = f"whisper-stt: {file}: there is no channel 3, expected 1 to 2\n"
    assert await started("transcribe", "--url", service.url, "--channel", 3, file) == (4, "", told)
    assert command("load", "--channel", 3, file).stderr == told
    assert command("transcribe", "--channel", 0, file).returncode == 2


def test_what_is_no_audio(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.mp3").write_text("Isto é um texto.")
    for name, told in (
        ("empty.wav", "is empty"),
        ("text.mp3", "is not audio that can be read (Invalid data found when processing input)"),
        ("", "Is a directory"),
    ):
        done = command("transcribe", tmp_path / name)
        assert (done.returncode, done.stderr) == (4, f"whisper-stt: {tmp_path / name}: {told}\n")
    done = command("transcribe", "-", stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (4, "whisper-stt: standard input: is empty\n")


def test_load_wants_seconds(tmp_path: Path) -> None:
    file = tmp_path / "speech.wav"
    file.write_bytes(recording())
    for option in ("--pause", "--ramp", "--duration"):
        done = command("load", f"{option}=-1", file)
        assert done.returncode == 2
        assert f"{option}: expected seconds, 0 or more, got -1" in done.stderr


async def test_microphone_that_is_lost_ends_the_command(service: ScriptedService, tmp_path: Path) -> None:
    """What was said before is still told."""
    (tmp_path / "sounddevice.py").write_text(
        "class PortAudioError(Exception): pass\n"
        "class RawInputStream:\n"
        "    def __init__(self, **options): self.options = options\n"
        "    def __enter__(self):\n"
        "        for _ in range(60): self.options['callback'](bytes(640), 320, None, None)\n"
        "        self.options['finished_callback']()\n"
        "    def __exit__(self, *_): pass\n"
    )
    service.scripts = [one_utterance()]
    path = f"{tmp_path}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"
    done = await started("mic", "--url", service.url, "--no-times", env={"PYTHONPATH": path})
    assert done == (Exit.INCOMPLETE, "olá mundo\n", "whisper-stt: microphone: it was lost\n")
