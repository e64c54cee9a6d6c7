"""What the images are built from, and what their entrypoint and healthcheck do."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import redis

from harness.processes import free_port
from harness.stack import Stack
from harness.talker import Talker

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
DOCKERIGNORE = (ROOT / ".dockerignore").read_text().splitlines()
COPIED = [
    source for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]
]

DOCUMENTED = {
    "web": "python -m sttproject.daphne -b 0.0.0.0 -p 8000 --application-close-timeout 75 --websocket_timeout -1 "
    "sttproject.asgi:application",
    "worker": "celery -A sttproject worker -P threads -c 16 -Q stt --without-gossip --without-mingle -l WARNING",
    "migrate": "python manage.py migrate",
    "housekeeping": "python manage.py housekeeping",
    "purge": "python manage.py purge --every 24",
    "webhooks": "python manage.py webhooks",
    "stt": "python manage.py stt",
}


@pytest.fixture
def bin_dir(tmp_path: Path) -> Path:
    """Programs that only say how they were called."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("daphne", "celery", "python"):
        program = programs / name
        program.write_text('#!/bin/sh\necho "${0##*/} $*"\n')
        program.chmod(0o755)
    return programs


def started(bin_dir: Path, *arguments: str, **environment: str) -> list[str]:
    """The command lines that the entrypoint ran, the last being what it became."""
    environment = {"PATH": f"{bin_dir}:{os.defpath}", "STT_ENGINE": "echo"} | environment
    command = [ROOT / "deploy" / "entrypoint.sh", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("name", DOCUMENTED)
def test_each_command_is_the_documented_one(bin_dir: Path, name: str) -> None:
    assert started(bin_dir, name) == [DOCUMENTED[name]]


def test_without_a_command_everything_is_started(bin_dir: Path) -> None:
    assert started(bin_dir) == [DOCUMENTED["stt"]]


def test_settings_and_further_arguments_are_passed_on(bin_dir: Path) -> None:
    (web,) = started(bin_dir, "web", "--proxy-headers", STT_HOST="127.0.0.1", STT_PORT="9000")
    (worker,) = started(bin_dir, "worker", STT_WORKER_THREADS="8")
    assert "-b 127.0.0.1 -p 9000 " in web and web.endswith("application --proxy-headers")
    assert " -c 8 " in worker


def test_another_command_is_run_as_it_is(bin_dir: Path) -> None:
    assert started(bin_dir, "python", "manage.py", "check") == ["python manage.py check"]


def test_a_worker_fetches_a_model_it_does_not_have(bin_dir: Path, tmp_path: Path) -> None:
    settings = {"STT_ENGINE": "whisper", "STT_WHISPER_MODEL": "base", "STT_MODEL_DIR": str(tmp_path)}
    assert started(bin_dir, "worker", **settings) == [
        "python -m workers.engines.model_store base",
        DOCUMENTED["worker"],
    ]
    assert tried(bin_dir, **settings) == "python -m workers.engines.trial cuda float16\n"
    cpu = settings | {"STT_DEVICE": "cpu", "STT_COMPUTE_TYPE": "int8"}
    assert tried(bin_dir, **cpu) == "python -m workers.engines.trial cpu int8\n"
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "model.bin").touch()
    (tmp_path / "base" / "config.json").touch()
    assert started(bin_dir, "worker", **settings) == [DOCUMENTED["worker"]]
    assert started(bin_dir, "worker", **settings | {"STT_WHISPER_MODEL": str(tmp_path)}) == [DOCUMENTED["worker"]]


@pytest.mark.parametrize(
    ("name", "settings"),
    [("worker", {"STT_ENGINE": "whisper", "STT_MODEL_DIR": "mount/models"}), ("stt", {"STT_CACHE_DIR": "mount/cache"})],
)
def test_a_mount_that_cannot_be_written_is_told_with_whose_it_is(
    bin_dir: Path, tmp_path: Path, name: str, settings: dict[str, str]
) -> None:
    """What belongs to somebody else looks so to root, too, where it is no directory."""
    (tmp_path / "mount").touch()
    settings = {key: value.replace("mount", str(tmp_path / "mount")) for key, value in settings.items()}
    with pytest.raises(subprocess.CalledProcessError) as failure:
        started(bin_dir, name, **settings)
    assert failure.value.returncode == 73
    assert failure.value.stdout == ""
    assert f"{tmp_path / 'mount'} cannot be written by user {os.geteuid()} (it belongs to " in failure.value.stderr
    assert f"chown -R {os.geteuid()}:{os.getegid()}" in failure.value.stderr


def test_a_worker_whose_device_does_not_decode_fetches_nothing(bin_dir: Path, tmp_path: Path) -> None:
    """A model is of gigabytes."""
    (bin_dir / "python").write_text("#!/bin/sh\ncase $2 in *trial) exit 1 ;; *) echo fetched ;; esac\n")
    with pytest.raises(subprocess.CalledProcessError) as failure:
        started(bin_dir, "worker", STT_ENGINE="whisper", STT_MODEL_DIR=str(tmp_path))
    assert failure.value.stdout == ""


@pytest.mark.parametrize("profiles", ["gpu", "monitoring,cpu", "gpu-1", "*"])
def test_with_a_worker_among_the_profiles_nothing_is_said(bin_dir: Path, profiles: str) -> None:
    assert told(bin_dir, COMPOSE_PROFILES=profiles) == ""


@pytest.mark.parametrize("profiles", ["", "monitoring"])
def test_a_web_process_says_that_compose_was_told_of_no_worker(bin_dir: Path, profiles: str) -> None:
    """And starts; without Compose nothing is said."""
    assert "Set COMPOSE_PROFILES=gpu (or cpu) in .env" in told(bin_dir, COMPOSE_PROFILES=profiles)
    assert told(bin_dir) == ""


def tried(bin_dir: Path, **environment: str) -> str:
    """What a worker says while it tries its device."""
    command = [ROOT / "deploy" / "entrypoint.sh", "worker"]
    environment = {"PATH": f"{bin_dir}:{os.defpath}"} | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr


def told(bin_dir: Path, **environment: str) -> str:
    """What a web process says before it begins."""
    command = [ROOT / "deploy" / "entrypoint.sh", "web"]
    done = subprocess.run(
        command, env={"PATH": f"{bin_dir}:{os.defpath}"} | environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [DOCUMENTED["web"]]
    return done.stderr


def test_a_worker_without_its_model_does_not_start(bin_dir: Path, tmp_path: Path) -> None:
    (bin_dir / "python").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(subprocess.CalledProcessError) as failure:
        started(bin_dir, "worker", STT_ENGINE="whisper", STT_MODEL_DIR=str(tmp_path))
    assert failure.value.stdout == ""


def test_what_is_installed_is_what_is_listed() -> None:
    """torch, which silero-vad asks for, stays out of what is deployed; pip would add it."""
    for install in re.findall(r"pip install .*requirements.*", DOCKERFILE):
        assert "--no-deps" in install
    deployed = [path for path in (ROOT / "requirements").glob("*.txt") if path.stem not in {"dev", "cuda"}]
    for requirements in deployed:
        assert not re.search(r"^(torch|nvidia-\S+)==", requirements.read_text(), re.MULTILINE)


@pytest.mark.parametrize("asked", sorted((ROOT / "requirements").glob("*.in")), ids=lambda path: path.stem)
def test_what_is_asked_for_is_listed(asked: Path) -> None:
    """At that version: torch too where the tests want it, which `requirements/compile` leaves out elsewhere."""
    wanted = {line.split("#")[0].strip().lower() for line in asked.read_text().splitlines() if "==" in line}
    listed = asked.with_suffix(".txt").read_text().lower().splitlines()

    assert {re.sub(r"\[.*\]", "", requirement) for requirement in wanted} - set(listed) == set()
    assert asked.stem == "cuda" or not any(line.startswith("nvidia-") for line in listed)


def test_base_images_are_pinned() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE))
    bases = {
        re.sub(r"\$\{(\w+)\}", lambda name: defaults[name[1]], base)
        for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    }
    assert {base for base in bases - stages if not re.search(r":\d+\.\d+\.\d+-", base)} == set()


@pytest.mark.parametrize("target", ["web", "worker", "all-in-one"])
def test_what_runs_is_not_root(target: str) -> None:
    (stage,) = re.findall(rf"^FROM \S+ AS {target}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE)[-1:] == ["10001:10001"]


@pytest.mark.parametrize("source", sorted(set(COPIED)))
def test_what_is_copied_exists_and_is_let_into_the_build(source: str) -> None:
    allowed = [line[1:] for line in DOCKERIGNORE if line.startswith("!")]
    assert (ROOT / source).exists()
    assert any(source == path or (path.endswith("/") and source.startswith(path)) for path in allowed)


@pytest.mark.parametrize(
    ("target", "module"), [("web", "transcription.cluster.scripts"), ("worker", "workers.bootstrap")]
)
def test_scripts_for_redis_are_in_the_image(tmp_path: Path, target: str, module: str) -> None:
    """What reads them when it is imported finds them among the files that are copied and not ignored."""
    (stage,) = re.findall(rf"^FROM \S+ AS {target}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    ignored = [line.removeprefix("**/").rstrip("/") for line in DOCKERIGNORE if line.startswith("**/")]
    for folder in re.findall(r"^COPY (\w+/) \1$", stage, re.MULTILINE):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns(*ignored))
    command = [sys.executable, "-c", f"import {module}; print({module}.__file__)"]
    found = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert found.startswith(str(tmp_path))


def test_the_model_is_downloaded_with_the_copied_files_alone(tmp_path: Path) -> None:
    copied = re.findall(
        r"^COPY (.+) workers/(?:engines/)?$", DOCKERFILE.partition(" AS model")[2].partition("\nFROM")[0], re.M
    )
    for source in " ".join(copied).split():
        copy = tmp_path / source
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes((ROOT / source).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "workers.engines.model_store", "--help"], cwd=tmp_path, check=True, capture_output=True
    )


class Health(BaseHTTPRequestHandler):
    """Alive, not ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/live" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def health(port: int, *arguments: str) -> int:
    command = [sys.executable, ROOT / "deploy" / "healthcheck.py", *arguments]
    return subprocess.run(command, env={"STT_PORT": str(port)}, check=False).returncode


def test_healthcheck_is_let_in_whatever_hosts_are_allowed(echo_stack: Stack) -> None:
    with echo_stack.another_web(ALLOWED_HOSTS="stt.example.com"):
        assert health(echo_stack.ports[-1]) == 0
        assert health(echo_stack.ports[-1], "/health/ready") == 0


def test_healthcheck_fails_when_the_answer_is_no_or_none(port: int) -> None:
    assert health(port) == 0
    assert health(port, "/health/ready") == 1
    assert health(1) == 1


def worker_health(redis_url: str) -> int:
    command = [sys.executable, ROOT / "deploy" / "healthcheck.py", "worker"]
    return subprocess.run(command, env={"STT_REDIS_URL": redis_url}, check=False).returncode


def test_a_worker_is_healthy_while_its_heartbeat_is_heard(echo_stack: Stack) -> None:
    assert worker_health(echo_stack.redis_url) == 0
    elsewhere = echo_stack.redis_url.removesuffix("/0") + "/1"
    assert worker_health(elsewhere) == 1
    with redis.Redis.from_url(elsewhere) as client:
        client.sadd("stt:workers", f"{socket.gethostname()}-1", "another-host-1")
        client.set("stt:worker:another-host-1", "{}")
    assert worker_health(elsewhere) == 1
    assert worker_health("redis://127.0.0.1:1/0") == 1


def test_draining_asks_with_the_token() -> None:
    """Metrics are closed to others."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Bearer t0ken"
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(b"stt_sessions_active 3.0\n" if known else b"{}")

    with HTTPServer(("127.0.0.1", 0), Metrics) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        environment = {"STT_PORT": str(server.server_port), "STT_STATUS_TOKEN": "t0ken"}
        command = [sys.executable, ROOT / "deploy" / "drain.py", "0"]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (1, "3 sessions are still under way\n")


def test_what_is_not_known_to_be_drained_is_not() -> None:
    """Another port, a token that is not given: it would be stopped with its sessions."""

    def drain(port: int) -> tuple[int, str]:
        command = [sys.executable, ROOT / "deploy" / "drain.py", "0"]
        done = subprocess.run(command, env={"STT_PORT": str(port)}, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    class Closed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

    nobodys = free_port()
    with HTTPServer(("127.0.0.1", 0), Closed) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        status, told = drain(server.server_port)

    assert (status, "set STT_STATUS_TOKEN" in told) == (1, True)
    status, told = drain(nobodys)
    assert (status, f"nothing listens on 127.0.0.1:{nobodys}: set STT_PORT" in told) == (1, True)


async def test_draining_waits_for_the_sessions_of_the_process(echo_stack: Stack) -> None:
    """It fails while one is under way, and is done at once when the last has ended."""
    command = [sys.executable, ROOT / "deploy" / "drain.py", "0"]
    environment = {"STT_PORT": str(echo_stack.ports[0])}

    async with Talker(echo_stack.ws_url) as talker:
        await talker.start()
        waiting = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        await talker.end()
    drained = subprocess.run(command, env=environment, check=False)

    assert (waiting.returncode, waiting.stderr) == (1, "1 sessions are still under way\n")
    assert drained.returncode == 0
