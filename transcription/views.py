"""Service info, probes and metrics. Sync views: Django runs each in a thread, away from the sockets."""

import time
from collections.abc import Callable
from functools import wraps

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import get_script_prefix
from django.utils.cache import patch_vary_headers
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import REGISTRY

from transcription.cluster.capacity import Cluster, probe_client, read_cluster, read_gave_up
from transcription.core.capacity.admission import decide, shutting_down
from transcription.core.capacity.load import estimated_max_concurrent, load_percent
from transcription.core.config import Limits
from transcription.core.contract.heartbeat import GaveUp
from transcription.core.languages import LANGUAGES
from transcription.ingress import draining
from transcription.ingress.probes import any_host

VERSION = "0.1.0"

View = Callable[[HttpRequest], HttpResponse]


def behind_token(view: View) -> View:
    """With `STT_STATUS_TOKEN` set, a view answers those who send it as a bearer token, and others 401."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        wanted = f"Bearer {settings.STT.status_token}".encode()
        given = request.headers.get("Authorization", "").encode()
        if settings.STT.status_token and not constant_time_compare(given, wanted):
            message = "Expected Authorization: Bearer <STT_STATUS_TOKEN>"
            return JsonResponse({"error": message}, status=401, headers={"WWW-Authenticate": "Bearer"})
        return view(request)

    return guarded


@csrf_exempt
@require_safe
def root(request: HttpRequest) -> HttpResponse:
    """The page for who asks for HTML before anything else, as browsers do; service info for everybody else."""
    html = request.get_preferred_type(["application/json", "text/html"]) == "text/html"
    response = page(request) if html else JsonResponse(info())
    patch_vary_headers(response, ["Accept"])
    return response


def info() -> dict[str, object]:
    """The service's name, version and model, and the paths of its other pages."""
    here = get_script_prefix()
    return {
        "service": "whisper-stt",
        "version": VERSION,
        "model": settings.STT.whisper_model,
        "language": settings.STT.language,
        "websocket": f"{here}ws/stt",
        "health": [f"{here}health/{page}" for page in ("live", "startup", "ready", "status")],
        "metrics": f"{here}metrics",
        "auth": settings.STT.auth,
    }


def page(request: HttpRequest) -> HttpResponse:
    """The page to try the service on. It may load and reach nothing but this service."""
    shown = info() | {"session": settings.STT.session, "languages": sorted(LANGUAGES)}
    response = render(request, "transcription/page.html", shown)
    # browsers differ in whether 'self' covers the WebSocket of the same host
    sockets = " ".join(f"{scheme}://{request.get_host()}" for scheme in ("ws", "wss"))
    response["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response["Permissions-Policy"] = "microphone=(self)"
    return response


@any_host
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers at all."""
    return JsonResponse({"status": "alive"})


@any_host
@require_safe
def startup(request: HttpRequest) -> JsonResponse:
    """The database is migrated and reachable, and so is Redis; a model may still be loading."""
    return _probe({"redis": _ping_redis, "database": _ping_database}, "started", "starting")


@any_host
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Sessions can be served: Redis and the database answer, a worker has its model loaded, the process stays."""
    if draining.began.is_set():
        return JsonResponse({"status": "not_ready", "checks": {"draining": shutting_down().message}}, status=503)
    return _probe({"redis": _ping_redis, "database": _ping_database, "worker": _ping_worker}, "ready", "not_ready")


@any_host
@require_safe
@behind_token
def status(request: HttpRequest) -> JsonResponse:
    """The cluster at this moment; 503 when Redis cannot be reached."""
    try:
        picture, gave_up = read_cluster(probe_client()), read_gave_up(probe_client())
    except redis.RedisError as error:
        return JsonResponse({"status": "unavailable", "accepting_requests": False, "error": str(error)}, status=503)
    return JsonResponse(describe(picture, gave_up, settings.STT.limits))


@any_host
@require_safe
@behind_token
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus exposition of this process, the cluster and its workers.

    In OpenMetrics' format, which has exemplars, where segments are traced and it is asked for.
    """
    if settings.STT.otlp_endpoint and "application/openmetrics-text" in request.headers.get("Accept", ""):
        return HttpResponse(openmetrics.generate_latest(REGISTRY), content_type=openmetrics.CONTENT_TYPE_LATEST)
    return ExportToDjangoView(request)


@any_host
def websocket(request: HttpRequest, **path: str) -> JsonResponse:
    """A socket's path, asked for without asking for a socket (RFC 9110, 15.5.22)."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    return JsonResponse({"error": "Expected a WebSocket handshake"}, status=426, headers=headers)


def describe(picture: Cluster, gave_up: list[GaveUp], limits: Limits) -> dict[str, object]:
    """`/health/status`, as docs/protocol.md has it."""
    load, worker = picture.load, next(iter(picture.workers), None)
    accepting = decide(load, limits) is None
    capacity = estimated_max_concurrent(load, limits)
    return {
        "status": "ready" if worker else "not_ready",
        "accepting_requests": accepting,
        "model": {
            "model_size": worker.model if worker else settings.STT.whisper_model,
            "device": worker.device if worker else settings.STT.device,
            "compute_type": worker.compute_type if worker else settings.STT.compute_type,
            "ready": worker is not None,
        },
        "queue": {
            "depth": load.depth,
            "avg_partial_ms": round(load.avg_partial_ms, 1),
            "avg_final_ms": round(load.avg_final_ms, 1),
            "estimated_server_total_ms": load.estimated_server_total_ms,
            "accepting_requests": accepting,
            "total_requests": picture.total_requests,
            "rejected_requests": picture.rejected_requests,
        },
        "sessions": {"active": load.sessions, "max": limits.max_sessions},
        "capacity": {
            "estimated_max_concurrent": capacity,
            "current_load_percent": round(load_percent(load, capacity), 1),
            "step": load.step,
        },
        "workers": {
            "ready": load.workers,
            "gave_up": [
                {"worker": one.worker_id, "reason": one.reason, "seconds_ago": max(round(time.time() - one.at), 0)}
                for one in gave_up
            ],
        },
    }


def _probe(pings: dict[str, Callable[[], None]], good: str, bad: str) -> JsonResponse:
    """Run every ping and report all, not only the first that fails."""
    failures = {}
    for name, ping in pings.items():
        try:
            ping()
        except (redis.RedisError, DatabaseError, LookupError) as error:
            failures[name] = str(error) or type(error).__name__
    checks = {name: failures.get(name, "ok") for name in pings}
    return JsonResponse({"status": bad if failures else good, "checks": checks}, status=503 if failures else 200)


def _ping_redis() -> None:
    probe_client().ping()


def _ping_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM transcription_session LIMIT 1")


def _ping_worker() -> None:
    if not read_cluster(probe_client()).workers:
        last = "".join(f"; the last one gave up: {one.reason}" for one in read_gave_up(probe_client())[:1])
        raise LookupError(f"no worker has its model loaded{last}")
