"""What is shown once everything runs: where, what, how to try it and how to stop it."""

import socket
import sys
from pathlib import Path

from sttproject import env
from sttproject.checks import is_loopback
from sttproject.settings import BASE_DIR

PROFILES = {
    "cpu": "No CUDA device: embedded profile (small model, CPU latency limits).",
    "cuda": "CUDA device: GPU profile (large-v3-turbo, float16; the default model knows English only).",
}


def reached_at(host: str) -> str:
    """What to write in URLs, on this machine, for an address that is listened on."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def banner(stt: env.Env, address: str, is_profile: bool, redis_from: str) -> str:
    profile = f"\n  {PROFILES[stt.device]} Set STT_* to choose otherwise." if is_profile else ""
    return f"""
────────────────────────────────────────────────────────────────────────
  Whisper STT is ready.{profile}

  Page        http://{address}:{stt.port}/   (open it in a browser and talk)
  WebSocket   ws://{address}:{stt.port}/ws/stt   (listening on {stt.host}){_open(stt)}
  Status      http://{address}:{stt.port}/health/status
  Admin       http://{address}:{stt.port}/admin/{_first_admin()}
  Model       {stt.whisper_model}, {stt.device}, {stt.compute_type}, language {stt.language}
  Redis       {redis_from}{_keys(stt)}

  Try it      {_trial(stt, address)}
  Stop it     Ctrl-C
────────────────────────────────────────────────────────────────────────"""


def _open(stt: env.Env) -> str:
    """That anybody on the network may use it, where that is so, with the settings that close it."""
    if stt.auth == "required" or is_loopback(stt.host):
        return ""
    key = f"\n  A key       {_manage('createapikey NAME')}" if _is_image() else ""
    return (
        "\n  Open        to whoever reaches this machine. To close it: STT_HOST=127.0.0.1 (this machine alone), or "
        f"STT_AUTH=required (API keys){key}"
    )


def _keys(stt: env.Env) -> str:
    """How to make one, where clients need it."""
    return f"\n  API keys    required: {_manage('createapikey NAME')}" if stt.auth == "required" else ""


def _trial(stt: env.Env, address: str) -> str:
    """What to do first: with the client that `make run` installs, or, in an image, with the page."""
    if _is_image():
        return "open the page, and talk or drop a recording on it"
    url = f"ws://{address}:{stt.port}/ws/stt"
    elsewhere = "" if url == "ws://127.0.0.1:8000/ws/stt" else f" --url {url}"
    client = _typed(Path(sys.executable).with_name("whisper-stt"))
    return f"{client} transcribe tests/audio/s13_pm_alex.wav{elsewhere}"


def _manage(command: str) -> str:
    """A command of `manage.py`, as one would type it: outside of a container, which has its id for a name."""
    inside = f"docker exec -it {socket.gethostname()} " if _is_image() else ""
    return f"{inside}{_typed(Path(sys.executable))} manage.py {command}"


def _is_image() -> bool:
    """Whether this is an image, not a checkout: what is not needed to run is left out there (`.dockerignore`)."""
    return not (BASE_DIR / "tests").exists()


def _typed(program: Path) -> Path:
    return program.relative_to(BASE_DIR) if program.is_relative_to(BASE_DIR) else Path(program.name)


def _first_admin() -> str:
    """How to make one, where there is none yet."""
    from django.contrib.auth import get_user_model  # needs the app registry, which tests of this module do not
    from django.db import connection

    there_is_one = get_user_model().objects.filter(is_superuser=True, is_active=True).exists()
    connection.close()
    return "" if there_is_one else f"   (nobody can log in yet: {_manage('createsuperuser')})"
