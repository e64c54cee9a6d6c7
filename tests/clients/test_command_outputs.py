"""Where `whisper-stt` writes: names that are tried first, and standard streams of any kind."""

import asyncio
import json
import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, ENVIRONMENT, SPEECH, command, in_shell, started
from scripted_service import Peer, ScriptedService, one_utterance, settle
from whisper_stt.cli.targets import format_of, plan
from whisper_stt.errors import OptionError

# Names


def touched(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")


@pytest.mark.parametrize(
    ("files", "output", "what"),
    [
        (["a/call.wav", "b/call.wav"], "out/", "a/call.wav and b/call.wav would both be written to out/call.txt"),
        (["a/call.wav", "b/call.mp3"], "out", "would both be written to out/call.txt"),
        (["a/call.wav", "a/call.wav"], "out/", "would both be written to out/call.txt"),
        (["-", "a/stdin.wav"], "out/", "- and a/stdin.wav would both be written to out/stdin.txt"),
        (["-", "-"], None, "- (standard input) is given twice"),
        (["a/call.wav"], "nowhere/x.txt", "there is no directory nowhere"),
        (["a/call.wav"], "notes.txt/x.txt", "there is no directory notes.txt"),
        (["a/call.wav", "b/call2.wav"], "notes.txt", "notes.txt is a file: expected a directory"),
        (["a/call.wav"], "notes.txt/", "notes.txt is a file: expected a directory"),
        (["a/call.wav", "b/call2.wav"], "notes.txt/out/", "Not a directory"),
        (["a/call.wav"], "a/call.wav", "is the input"),
        (["a/call.wav"], "a/../a/call.wav", "is the input"),
        (["a/call.wav"], "link.txt", "is the input"),
        (["a/call.wav"], "hard.txt", "is the input"),
        (["a/call.wav"], "kept/", "kept/call.txt is there already"),
        (["a/call.txt"], "a/", "a/call.txt is there already"),
        (["x/other.wav"], "kept", "kept/other.txt is there already"),
        (["a/call.wav"], "", "--output is empty"),
        (["a/call.wav"], "n" * 300, "File name too long"),
        (["n" * 253 + ".wav"], "out/", "File name too long"),
    ],
)
def test_output_that_cannot_be(
    files: list[str], output: str | None, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence before anything is done, and nothing of what is there is touched."""
    monkeypatch.chdir(tmp_path)
    touched(*map(Path, ["a/call.wav", "b/call.wav", "b/call.mp3", "b/call2.wav", "a/call.txt", "notes.txt"]))
    touched(Path("kept/call.txt"))
    Path("kept/other.txt").symlink_to("gone")
    Path("link.txt").symlink_to("a/call.wav")
    Path("hard.txt").hardlink_to("a/call.wav")
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())

    options = [] if output is None else ["--output", output]
    told = command("transcribe", *options, "--url", "ws://127.0.0.1:9", *files)

    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert what in told.stderr
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before
    assert {path.read_text() for path in before} == {"precious"}


def test_output_that_may_not_be_written(tmp_path: Path) -> None:
    """As a user who is not root; one of several is enough."""
    shut = tmp_path / "shut"
    shut.mkdir()
    touched(shut / "old.txt")
    (shut / "old.txt").chmod(stat.S_IRUSR)
    shut.chmod(stat.S_IRUSR | stat.S_IXUSR)
    tmp_path.chmod(0o755)

    def as_nobody(output: object) -> subprocess.CompletedProcess[str]:
        program = (
            "import os, sys; from whisper_stt.cli.targets import plan; from whisper_stt.errors import OptionError\n"
            "os.setuid(65534)\n"
            "try: plan(['a.wav'], sys.argv[1], 'txt')\n"
            "except OptionError as error: print(error)"
        )
        return subprocess.run(
            [COMMAND[0], "-c", program, str(output)], env=ENVIRONMENT, text=True, capture_output=True, check=True
        )

    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    for parent in tmp_path.parents[:3]:
        parent.chmod(0o755)
    for output in (shut / "old.txt", shut / "new.txt", f"{shut}/", f"{shut}/sub/"):
        assert "Permission denied" in as_nobody(output).stdout


def test_plan_leaves_no_trace(tmp_path: Path) -> None:
    touched(tmp_path / "old.txt")
    os.mkfifo(tmp_path / "pipe")
    for name in ("old.txt", "new.txt", "pipe"):
        (target,) = plan(["a.wav"], str(tmp_path / name), "txt")
        assert target is not None
        assert target.path == tmp_path / name
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["old.txt", "pipe"]
    assert (tmp_path / "old.txt").read_text() == "precious"
    assert plan(["a", "b"], None, "txt") == plan(["a", "-"], "-", "txt") == [None, None]
    with pytest.raises(OptionError, match="twice"):
        plan(["-", "-"], str(tmp_path), "txt")


def test_format_by_the_name() -> None:
    assert [format_of(None, name) for name in (None, "x.srt", "x.VTT", "x.json", "x.doc", "srt", "out/")] == [
        "txt", "srt", "vtt", "json", "txt", "txt", "txt",
    ]  # fmt: skip
    assert format_of("json", "x.srt") == "json"


async def test_file_that_was_named_is_overwritten(service: ScriptedService, recording: Path) -> None:
    service.scripts = [one_utterance()]
    file = recording.with_name("film.srt")
    touched(file)
    assert await started("transcribe", "--url", service.url, "-o", file, recording) == (0, "", "")
    assert file.read_text().endswith("olá mundo\n")


async def test_file_that_came_meanwhile_stays(service: ScriptedService, recording: Path) -> None:
    """It was not named: the transcript goes to standard output."""
    output = recording.parent / "out"

    async def script(peer: Peer) -> None:
        (output / "gravação.txt").write_text("precious")
        await one_utterance()(peer)

    service.scripts = [script]
    code, out, err = await started("transcribe", "--url", service.url, "--no-times", "-o", f"{output}/", recording)
    assert (code, out) == (6, "olá mundo\n")
    assert "File exists; the transcript goes to standard output" in err
    assert (output / "gravação.txt").read_text() == "precious"


# Streams


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp850", "latin-1", "ascii:strict"])
async def test_other_encodings(service: ScriptedService, recording: Path, encoding: str) -> None:
    service.scripts = [one_utterance("olá 世界 mundo")]
    file = recording.with_name("out.txt")
    line = f"$W transcribe --url {service.url} {recording}; exit $?"
    code, out, err = await in_shell(line, PYTHONIOENCODING=encoding)
    said = "ola" if encoding.startswith("ascii") else "olá".encode(encoding).decode("latin-1")
    assert (code, out, err) == (0, f"[00:00:00.100 -> 00:00:01.000] {said} ?? mundo\n", "")
    line = f"$W transcribe --url {service.url} -o {file} {recording}"
    assert await in_shell(line, PYTHONIOENCODING=encoding) == (0, "", "")
    assert file.read_text() == "[00:00:00.100 → 00:00:01.000] olá 世界 mundo\n"


@pytest.mark.parametrize("format_", ["txt", "srt", "vtt", "json"])
async def test_locale_without_utf8(service: ScriptedService, recording: Path, format_: str) -> None:
    """And a file whose name is no text in it."""
    service.scripts = [one_utterance()]
    other = os.fsencode(recording.parent) + b"/\xe7\xe3o.flac"
    os.link(recording, other)
    line = f"$W transcribe --url {service.url} --format {format_} {recording.parent}/*.flac"
    code, out, err = await in_shell(line, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (code, err) == (0, "")
    assert out.count("ola mundo") == (4 if format_ == "json" else 2)


async def test_name_that_is_no_text_in_json(service: ScriptedService, recording: Path) -> None:
    service.scripts = [one_utterance()]
    other = os.fsencode(recording.parent) + b"/\xe7.flac"
    os.link(recording, other)
    file = recording.with_name("out.json")
    assert await started("transcribe", "--url", service.url, "-o", file, os.fsdecode(other)) == (0, "", "")
    assert json.loads(file.read_text())["text"] == "olá mundo"


FULL = [">/dev/full", ">&-"]


@pytest.mark.parametrize("stdout", FULL)
@pytest.mark.parametrize("format_", ["txt", "json"])
async def test_standard_output_full_or_closed(
    service: ScriptedService, recording: Path, stdout: str, format_: str
) -> None:
    service.scripts = [one_utterance()]
    work = f"transcribe --url {service.url} --format {format_} {recording}"
    code, _, err = await in_shell(f"$W {work} {stdout}")
    assert code == 6
    assert err.startswith("whisper-stt: standard output: ")
    assert err.count("\n") == 1
    file = recording.with_name("out")
    assert await in_shell(f"$W {work} -o {file} {stdout}") == (0, "", "")
    assert "olá mundo" in file.read_text()


@pytest.mark.parametrize("stdout", FULL)
@pytest.mark.parametrize("arguments", ["--help", "transcribe --help", "status", "load --duration 1 FILE", "mic --help"])
async def test_every_command_on_a_full_or_closed_output(
    service: ScriptedService, recording: Path, stdout: str, arguments: str
) -> None:
    service.scripts = [one_utterance()]
    line = f"$W {arguments.replace('FILE', str(recording))} {stdout}"
    if arguments == "status":
        async with Pages() as pages:
            code, _, err = await in_shell(line, STT_URL=pages.url)
    else:
        code, _, err = await in_shell(line, STT_URL=service.url)
    assert code == 6
    assert err.startswith("whisper-stt: standard output: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
async def test_standard_error_full_or_closed(service: ScriptedService, recording: Path, stderr: str) -> None:
    service.scripts = [one_utterance()]
    nobody = "--url ws://127.0.0.1:9"
    for work, code in ((f"transcribe {nobody} {recording}", 3), (f"status {nobody}", 3), ("transcribe", 2)):
        assert await in_shell(f"$W {work} {stderr}") == (code, "", "")
    file = recording.with_name("out.txt")
    assert await in_shell(f"$W transcribe --url {service.url} -o {file} {recording} {stderr}") == (0, "", "")
    assert "olá mundo" in file.read_text()
    assert await in_shell(f"$W transcribe {nobody} {recording} >&- 2>&- <&-") == (3, "", "")


@pytest.mark.parametrize("arguments", ["transcribe --help", "status --json", "transcribe --format json FILE"])
async def test_reader_that_goes_at_once(service: ScriptedService, recording: Path, arguments: str) -> None:
    service.scripts = [one_utterance()]
    async with Pages() as pages:
        url = pages.url if "status" in arguments else service.url
        line = f"(sleep 0.5; $W {arguments.replace('FILE', str(recording))}; echo $? >&2) | true"
        _, _, err = await in_shell(f"set +o pipefail; {line}", STT_URL=url)
        await settle(lambda: True)
    assert err == "141\n"


async def test_disk_full(service: ScriptedService, recording: Path) -> None:
    """What was heard is not lost with it."""
    service.scripts = [one_utterance()]
    code, out, err = await started("transcribe", "--url", service.url, "--no-times", "-o", "/dev/full", recording)
    assert (code, out) == (6, "olá mundo\n")
    assert err == "whisper-stt: /dev/full: No space left on device; the transcript goes to standard output\n"


class Pages:
    """An HTTP server with the one page of `status`."""

    async def __aenter__(self) -> "Pages":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.paths: list[str] = []
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/under/ws/stt"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.paths.append((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
        body = json.dumps({"status": "not_ready", "accepting_requests": True, "error": "ação →"}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        writer.close()


async def test_status_under_a_path_and_in_ascii() -> None:
    async with Pages() as pages:
        code, out, err = await in_shell("$W status", STT_URL=pages.url, PYTHONIOENCODING="ascii")
    assert (code, err) == (0, "")
    assert out.endswith("/under/ is not ready: acao ->.\n")
    assert pages.paths == ["/under/health/status"]


@pytest.mark.parametrize("body", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n[]", b"HTTP/1.1 200 OK\r\n\r\n{}"])
async def test_status_of_something_else(body: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    code, out, err = await started("status", "--url", url)
    server.close()
    assert (code, out, err.count("\n")) == (3, "", 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["load", "--pause", "-1", SPEECH],
        ["load", "--ramp", "nan", SPEECH],
        ["load", "--duration", "inf", SPEECH],
        ["load", "--talkers", "two", SPEECH],
        ["transcribe", "--vad-threshold", "high", SPEECH],
    ],
)
def test_numbers_that_are_none(arguments: list[Any]) -> None:
    told = command(*arguments)
    assert told.returncode == 2
    assert f"argument {arguments[1]}: expected " in told.stderr
    assert f"got {arguments[2]}" in told.stderr


def test_signals_are_those_of_the_system() -> None:
    """Not one that Windows lacks is needed to import the command."""
    program = (
        "import signal\n"
        "for name in ('SIGHUP', 'SIGPIPE', 'SIGUSR1', 'SIGALRM'): delattr(signal, name)\n"
        "import sys\n"
        "for name in ('termios', 'fcntl', 'pty', 'resource', 'pwd', 'grp'): sys.modules[name] = None\n"
        "import whisper_stt.cli.transcribe, whisper_stt.cli.mic, whisper_stt.cli.load, whisper_stt.cli.status\n"
    )
    subprocess.run([COMMAND[0], "-c", program], env=ENVIRONMENT, check=True)
    assert signal.SIGINT == 2
