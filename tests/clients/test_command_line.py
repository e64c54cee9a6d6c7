"""The `whisper-stt` command, as a process of its own."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import wave
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, ENVIRONMENT, SPEECH, command, started
from scripted_service import Peer, ScriptedService, one_utterance, refusal, settle

SUBTITLES = "1\n00:00:00,100 --> 00:00:00,933\nolá mundo\n"


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
        ("srt", SUBTITLES),
        ("vtt", "WEBVTT\n\n00:00:00.100 --> 00:00:00.933\nolá mundo\n"),
    ],
)
async def test_subtitles(service: ScriptedService, recording: Path, kind: str, expected: str) -> None:
    """To standard output or a file, the same. Two words in 0.2 s stay for 5/6 s (`tests/contract/subtitles`)."""
    service.scripts = [one_utterance()]
    file = recording.with_suffix(f".{kind}")
    options = ("--url", service.url, "--format", kind)
    assert await started("transcribe", *options, recording) == (0, expected, "")
    assert await started("transcribe", *options, "-o", file, recording) == (0, "", "")
    assert file.read_bytes() == expected.encode()


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
    assert "nonsense.mp3: is not audio that can be read (Invalid data" in err
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
    assert (code, out) == (5, "e siga\n")
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


@pytest.mark.parametrize(("format_", "expected"), [("txt", "olá mundo\n"), ("srt", SUBTITLES)])
async def test_microphone(service: ScriptedService, tmp_path: Path, format_: str, expected: str) -> None:
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
        [*COMMAND, "mic", "--url", service.url, "--no-times", "--format", format_],
        env=ENVIRONMENT | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    await settle(lambda: bool(service.peers) and len(service.peers[0].audio) >= 32_000, 10)
    process.send_signal(signal.SIGINT)
    await settle(lambda: process.poll() is not None, 10)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, expected, "")


@pytest.mark.model
def test_real_service(model_stack: Any, tmp_path: Path) -> None:
    """Faster than it was spoken; status and load beside it."""
    told = command("transcribe", "--url", model_stack.ws_url, "--language", "pt", SPEECH)
    assert told.returncode == 0, told.stderr
    assert "avenida Paulista" in told.stdout

    status = command("status", "--url", model_stack.ws_url)
    assert status.returncode == 0, status.stderr
    first, *rest = status.stdout.splitlines()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/ is ready: takes new sessions\.", first)
    assert [line.split()[0] for line in rest] == "Model Workers Sessions Load Queue Final Requests".split()
    assert "base on cpu" in rest[0]
    as_json = command("status", "--json", "--url", model_stack.ws_url)
    assert json.loads(as_json.stdout)["status"] == "ready"

    load = command("load", "--url", model_stack.ws_url, "--talkers", 2, "--ramp", 1, "--duration", 8, "--json", SPEECH)
    figures = json.loads(load.stdout)
    assert (load.returncode, figures["started"], figures["failed"]) == (0, 2, {})
    assert figures["audio_s"] == pytest.approx(16, abs=0.2)
    assert figures["final"]["count"] >= 2
    assert 0 < figures["final"]["p50_ms"] <= figures["after_speech"]["p99_ms"]


@pytest.mark.parametrize(
    "arguments", [("status",), ("transcribe", SPEECH), ("mic",), ("load", "--duration", "1", SPEECH)]
)
def test_where_nothing_listens_every_command_says_what_to_do(tmp_path: Path, arguments: tuple[object, ...]) -> None:
    (tmp_path / "sounddevice.py").write_text("class PortAudioError(Exception): pass\n")
    path = f"{tmp_path}:{ENVIRONMENT['PYTHONPATH']}"
    done = command(*arguments, env={"PYTHONPATH": path, "STT_URL": "ws://localhost:9/ws/stt"})
    assert done.returncode == 3
    assert "nothing listens there. Start the service (make run), or say where it is (--url, STT_URL)" in done.stderr
    assert "Errno" not in done.stderr


@pytest.mark.parametrize(
    ("key", "said"), [("", "wants an API key: set STT_API_KEY"), ("k", "does not take the API key")]
)
async def test_without_a_good_key_every_command_says_what_to_do(
    service: ScriptedService, tmp_path: Path, key: str, said: str
) -> None:
    (tmp_path / "sounddevice.py").write_text("class PortAudioError(Exception): pass\n")
    env = {"PYTHONPATH": f"{tmp_path}:{ENVIRONMENT['PYTHONPATH']}", "STT_URL": service.url, "STT_API_KEY": key}
    for arguments in (("transcribe", SPEECH), ("mic",), ("load", "--duration", "1", SPEECH)):
        service.statuses = [401]
        code, _, err = await started(*arguments, env=env)
        assert (code, said in err, "createapikey" in err) == (3, True, True)


def test_version() -> None:
    assert re.fullmatch(r"whisper-stt \S+\n", command("--version").stdout)


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
