"""`python manage.py stt`, as a newcomer runs it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import requests

from harness.audio import noise
from harness.launched import Launched
from harness.processes import ROOT, bare_environment, free_port
from harness.stack import ECHO
from harness.talker import Talker

Launch = Callable[..., Launched]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts it with nothing but the settings given."""
    with ExitStack() as running:
        yield lambda **settings: running.enter_context(Launched(tmp_path, bare_environment(), **settings))


def printed(service: Launched, text: str) -> None:
    """Wait until it has said so."""
    service.until(lambda: text in service.output())


@pytest.mark.model
def test_on_a_bare_machine_it_says_what_it_runs(launch: Launch) -> None:
    """No setting, no CUDA: the embedded profile, said so in the ready block; Ctrl-C leaves no process, within 5 s."""
    service = launch()
    printed(service, "Whisper STT is ready")
    children = service.children()
    began = time.monotonic()
    service.process.send_signal(signal.SIGINT)

    assert service.ended() == 0
    assert time.monotonic() - began < 5
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    for said in (
        "embedded profile",
        "base, cpu, int8",
        service.ws_url,
        service.ws_url.replace("ws:", "http:").replace("ws/stt", " "),
        "Ctrl-C",
    ):
        assert said in service.output()


async def test_it_serves_sessions(launch: Launch) -> None:
    """A session through the launched service; SIGTERM ends it as Ctrl-C does."""
    service = launch(**ECHO)
    printed(service, "Whisper STT is ready")
    async with Talker(service.ws_url) as talker:
        await talker.start(config={"vad_enabled": False})
        await talker.stream(noise(0.5))
        await talker.say("end_session")
        final = await talker.until("final_transcript")
    service.process.terminate()

    assert final["text"]
    assert service.ended() == 0


def test_it_says_how_to_make_the_first_admin_until_there_is_one_and_keys_where_needed(
    launch: Launch,
) -> None:
    """The command that the ready block names is the one that works."""
    service = launch(**ECHO)
    printed(service, "Ctrl-C")
    first = service.output()
    service.process.terminate()
    service.ended()
    (command,) = re.findall(r"nobody can log in yet: (\S+ manage\.py createsuperuser)", first)
    options = ["--noinput", "--username", "first", "--email", "first@x.example"]
    password = {"DJANGO_SUPERUSER_PASSWORD": "a long password"}
    subprocess.run([*command.split(), *options], env=service.env | password, cwd=ROOT, check=True, capture_output=True)
    service = launch(STT_AUTH="required", **ECHO)
    printed(service, "Ctrl-C")

    assert "createsuperuser" not in service.output()
    assert "createapikey" not in first, "keys are spoken of where they are needed"
    assert "createapikey" in service.output()


@pytest.mark.parametrize("name", ["celery", "daphne", "valkey"])
def test_a_child_that_dies_stops_the_rest(launch: Launch, name: str) -> None:
    """It is named, and the exit code is not 0."""
    service = launch(**ECHO)
    printed(service, "Whisper STT is ready")
    children = service.children()
    victim = next(child for child in children if name in " ".join(child.cmdline()))
    victim.kill()

    assert service.ended() == 1
    assert "ended by itself (exit code -9)" in service.output()
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Where the service writes; called, it is gone, as a terminal that was closed is."""
    os.mkfifo(tmp_path / "output")
    with os.fdopen(os.open(tmp_path / "output", os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        yield reader.close


def answers(service: Launched, path: str) -> bool:
    """Whether the web process answers a request, whatever it says."""
    try:
        requests.get(service.ws_url.replace("ws:", "http:").replace("/ws/stt", path), timeout=5)
    except requests.RequestException:
        return False
    return True


def test_a_closed_terminal_stops_all_of_it(launch: Launch, terminal: Callable[[], None]) -> None:
    """As Ctrl-C does, though there is nobody left to be told: nothing is left that keeps the port."""
    service = launch(**ECHO)
    service.until(lambda: answers(service, "/health/live"))
    children = service.children()
    terminal()
    for _ in range(2):  # the kernel says so, and a shell does
        service.process.send_signal(signal.SIGHUP)
    service.ended()

    assert len(children) >= 4
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []


def test_it_works_on_when_nobody_reads_what_it_says(launch: Launch, terminal: Callable[[], None]) -> None:
    """A terminal that is gone, a full disk under its log: more lines than a pipe holds stop no process."""
    service = launch(**ECHO)
    service.until(lambda: answers(service, "/health/live"))
    terminal()

    assert all(answers(service, f"/{'x' * 4000}") for _ in range(100))
    assert service.process.poll() is None


def test_a_taken_port_is_one_sentence(launch: Launch) -> None:
    """It names the port and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        service = launch(STT_PORT=str(taken.getsockname()[1]), **ECHO)

        assert service.ended() == 1
    assert "set STT_PORT" in service.output()
    assert "Traceback" not in service.output()


def test_an_unreachable_redis_is_one_sentence(launch: Launch) -> None:
    """It names the variable."""
    service = launch(STT_REDIS_URL=f"redis://:hunter2@127.0.0.1:{free_port()}/0", **ECHO)

    assert service.ended() == 1
    assert "STT_REDIS_URL does not answer" in service.output()
    assert "Traceback" not in service.output()
    assert "hunter2" not in service.output()


def test_an_unknown_model_is_one_sentence(launch: Launch) -> None:
    """Said once, before anything is started, with the names there are and the one that was probably meant."""
    service = launch(STT_WHISPER_MODEL="large-v4")

    assert service.ended() == 1
    said = "STT_WHISPER_MODEL=large-v4 is not a model (did you mean large-v3?): expected one of"
    assert service.output().count(said) == 1
    assert "Starting" not in service.output()
    assert "Traceback" not in service.output()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"DATABASE_URL": "sqlite:////proc/nowhere/db.sqlite3"}, "there is no directory /proc/nowhere"),
        ({"DATABASE_URL": "sqlite:////proc/db.sqlite3"}, "let this user write to /proc"),
        ({"DATABASE_URL": "postgres://me:hunter2@127.0.0.1:9/stt"}, "start it, or correct the URL"),
        ({"STT_DEVICE": "cuda", "STT_WHISPER_MODEL": "large-v3-turbo"}, "CTranslate2 finds no CUDA device"),
        ({"STT_COMPUTE_TYPE": "float16"}, "STT_COMPUTE_TYPE=float16 is nothing that this cpu computes in"),
    ],
)
def test_what_cannot_run_is_one_sentence_before_anything_is_started(
    launch: Launch, settings: dict[str, str], said: str
) -> None:
    """No traceback, no download, no secret."""
    service = launch(**settings)

    assert service.ended() == 1
    assert service.output().count(said) == 1
    assert "Starting" not in service.output()
    for unwanted in ("Traceback", "hunter2", "Downloading"):
        assert unwanted not in service.output()


def dry_run(tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """What `manage.py stt --dry-run` says."""
    own = {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", "STT_PORT": str(free_port())}
    environ = bare_environment() | own | settings
    command = [sys.executable, "manage.py", "stt", "--dry-run"]
    return subprocess.run(command, env=environ, cwd=ROOT, check=False, capture_output=True, text=True)


def test_a_dry_run_checks_everything_and_starts_nothing(tmp_path: Path) -> None:
    """It tells what would be downloaded, and leaves nothing."""
    done = dry_run(tmp_path, STT_WHISPER_MODEL="small", HF_HUB_CACHE=str(tmp_path / "hub"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "Settings", "Port", "Redis", "Database", "Device", "Model", "Whisper",
    ]  # fmt: skip
    assert "to be downloaded from the Hugging Face hub, about 485 MB" in done.stdout
    assert [*tmp_path.iterdir()] == []


def test_a_dry_run_names_all_that_is_wrong(tmp_path: Path) -> None:
    """Not the first fault alone."""
    done = dry_run(tmp_path, STT_DEVICE="cuda", STT_WHISPER_MODEL="enormous", DATABASE_URL="sqlite:////proc/x/y")

    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines() if " NO: " in line] == ["Database", "Device", "Model"]


def test_who_may_use_it_is_said_where_anybody_may(launch: Launch) -> None:
    """In one line, with the settings that close it; its secret is made once and kept, for its owner's eyes."""
    service = launch(STT_HOST="0.0.0.0", **ECHO)
    printed(service, "Ctrl-C")
    first = service.output()
    service.process.terminate()
    service.ended()
    secret = Path(service.env["DATABASE_URL"].removeprefix("sqlite:///")).with_name("secret-key")
    kept = secret.read_text()
    service = launch(**ECHO)
    printed(service, "Ctrl-C")
    service.process.terminate()
    service.ended()

    (line,) = [line for line in first.splitlines() if line.split()[:1] == ["Open"]]
    assert "STT_HOST=127.0.0.1" in line
    assert "STT_AUTH=required" in line
    assert "Made a SECRET_KEY" in first
    assert "Open  " not in service.output()
    assert "SECRET_KEY" not in service.output()
    assert secret.read_text() == kept
    assert len(kept.strip()) > 60
    assert secret.stat().st_mode & 0o777 == 0o600
    for unwanted in ("Reading config from stdin", "Warm shutdown"):
        assert unwanted not in first + service.output()


def test_all_bad_settings_are_named_at_once(launch: Launch) -> None:
    """Variable, value and what is allowed."""
    service = launch(STT_PORT="eighty", STT_VAD_THRESHOLD="2", STT_LANGUAGE="klingon")

    assert service.ended() != 0
    for said in ("STT_PORT='eighty'", "STT_VAD_THRESHOLD='2'", "STT_LANGUAGE='klingon'", "less than or equal to 1"):
        assert said in service.output()
    assert "Traceback" not in service.output()


def test_an_english_model_for_portuguese_is_warned_of(launch: Launch) -> None:
    """Loudly, with the model to take, before it is even loaded."""
    service = launch(STT_WHISPER_MODEL="distil-large-v3")
    printed(service, "large-v3-turbo")

    assert service.output().count("knows English only") == 1
