"""The `whisper-stt` command, as a process of its own."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from scripted_service import Peer, ScriptedService, one_utterance, refusal, settle

ROOT = Path(__file__).parents[2]
SPEECH = ROOT / "tests/audio/s13_pm_alex.wav"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("STT_", "NO_COLOR"))}
ENVIRONMENT |= {"PYTHONPATH": str(ROOT / "clients/python/src"), "PYTHONWARNINGS": "error", "COLUMNS": "100"}
COMMAND = [sys.executable, "-m", "whisper_stt.cli"]


def command(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    extra = options.pop("env", {})
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=ENVIRONMENT | extra,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
        **options,
    )


async def started(*arguments: object, **options: Any) -> tuple[int, str, str]:
    """Run it while this process is its service."""
    import asyncio

    done = await asyncio.to_thread(command, *arguments, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    async with ScriptedService() as service:
        yield service


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """1.2 s at 48 kHz stereo, which needs decoding."""
    path = tmp_path / "gravação.flac"
    samples = np.random.default_rng(1).integers(-9_000, 9_000, (1, 2 * 57_600)).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = 48_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


async def test_text_with_and_without_times(service: ScriptedService, recording: Path) -> None:
    service.scripts = [one_utterance()]
    assert await started("transcribe", "--url", service.url, recording) == (
        0,
        "[00:00:00.100 → 00:00:01.000] olá mundo\n",
        "",
    )
    assert await started("transcribe", "--no-times", recording, env={"STT_URL": service.url}) == (0, "olá mundo\n", "")
    assert len(service.peers[0].audio) == pytest.approx(1.2 * 32_000, abs=200)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("srt", "1\n00:00:00,100 --> 00:00:01,000\nolá mundo\n"),
        ("vtt", "WEBVTT\n\n00:00:00.100 --> 00:00:01.000\nolá mundo\n"),
    ],
)
async def test_subtitles(service: ScriptedService, recording: Path, kind: str, expected: str) -> None:
    service.scripts = [one_utterance()]
    assert await started("transcribe", "--url", service.url, "--format", kind, recording) == (0, expected, "")


async def test_json_of_several_files_into_a_directory(service: ScriptedService, recording: Path) -> None:
    service.scripts = [one_utterance()]
    output = recording.parent / "transcripts"
    code, _, _ = await started(
        "transcribe", "--url", service.url, "--format", "json", "-o", output / "", recording, SPEECH, f"-o{output}/"
    )
    document = json.loads((output / "gravação.json").read_text())

    assert code == 0
    assert sorted(path.name for path in output.iterdir()) == ["gravação.json", "s13_pm_alex.json"]
    assert (document["text"], document["segments"][0]["words"][1]["start"]) == ("olá mundo", 0.2)


async def test_standard_input(service: ScriptedService, recording: Path) -> None:
    service.scripts = [one_utterance()]
    with recording.open("rb") as stdin:
        assert (await started("transcribe", "--url", service.url, "--no-times", "-", stdin=stdin))[:2] == (
            0,
            "olá mundo\n",
        )


async def test_one_unreadable_file_does_not_stop_the_others(service: ScriptedService, recording: Path) -> None:
    service.scripts = [one_utterance()]
    nonsense = recording.parent / "nonsense.mp3"
    nonsense.write_text("not audio")
    code, out, err = await started(
        "transcribe", "--url", service.url, "--no-times", nonsense, recording.parent / "missing.wav", recording
    )
    assert code == 4
    assert out == f"==> {recording} <==\nolá mundo\n"
    assert "nonsense.mp3: Invalid data" in err
    assert "missing.wav: No such file" in err


async def test_segment_without_transcript_is_told(service: ScriptedService, recording: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.error("INFERENCE_ERROR", segment_id="seg-1")
        await peer.final("e siga", 500, 400, "seg-2")
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    code, out, err = await started("transcribe", "--url", service.url, "--no-times", recording)
    assert (code, out) == (1, "e siga\n")
    assert "seg-1 has no transcript" in err


async def test_service_that_refuses_or_is_not_there(service: ScriptedService) -> None:
    service.scripts = [refusal("INVALID_MESSAGE")]
    assert await started("transcribe", "--url", service.url, SPEECH) == (
        3,
        "",
        "whisper-stt: INVALID_MESSAGE: INVALID_MESSAGE it is\n",
    )
    service.statuses = [401]
    code, out, err = await started("transcribe", "--url", service.url, SPEECH, env={"STT_API_KEY": "sekret"})
    assert (code, out) == (3, "")
    assert "HTTP 401" in err
    assert "sekret" not in err
    code, _, err = await started("transcribe", "--url", "ws://127.0.0.1:9/ws/stt", SPEECH)
    assert code == 3
    assert "Cannot connect" in err


def test_wrong_usage_and_help() -> None:
    assert command("transcribe").returncode == 2
    assert command("load", "--talkers", "0", "x.wav").returncode == 2
    for name in ("transcribe", "mic", "status", "load"):
        told = command(name, "--help")
        assert told.returncode == 0
        assert "examples:" in told.stdout
        assert "exit codes:" in told.stdout


async def test_ctrl_c_is_clean(service: ScriptedService) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="cancel")
        await peer.end("cancelled")

    service.scripts = [script]
    process = subprocess.Popen(
        [*COMMAND, "transcribe", "--url", service.url, "--realtime", str(SPEECH)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    await settle(lambda: bool(service.peers and service.peers[0].audio), 10)
    process.send_signal(signal.SIGINT)
    await settle(lambda: process.poll() is not None, 10)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "whisper-stt: Interrupted\n")
    assert service.peers[0].received == ["cancel"]


async def test_reader_that_goes_is_no_error(service: ScriptedService) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        for n in range(2000):
            await peer.final("palavra " * 50, n, 1, f"seg-{n}")
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    line = " ".join([*COMMAND, "transcribe", "--url", service.url, str(SPEECH)])
    bash = shutil.which("bash")
    script_line = f"{line} | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}"

    def pipe() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(bash), "-c", script_line], env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
        )

    import asyncio

    done = await asyncio.to_thread(pipe)
    assert (done.returncode, done.stderr) == (141, "")


async def on_a_terminal(arguments: list[object], env: dict[str, str]) -> str:
    """What a person at a terminal sees."""
    import asyncio

    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=ENVIRONMENT | {"TERM": "xterm-256color"} | env,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    seen = b""

    def read() -> bytes:
        ready, _, _ = select.select([master], [], [], 0.1)
        try:
            return os.read(master, 65536) if ready else b""
        except OSError:
            return b""

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        chunk = await asyncio.to_thread(read)
        seen += chunk
        if not chunk and process.poll() is not None:
            break
    os.close(master)
    assert process.wait(5) == 0
    return seen.decode()


async def test_terminal_shows_progress_or_partials(service: ScriptedService) -> None:
    service.scripts = [one_utterance()]
    batch = await on_a_terminal(["transcribe", "--url", service.url, SPEECH], {})
    live = await on_a_terminal(["transcribe", "--realtime", "--url", service.url, SPEECH], {})
    plain = await on_a_terminal(["transcribe", "--url", service.url, SPEECH], {"NO_COLOR": "1"})

    assert "━" in batch
    assert "%" in batch
    assert "[00:00:00.100 → 00:00:01.000] olá mundo" in batch
    assert "listening …" in live
    assert "\x1b[3" in batch.replace("\x1b[3A", "")
    assert not any(f"\x1b[{colour}" in plain for colour in ("31", "32", "33", "34", "35", "36", "38"))


async def test_microphone(service: ScriptedService, tmp_path: Path) -> None:
    """With a sound library that hears a second of noise; Ctrl-C ends it, and what was said is still told."""
    (tmp_path / "sounddevice.py").write_text(
        "class PortAudioError(Exception): pass\n"
        "class RawInputStream:\n"
        "    def __init__(self, **options):\n"
        "        assert (options['samplerate'], options['channels'], options['dtype']) == (16000, 1, 'int16')\n"
        "        self.callback = options['callback']\n"
        "    def __enter__(self):\n"
        "        for _ in range(60): self.callback(bytes(640), 320, None, None)\n"
        "    def __exit__(self, *_): pass\n"
    )
    service.scripts = [one_utterance()]
    path = f"{tmp_path}:{ENVIRONMENT['PYTHONPATH']}"
    process = subprocess.Popen(
        [*COMMAND, "mic", "--url", service.url, "--no-times"],
        env=ENVIRONMENT | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    await settle(lambda: bool(service.peers) and len(service.peers[0].audio) >= 32_000, 10)
    process.send_signal(signal.SIGINT)
    await settle(lambda: process.poll() is not None, 10)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "olá mundo\n", "")


@pytest.mark.model
def test_real_service(model_stack: Any, tmp_path: Path) -> None:
    """Faster than it was spoken; status and load beside it."""
    told = command("transcribe", "--url", model_stack.ws_url, "--language", "pt", SPEECH)
    assert told.returncode == 0, told.stderr
    assert "avenida Paulista" in told.stdout

    status = command("status", "--url", model_stack.ws_url)
    assert status.returncode == 0, status.stderr
    assert "model.model_size" in status.stdout
    as_json = command("status", "--json", "--url", model_stack.ws_url)
    assert json.loads(as_json.stdout)["status"] == "ready"

    load = command("load", "--url", model_stack.ws_url, "--talkers", 2, "--ramp", 1, "--duration", 8, "--json", SPEECH)
    figures = json.loads(load.stdout)
    assert (load.returncode, figures["started"], figures["failed"]) == (0, 2, {})
    assert figures["audio_s"] == pytest.approx(16, abs=0.2)
    assert figures["final"]["count"] >= 2
    assert 0 < figures["final"]["p50_ms"] <= figures["after_speech"]["p99_ms"]


def test_status_of_nobody() -> None:
    done = command("status", "--url", "ws://127.0.0.1:9/ws/stt")
    assert done.returncode == 3
    assert "Cannot reach http://127.0.0.1:9/health/status" in done.stderr


def test_load_without_audio(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "empty.wav"), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(16_000)
    assert command("load", tmp_path / "empty.wav").returncode == 4
