"""What is left of a transcript when its making is broken off: all that was heard by then."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import whisper_stt
from commands import COMMAND, ENVIRONMENT, SPEECH, started
from scripted_service import Peer, Script, ScriptedService, one_utterance, settle

DOCUMENTS = {
    "txt": "[00:00:00.100 → 00:00:01.000] olá mundo\n",
    "srt": "1\n00:00:00,100 --> 00:00:00,933\nolá mundo\n",
    "vtt": "WEBVTT\n\n00:00:00.100 --> 00:00:00.933\nolá mundo\n",
}
FORMATS = [*DOCUMENTS, "json"]


def speech(path: Path, seconds: float) -> Path:
    """Noise at 16 kHz."""
    with wave.open(str(path), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(16_000)
        audio.writeframes(
            np.random.default_rng(3).integers(-9_000, 9_000, int(seconds * 16_000)).astype(np.int16).tobytes()
        )
    return path


def first_of_two(then: Callable[[Peer], Any]) -> Script:
    """A script: one utterance is heard, and something happens in the second."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(ms=1000)
        await peer.final("olá mundo", 100, 900)
        await (await peer.ws.ping())  # it has come
        await asyncio.sleep(0.2)  # and was read
        await then(peer)

    return script


def process(*arguments: object, **options: Any) -> "subprocess.Popen[str]":
    """The command at work."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    env = ENVIRONMENT | options.pop("env", {})
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=env, text=True, **streams | options)


async def ended(running: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = await asyncio.to_thread(running.communicate, timeout=30)
    return running.returncode, out, err


def check(file: Path, format_: str, why: str) -> None:
    if format_ == "json":
        document = json.loads(file.read_text())
        assert document["text"] == "olá mundo"
        assert why in document["incomplete"]
    else:
        assert file.read_text() == DOCUMENTS[format_]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signal(service: ScriptedService, tmp_path: Path, number: signal.Signals, format_: str) -> None:
    """Of a recording the rest is given up at once; the service is told."""
    heard = asyncio.Event()

    async def then(peer: Peer) -> None:
        heard.set()
        await peer.hear(until="cancel")

    service.scripts = [first_of_two(then)]
    file = tmp_path / f"out.{format_}"
    running = process("transcribe", "--url", service.url, "-o", file, speech(tmp_path / "a.wav", 300))
    await asyncio.wait_for(heard.wait(), 20)
    running.send_signal(number)
    code, out, err = await ended(running)
    assert (code, out) == (128 + number, "")
    assert err == f"whisper-stt: Interrupted; {file} has what was transcribed\n"
    assert service.peers[0].received == ["cancel"]
    check(file, format_, "Interrupted")


async def test_signal_before_anything_was_heard(service: ScriptedService, tmp_path: Path) -> None:
    """An empty file would say that nobody spoke."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="cancel")

    service.scripts = [script]
    file = tmp_path / "out.txt"
    running = process("transcribe", "--url", service.url, "-o", file, speech(tmp_path / "a.wav", 300))
    await settle(lambda: bool(service.peers and service.peers[0].audio), 20)
    running.send_signal(signal.SIGTERM)
    assert await ended(running) == (143, "", "whisper-stt: Interrupted\n")
    assert not file.exists()


@pytest.mark.parametrize("format_", FORMATS)
async def test_lost_service(service: ScriptedService, tmp_path: Path, format_: str) -> None:
    async def then(peer: Peer) -> None:
        service.statuses = [401] * 9
        await peer.drop()

    service.scripts = [first_of_two(then)]
    file = tmp_path / f"out.{format_}"
    code, out, err = await started("transcribe", "--url", service.url, "-o", file, speech(tmp_path / "a.wav", 60))
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "HTTP 401" in err
    assert err.endswith(f"; {file} has what was transcribed\n")
    check(file, format_, "HTTP 401")


@pytest.mark.parametrize("format_", ["txt", "json"])
async def test_lost_service_on_standard_output(service: ScriptedService, tmp_path: Path, format_: str) -> None:
    async def then(peer: Peer) -> None:
        service.statuses = [401] * 9
        await peer.drop()

    service.scripts = [first_of_two(then)]
    code, out, err = await started(
        "transcribe", "--url", service.url, "--format", format_, speech(tmp_path / "a.wav", 60)
    )
    assert (code, err.count("\n")) == (3, 1)
    assert "olá mundo" in out


class Pipe:
    """The other end of a live pipe."""

    def __init__(self, tmp_path: Path) -> None:
        whole = speech(tmp_path / "live.wav", 30).read_bytes()
        unknown = b"\xff" * 4  # so long is what has no end yet
        self._pcm = whole[:4] + unknown + whole[8:40] + unknown + whole[44:]
        self.end, self._write = os.pipe()
        self._at = 0

    async def say(self, seconds: float) -> None:
        """So much of it, at once."""
        size = int(seconds * 32_000) + (0 if self._at else 44)
        piece, self._at = self._pcm[self._at : self._at + size], self._at + size
        await asyncio.to_thread(self._put, piece)

    def close(self) -> None:
        os.close(self._write)

    def _put(self, piece: bytes) -> None:
        while piece:
            piece = piece[os.write(self._write, piece) :]


def last_sentence() -> Script:
    """A script whose utterance ends with the session."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.hear(until="end_session")
        seconds = len(peer.audio) / 32_000
        await peer.final(f"{seconds:.1f} segundos", 100, 900)
        await peer.end()

    return script


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("closes", [True, False])
async def test_live_pipe(service: ScriptedService, tmp_path: Path, number: signal.Signals, closes: bool) -> None:
    """Ctrl-C reaches both ends, and what the other one says last counts; SIGTERM may come while it is silent."""
    service.scripts = [last_sentence()]
    pipe = Pipe(tmp_path)
    running = process("transcribe", "--url", service.url, "--no-times", "-", stdin=pipe.end)
    os.close(pipe.end)
    await pipe.say(6.0)
    await settle(lambda: bool(service.peers and len(service.peers[0].audio) >= 5 * 32_000), 20)
    running.send_signal(number)
    if closes:
        await pipe.say(0.4)
        pipe.close()
    code, out, err = await ended(running)
    if not closes:
        pipe.close()
    assert (code, err) == (128 + number, "whisper-stt: Interrupted\n")
    if closes:
        assert out == "6.4 segundos\n"
    else:  # what FFmpeg has not given yet is missing
        assert 5.0 <= float(out.split()[0]) <= 6.0


async def test_second_signal_does_not_wait(service: ScriptedService, tmp_path: Path) -> None:
    async def then(peer: Peer) -> None:
        await peer.hear(until="end_session")
        await peer.hear(until="cancel")

    service.scripts = [first_of_two(then)]
    pipe = Pipe(tmp_path)
    running = process("transcribe", "--url", service.url, "--no-times", "-", stdin=pipe.end)
    os.close(pipe.end)
    await pipe.say(6.0)
    await settle(lambda: bool(service.peers and len(service.peers[0].audio) >= 5 * 32_000), 20)
    running.send_signal(signal.SIGINT)
    await settle(lambda: "end_session" in service.peers[0].received, 20)
    running.send_signal(signal.SIGINT)
    assert await ended(running) == (130, "olá mundo\n", "whisper-stt: Interrupted\n")
    pipe.close()


async def test_ignored_signals_stay_ignored(service: ScriptedService, tmp_path: Path) -> None:
    """As `nohup` has it, and shells for what they put into the background."""
    service.scripts = [last_sentence()]
    pipe = Pipe(tmp_path)
    running = subprocess.Popen(
        ["bash", "-c", "trap '' INT HUP; exec $W transcribe --no-times -"],
        env=ENVIRONMENT | {"W": " ".join(COMMAND), "STT_URL": service.url},
        stdin=pipe.end,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(pipe.end)
    await pipe.say(6.0)
    await settle(lambda: bool(service.peers and service.peers[0].audio), 20)
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGHUP)
    await pipe.say(0.6)
    pipe.close()
    assert await ended(running) == (0, "6.6 segundos\n", "")


async def test_load_tells_what_it_saw(service: ScriptedService) -> None:
    service.scripts = [first_of_two(lambda peer: peer.hear(until="cancel"))]
    running = process("load", "--url", service.url, "--duration", "300", "--json", SPEECH)
    await settle(lambda: bool(service.peers and len(service.peers[0].audio) >= 40_000), 20)
    running.send_signal(signal.SIGINT)
    code, out, err = await ended(running)
    assert (code, err) == (130, "whisper-stt: Interrupted\n")
    assert json.loads(out)["final"]["count"] == 1


async def test_load_sends_audio_when_it_was_spoken(service: ScriptedService) -> None:
    """No final comes before the end of what it says, however fast the service is."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        for n in range(1, 20):
            await peer.hear(ms=n * 80)
            await peer.final("já", n * 80 - 80, 80, f"seg-{n}")
        await peer.hear(until="end_session")
        await peer.end()

    service.scripts = [script]
    code, out, _ = await started("load", "--url", service.url, "--duration", "2", "--json", SPEECH)
    figures = json.loads(out)
    assert (code, figures["final"]["count"], figures["audio_s"]) == (0, 19, 2.0)
    assert figures["final"]["p50_ms"] >= 0


def test_crash_is_none_of_the_codes() -> None:
    from whisper_stt.cli import Exit

    crashed = subprocess.run([sys.executable, "-c", "1 / 0"], capture_output=True, check=False)
    assert crashed.returncode not in set(Exit)


async def test_library_keeps_what_it_heard(service: ScriptedService, tmp_path: Path) -> None:
    async def then(peer: Peer) -> None:
        service.statuses = [401] * 9
        await peer.drop()

    service.scripts = [first_of_two(then)]
    recording = speech(tmp_path / "a.wav", 60)
    with pytest.raises(whisper_stt.RefusedError) as caught:
        await asyncio.to_thread(whisper_stt.transcribe_file, recording, service.url)
    assert caught.value.transcript.text == "olá mundo"


# The microphone, on systems whose event loops have no signal handlers

MICROPHONE = """
import threading
class PortAudioError(Exception): pass
class RawInputStream:
    def __init__(self, callback, **options): self.callback = callback
    def __enter__(self): threading.Thread(target=self.hear, daemon=True).start()
    def hear(self):
        for _ in range(75): self.callback(bytes(640), 320, None, None)
    def __exit__(self, *_): pass
"""
AS_ON_WINDOWS = """
import asyncio, signal, sys
del signal.SIGHUP, signal.SIGPIPE
class Loop(asyncio.SelectorEventLoop):
    def add_signal_handler(self, *_): raise NotImplementedError
    remove_signal_handler = add_signal_handler
class Policy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self): return Loop()
asyncio.set_event_loop_policy(Policy())
from whisper_stt.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("system", ["this", "Windows"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
async def test_microphone_hears_the_last_sentence(
    service: ScriptedService, tmp_path: Path, system: str, number: signal.Signals, code: int
) -> None:
    (tmp_path / "sounddevice.py").write_text(MICROPHONE)
    service.scripts = [last_sentence()]
    start = COMMAND if system == "this" else [sys.executable, "-c", AS_ON_WINDOWS]
    running = subprocess.Popen(
        [*start, "mic", "--no-times", "--url", service.url],
        env=ENVIRONMENT | {"PYTHONPATH": f"{tmp_path}:{ENVIRONMENT['PYTHONPATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    await settle(lambda: bool(service.peers and len(service.peers[0].audio) >= 46_000), 20)
    running.send_signal(number)
    assert await ended(running) == (code, "1.5 segundos\n", "" if code == 0 else "whisper-stt: Interrupted\n")


@pytest.mark.parametrize("where", ["__init__", "__enter__"])
async def test_microphone_that_does_not_open(service: ScriptedService, tmp_path: Path, where: str) -> None:
    fault = MICROPHONE + f"    def {where}(self, *_, **__): raise PortAudioError('Device unavailable')\n"
    (tmp_path / "sounddevice.py").write_text(fault)
    service.scripts = [one_utterance()]
    env = {"PYTHONPATH": f"{tmp_path}:{ENVIRONMENT['PYTHONPATH']}"}
    done = await started("mic", "--url", service.url, env=env)
    assert done == (4, "", "whisper-stt: microphone: Device unavailable\n")


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        ("ImportError", "pip install sounddevice"),
        ("OSError('PortAudio library not found')", "apt-get install libportaudio2"),
    ],
)
async def test_microphone_without_its_library(tmp_path: Path, fault: str, hint: str) -> None:
    (tmp_path / "sounddevice.py").write_text(f"raise {fault}")
    code, _, err = await started("mic", env={"PYTHONPATH": f"{tmp_path}:{ENVIRONMENT['PYTHONPATH']}"})
    assert (code, err.count("\n")) == (4, 1)
    assert hint in err
