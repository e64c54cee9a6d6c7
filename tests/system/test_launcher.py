"""`python manage.py stt`, as a newcomer runs it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.system.stack import ECHO, ROOT, free_port
from tests.system.talker import Talker, noise

STARTS_WITHIN_S = 90


class Launched:
    """A running launcher with what it has printed."""

    def __init__(self, directory: Path, **settings: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("STT_", "DATABASE"))}
        self.port = free_port()
        defaults = {"STT_PORT": str(self.port), "STT_HOST": "127.0.0.1", "DATABASE_URL": f"sqlite:///{directory}/db"}
        self.env = clean | defaults | settings
        self._output = directory / "output"
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "stt"],
                cwd=ROOT,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        return self._output.read_text()

    def until(self, text: str) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while text not in self.output():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.1)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def ended(self) -> int:
        """The exit code, of a launcher that is to give up or stop by itself."""
        return self.process.wait(STARTS_WITHIN_S)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[object]:
    launched = []

    def start(**settings: str) -> Launched:
        launched.append(Launched(tmp_path, **settings))
        return launched[-1]

    yield start
    for one in launched:
        for process in (*one.children(), one.process) if one.process.poll() is None else ():
            process.kill()
        one.process.wait()


@pytest.mark.model
def test_on_a_bare_machine_it_says_what_it_runs(launch) -> None:
    """No setting, no CUDA: the embedded profile, said so in the ready block; Ctrl-C leaves no process, within 5 s."""
    service = launch()
    service.until("Whisper STT is ready")
    children = service.children()
    began = time.monotonic()
    service.process.send_signal(signal.SIGINT)

    assert service.ended() == 0
    assert time.monotonic() - began < 5
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    for said in (
        "embedded profile",
        "base, cpu, int8",
        f"http://127.0.0.1:{service.port}/ ",
        f"ws://127.0.0.1:{service.port}/ws/stt",
        "Ctrl-C",
    ):
        assert said in service.output()


async def test_it_serves_sessions(launch) -> None:
    """A session through the launched service; SIGTERM ends it as Ctrl-C does."""
    service = launch(**ECHO)
    service.until("Whisper STT is ready")
    async with Talker(f"ws://127.0.0.1:{service.port}/ws/stt") as talker:
        await talker.start(config={"vad_enabled": False})
        await talker.stream(noise(0.5))
        await talker.say("end_session")
        final = await talker.until("final_transcript")
    service.process.terminate()

    assert final["text"]
    assert service.ended() == 0


def test_it_says_how_to_make_the_first_admin_until_there_is_one_and_keys_where_needed(launch) -> None:
    """The command that the ready block names is the one that works."""
    service = launch(**ECHO)
    service.until("Ctrl-C")
    first = service.output()
    service.process.terminate()
    service.ended()
    (command,) = re.findall(r"nobody can log in yet: (\S+ manage\.py createsuperuser)", first)
    options = ["--noinput", "--username", "first", "--email", "first@x.example"]
    password = {"DJANGO_SUPERUSER_PASSWORD": "a long password"}
    subprocess.run([*command.split(), *options], env=service.env | password, cwd=ROOT, check=True, capture_output=True)
    service = launch(STT_AUTH="required", **ECHO)
    service.until("Ctrl-C")

    assert "createsuperuser" not in service.output()
    assert "createapikey" not in first, "keys are spoken of where they are needed"
    assert "createapikey" in service.output()


@pytest.mark.parametrize("name", ["celery", "daphne", "valkey"])
def test_a_child_that_dies_stops_the_rest(launch, name: str) -> None:
    """It is named with its last lines, and the exit code is not 0."""
    service = launch(**ECHO)
    service.until("Whisper STT is ready")
    children = service.children()
    victim = next(child for child in children if name in " ".join(child.cmdline()))
    victim.kill()

    assert service.ended() == 1
    assert "ended by itself (exit code -9)" in service.output()
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []


def test_a_taken_port_is_one_sentence(launch) -> None:
    """It names the port and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        service = launch(STT_PORT=str(taken.getsockname()[1]), **ECHO)

        assert service.ended() == 1
    assert "set STT_PORT" in service.output()
    assert "Traceback" not in service.output()


def test_an_unreachable_redis_is_one_sentence(launch) -> None:
    """It names the variable."""
    service = launch(STT_REDIS_URL=f"redis://:hunter2@127.0.0.1:{free_port()}/0", **ECHO)

    assert service.ended() == 1
    assert "STT_REDIS_URL does not answer" in service.output()
    assert "Traceback" not in service.output()
    assert "hunter2" not in service.output()


def test_an_unknown_model_is_one_sentence(launch) -> None:
    """The worker's reason reaches the terminal, with the names there are."""
    service = launch(STT_WHISPER_MODEL="enormous")

    assert service.ended() == 1
    assert "STT_WHISPER_MODEL=enormous is not a model: expected one of" in service.output()
    assert "Traceback" not in service.output()


def test_all_bad_settings_are_named_at_once(launch) -> None:
    """Variable, value and what is allowed."""
    service = launch(STT_PORT="eighty", STT_VAD_THRESHOLD="2", STT_LANGUAGE="klingon")

    assert service.ended() != 0
    for said in ("STT_PORT='eighty'", "STT_VAD_THRESHOLD='2'", "STT_LANGUAGE='klingon'", "less than or equal to 1"):
        assert said in service.output()
    assert "Traceback" not in service.output()


def test_an_english_model_for_portuguese_is_warned_of(launch) -> None:
    """Loudly, with the model to take, before it is even loaded."""
    service = launch(STT_WHISPER_MODEL="distil-large-v3")
    service.until("large-v3-turbo")

    assert "knows English only" in service.output()
