"""Service info, probes and metrics. Sync views: Django runs each in a thread, away from the sockets."""

from collections.abc import Callable
from functools import wraps

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from transcription import draining
from transcription.capacity import Cluster, probe_client, read_cluster
from transcription.core.admission import decide, shutting_down
from transcription.core.config import Limits
from transcription.core.languages import LANGUAGES
from transcription.core.load import estimated_max_concurrent

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


@require_safe
def root(request: HttpRequest) -> HttpResponse:
    """The page for who asks for HTML before anything else, as browsers do; service info for everybody else."""
    html = request.get_preferred_type(["application/json", "text/html"]) == "text/html"
    response = page(request) if html else JsonResponse(info())
    patch_vary_headers(response, ["Accept"])
    return response


def info() -> dict[str, object]:
    """What this is and where to look."""
    return {
        "service": "whisper-stt",
        "version": VERSION,
        "model": settings.STT.whisper_model,
        "language": settings.STT.language,
        "websocket": "/ws/stt",
        "health": ["/health/live", "/health/startup", "/health/ready", "/health/status"],
        "metrics": "/metrics",
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


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "alive"})


@require_safe
def startup(request: HttpRequest) -> JsonResponse:
    """The database is migrated and reachable, and so is Redis; a model may still be loading."""
    return _probe({"redis": _ping_redis, "database": _ping_database}, "started", "starting")


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Sessions can be served: Redis and the database answer, a worker has its model loaded, the process stays."""
    if draining.began.is_set():
        return JsonResponse({"status": "not_ready", "checks": {"draining": shutting_down().message}}, status=503)
    return _probe({"redis": _ping_redis, "database": _ping_database, "worker": _ping_worker}, "ready", "not_ready")


@require_safe
@behind_token
def status(request: HttpRequest) -> JsonResponse:
    """The cluster at this moment; 503 when Redis cannot be reached."""
    try:
        picture = read_cluster(probe_client())
    except redis.RedisError as error:
        return JsonResponse({"status": "unavailable", "accepting_requests": False, "error": str(error)}, status=503)
    return JsonResponse(describe(picture, settings.STT.limits))


@require_safe
@behind_token
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus exposition of this process, the cluster and its workers."""
    return ExportToDjangoView(request)


def describe(picture: Cluster, limits: Limits) -> dict[str, object]:
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
            "current_load_percent": round(100 * load.depth / capacity, 1) if capacity else 100.0,
            "step": load.step,
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
        raise LookupError("no worker has its model loaded")
