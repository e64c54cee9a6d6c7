"""A worker's life: load and warm the model once, say so twice a second, stop saying so.

Celery's threads pool calls `worker_init` before any task is taken and blocks on it; loading belongs there (a prefork
pool would fork a CUDA context, see docs/decisions.md).
"""

import logging
import os
import secrets
import socket
import threading
import time
from typing import Any

import msgspec
import redis
from celery import signals
from django.conf import settings

from transcription.core.cluster import HEARTBEAT_S, HEARTBEAT_TTL_S, WORKERS_KEY, Heartbeat, worker_key
from transcription.core.jobs import Kind
from workers import metrics
from workers.engine import Engine, EngineError
from workers.model_store import ModelUnavailable, resolve
from workers.worker import Worker

logger = logging.getLogger(__name__)

# a worker counts even while Redis is full
_ANNOUNCE = """#!lua flags=allow-oom
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call(ARGV[4] == '1' and 'SREM' or 'SADD', KEYS[2], ARGV[2])
"""

STUCK_EXIT = 70
"""Exit status of a worker whose model hangs (sysexits.h EX_SOFTWARE)."""

_worker: Worker | None = None
_stop = threading.Event()


def current() -> Worker:
    """The process's worker."""
    assert _worker is not None, "worker_init has not run"
    return _worker


@signals.worker_init.connect
def start(**_: Any) -> None:
    """Load the model; the process exits with one sentence when it cannot."""
    global _worker  # noqa: PLW0603 - one worker a process, built by a signal and used by tasks
    stt = settings.STT
    client = redis.Redis.from_url(
        stt.redis_url, socket_timeout=2.0, socket_connect_timeout=1.0, socket_keepalive=True, health_check_interval=5
    )
    began = time.monotonic()
    logger.info("Loading %s on %s", stt.whisper_model, stt.device)
    try:
        lanes = stt.lanes or (os.cpu_count() or 1 if stt.device == "cpu" else 1)
        engine = _engine(lanes)
        _worker = Worker(engine, client, worker_id(), lanes)
        _worker.warm_up(stt.language, stt.beam_size)
    except (EngineError, ModelUnavailable) as error:
        raise SystemExit(str(error)) from None
    metrics.model_info.labels(stt.whisper_model, engine.device, engine.compute_type).set(1)
    logger.info("Model ready after %.1f s", time.monotonic() - began)
    threading.Thread(target=_beat, args=(_worker, client), name="heartbeat", daemon=True).start()


@signals.worker_shutting_down.connect
def retire(**_: Any) -> None:
    """Stop being counted on; jobs in hand are finished."""
    _stop.set()


def worker_id() -> str:
    """A name that no worker had before, not even this container's last one: claims go by it."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


def _engine(lanes: int) -> Engine:
    stt = settings.STT
    if stt.engine == "echo":
        from workers.echo import EchoEngine  # an engine is imported only where it is used

        return EchoEngine(stt.echo_decode_ms)
    from workers.whisper import WhisperEngine

    model = resolve(stt.whisper_model, stt.model_dir, stt.cache_dir)
    return WhisperEngine(
        model, stt.device, stt.compute_type, cpu_threads=stt.cpu_threads, lanes=lanes, max_batch=stt.max_batch
    )


def _beat(worker: Worker, client: redis.Redis) -> None:
    stt = settings.STT
    announce, ttl_ms = client.register_script(_ANNOUNCE), round(HEARTBEAT_TTL_S * 1000)
    while True:
        if (stuck_s := worker.stuck_s()) > stt.decode_timeout_s:
            # a thread in the model cannot be stopped; whoever started this process starts another
            logger.critical("A decode has taken %.0f s, the worker gives up", stuck_s)
            logging.shutdown()
            os._exit(STUCK_EXIT)
        beat = Heartbeat(
            worker_id=worker.worker_id,
            model=stt.whisper_model,
            device=worker.engine.device,
            compute_type=worker.engine.compute_type,
            threads=stt.worker_threads,
            lanes=worker.lanes,
            max_batch=worker.engine.max_batch,
            avg_partial_ms=worker.costs[Kind.PARTIAL].average_ms.value,
            avg_final_ms=worker.costs[Kind.FINAL].average_ms.value,
            partial_cost=worker.costs[Kind.PARTIAL].cost(),
            final_cost=worker.costs[Kind.FINAL].cost(),
            handling_ms=worker.handling_ms.value,
            final_rate=worker.finals.at(time.perf_counter()),
            metrics=metrics.exposition(),
        )
        retiring = _stop.is_set()
        try:
            keys = [worker_key(worker.worker_id), WORKERS_KEY]
            announce(keys, [msgspec.json.encode(beat), worker.worker_id, ttl_ms, int(retiring)])
            worker.disclaim()
        except redis.RedisError as error:
            logger.warning("Heartbeat cannot reach Redis: %s", error)
        # while it finishes what it has, it is not counted on, but its claims are a living worker's
        time.sleep(HEARTBEAT_S) if retiring else _stop.wait(HEARTBEAT_S)
