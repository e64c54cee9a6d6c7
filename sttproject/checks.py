"""Configuration that cannot be right, found by `manage.py check` before traffic does."""

import sys
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from sttproject import env, telemetry

ENGLISH_ONLY = "stt.W001"
ENGLISH_ONLY_HINT = (
    "For Portuguese set STT_WHISPER_MODEL=large-v3-turbo (on a CPU: base or small; make run takes base by itself)."
)


def is_english_only(model: str) -> bool:
    """Whether a model's name says that it knows English alone (`distil-*` and `*.en`)."""
    name = model.rstrip("/").rsplit("/", 1)[-1].lower()
    return name.endswith(".en") or "distil-" in name


def problems(stt: env.Env) -> list[CheckMessage]:
    """What is wrong or doubtful with a configuration."""
    found: list[CheckMessage] = []
    if stt.engine == "whisper" and is_english_only(stt.whisper_model) and stt.language != "en":
        text = f"STT_WHISPER_MODEL={stt.whisper_model} knows English only, but STT_LANGUAGE is {stt.language}."
        found.append(checks.Warning(text, hint=ENGLISH_ONLY_HINT, id=ENGLISH_ONLY))
    if stt.device == "cpu" and stt.compute_type in {"float16", "bfloat16", "int8_float16", "int8_bfloat16"}:
        text = f"STT_COMPUTE_TYPE={stt.compute_type} needs a GPU, but STT_DEVICE is cpu."
        found.append(checks.Warning(text, hint="Set STT_COMPUTE_TYPE=int8 (or float32).", id="stt.W002"))
    found += [checks.Warning(text, id="stt.W003") for text in _contradictions(stt)]
    if stt.otlp_endpoint and not telemetry.is_installed():
        text = "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry's SDK is not installed: nothing is traced."
        found.append(checks.Warning(text, hint="pip install --no-deps -r requirements/otel.txt", id="stt.W005"))
    for name, meant in env.misspelt():
        found.append(
            checks.Warning(f"{name} is not a setting.", hint=f"Did you mean {meant}?" if meant else None, id="stt.W004")
        )
    return found


def _contradictions(stt: env.Env) -> list[str]:
    """Settings that undo each other."""
    pairs = [
        (
            stt.max_partial_window_s > stt.max_utterance_s,
            f"STT_MAX_PARTIAL_WINDOW_S={stt.max_partial_window_s:g} is longer than "
            f"STT_MAX_UTTERANCE_S={stt.max_utterance_s:g}: it limits nothing.",
        ),
        (
            stt.vad_min_speech_ms >= stt.max_utterance_s * 1000,
            f"STT_VAD_MIN_SPEECH_MS={stt.vad_min_speech_ms} is no shorter than STT_MAX_UTTERANCE_S.",
        ),
        (
            stt.vad_min_silence_ms >= stt.max_utterance_s * 1000,
            f"STT_VAD_MIN_SILENCE_MS={stt.vad_min_silence_ms} is no shorter than STT_MAX_UTTERANCE_S: "
            "utterances end by being cut.",
        ),
        (
            stt.turn_mode != "fixed" and not 0 < stt.speculate_ms < stt.vad_min_silence_ms,
            f"STT_TURN_MODE={stt.turn_mode} goes by the text that is decoded ahead, and "
            f"STT_SPECULATE_MS={stt.speculate_ms} has none in time: every utterance ends by silence.",
        ),
        (
            stt.max_frame_bytes / 32 > stt.max_buffer_ms,
            f"STT_MAX_FRAME_BYTES={stt.max_frame_bytes} holds more audio than STT_MAX_BUFFER_MS={stt.max_buffer_ms}: "
            "one long frame fills the buffer.",
        ),
        (
            stt.result_timeout_s * 1000 <= stt.max_estimated_server_total_ms,
            f"STT_RESULT_TIMEOUT_S={stt.result_timeout_s:g} is no longer than STT_MAX_ESTIMATED_SERVER_TOTAL_MS: "
            "finals are sent again before they can be answered.",
        ),
        (
            stt.worker_threads > stt.max_queue_depth,
            f"STT_WORKER_THREADS={stt.worker_threads} is more than STT_MAX_QUEUE_DEPTH={stt.max_queue_depth}: "
            "admission closes while threads are idle.",
        ),
        (
            bool(stt.fetch_networks) and not stt.fetch_urls,
            "STT_FETCH_NETWORKS allows networks, but STT_FETCH_URLS is off: nothing is fetched.",
        ),
        (
            bool(stt.webhook_networks) and not stt.webhook_hosts,
            "STT_WEBHOOK_NETWORKS allows networks, but STT_WEBHOOK_HOSTS allows no host: nothing is sent.",
        ),
    ]
    return [text for wrong, text in pairs if wrong]


@register()
def check_configuration(**_: Any) -> list[CheckMessage]:
    """The running configuration's `problems`, before each command of `manage.py`.

    That a model which nobody has chosen knows English only is told to who asks or installs, not to who makes a key or
    an admin: `make run` may have taken another.
    """
    asked = sys.argv[1:2] in (["check"], ["migrate"]) or env.is_set("whisper_model")
    return [problem for problem in problems(settings.STT) if asked or problem.id != ENGLISH_ONLY]


@register(deploy=True)
def check_deployment(**_: Any) -> list[CheckMessage]:
    """What must not go to production."""
    return deployment_problems(settings.STT)


def deployment_problems(stt: env.Env) -> list[CheckMessage]:
    """What is wrong with a configuration in production."""
    found: list[CheckMessage] = []
    if stt.secret_key == env.INSECURE_SECRET_KEY:
        hint = "Set SECRET_KEY to a long random string."
        found.append(Error("SECRET_KEY is the development one.", hint=hint, id="stt.E001"))
    if stt.auth == "off" and not stt.debug and not is_loopback(stt.host):
        text = f"STT_AUTH is off, and STT_HOST={stt.host} can be reached from elsewhere: whoever reaches it may use it."
        hint = "Set STT_AUTH=required and make keys with manage.py createapikey, or set STT_HOST=127.0.0.1."
        found.append(Error(text, hint=hint, id="stt.E002"))
    return found


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
