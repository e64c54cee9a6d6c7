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
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import redis
from celery import signals
from celery.worker import WorkController
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from transcription.core.contract.heartbeat import HEARTBEAT_S, MAX_GAVE_UP, GaveUp, Heartbeat
from transcription.core.contract.jobs import Kind
from transcription.core.contract.keyspace import GAVE_UP_KEY, GAVE_UP_TTL_S, HEARTBEAT_TTL_S, WORKERS_KEY, worker_key
from workers import intake, metrics
from workers.decoder import UnfitError, sentence
from workers.engines.engine import Engine, EngineError
from workers.engines.model_store import ModelUnavailable, resolve, turn_model
from workers.turns import TurnJudge
from workers.worker import Worker

logger = logging.getLogger(__name__)

ANNOUNCE = (resources.files("workers") / "lua" / "announce.lua").read_text()

UNFIT_EXIT = 70
"""Exit status of a worker whose model hangs or fails (sysexits.h EX_SOFTWARE)."""


TURN_THREADS = 4
"""Each judges some twenty pauses a second."""


@signals.worker_init.connect
def start(sender: WorkController, **_: Any) -> None:
    """Load the model and give the tasks their worker, `app.stt_worker`; exits with one sentence when it cannot."""
    stt = settings.STT
    client = _client(retries=1)
    began, name = time.monotonic(), worker_id()
    logger.info("Loading %s on %s", stt.whisper_model, stt.device)
    try:
        lanes = stt.lanes or (os.cpu_count() or 1 if stt.device == "cpu" else 1)
        engine = _engine(lanes)
        worker = Worker(engine, client, name, lanes, _turn_judge())
        worker.warm_up(stt.language, stt.beam_size)
    except Exception as error:  # whatever a model, a driver or a library raises: Celery would log it and wait for ever
        known = isinstance(error, EngineError | ModelUnavailable | UnfitError)
        logger.debug("The model is of no use", exc_info=True)
        reason = str(error) if known else f"The model cannot be used: {sentence(error)}"
        leave_word(client, name, reason)
        raise SystemExit(reason) from None
    metrics.model_info.labels(stt.whisper_model, engine.device, engine.compute_type).set(1)
    logger.info("Model ready after %.1f s", time.monotonic() - began)
    sender.app.stt_worker = worker
    # of the task threads one is kept for people who speak
    intake.install(worker.decoder.yielding, min(worker.decoder.yielding.most, max(stt.worker_threads - 1, 1)))
    retiring = threading.Event()
    # Celery holds the function weakly unless told otherwise
    signals.worker_shutting_down.connect(lambda **_: retiring.set(), weak=False)
    threading.Thread(target=_beat, args=(worker, retiring), name="heartbeat", daemon=True).start()


def _client(retries: int) -> redis.Redis:
    client: redis.Redis = settings.STT.redis.client(
        socket_timeout=2.0,
        socket_connect_timeout=1.0,
        socket_keepalive=True,
        health_check_interval=5,
        retry=Retry(NoBackoff(), retries),
    )
    return client


def worker_id() -> str:
    """A name that no worker had before, not even this container's last one: claims go by it."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


def leave_word(client: redis.Redis, worker_id: str, reason: str) -> None:
    """Tell the cluster that a worker is gone and why: its claims are a dead worker's at once."""
    last = GaveUp(worker_id=worker_id, reason=reason, at=time.time())
    try:
        with client.pipeline() as pipe:
            pipe.delete(worker_key(worker_id))
            pipe.srem(WORKERS_KEY, worker_id)
            pipe.lpush(GAVE_UP_KEY, msgspec.json.encode(last))
            pipe.ltrim(GAVE_UP_KEY, 0, MAX_GAVE_UP - 1)
            pipe.expire(GAVE_UP_KEY, GAVE_UP_TTL_S)
            pipe.execute()
    except redis.RedisError as error:
        logger.warning("The cluster cannot be told: %s", error)


def _engine(lanes: int) -> Engine:
    stt = settings.STT
    if stt.engine == "echo":
        from workers.engines import echo, pace  # an engine is imported only where it is used

        if not stt.echo_pace:
            return echo.EchoEngine(stt.echo_decode_ms)
        try:
            return echo.PacedEngine(pace.read(Path(stt.echo_pace).expanduser()), stt.max_batch, stt.min_final_window_s)
        except ValueError as error:
            raise EngineError(f"STT_ECHO_PACE: {error}", retryable=False) from None
    from workers.engines.whisper import WhisperEngine

    model = resolve(stt.whisper_model, stt.model_dir, stt.cache_dir)
    return WhisperEngine(
        model,
        stt.device,
        stt.compute_type,
        cpu_threads=stt.cpu_threads,
        lanes=lanes,
        max_batch=stt.max_batch,
        least_final_window_s=stt.min_final_window_s,
    )


def _turn_judge() -> TurnJudge | None:
    if not settings.STT.turn_model:
        return None
    from workers.engines.smart_turn import SmartTurn

    return TurnJudge(SmartTurn(turn_model(settings.STT.turn_model)), min(os.cpu_count() or 1, TURN_THREADS))


def _beat(worker: Worker, retiring: threading.Event) -> None:
    """Say that the worker is there until the process ends; once `retiring`, that it is not to be counted on."""
    stt = settings.STT
    client = _client(retries=0)  # an error is news, and the next beat is the next try
    announce, ttl_ms = client.register_script(ANNOUNCE), round(HEARTBEAT_TTL_S * 1000)
    while True:
        if reason := worker.decoder.why_unfit(stt.decode_timeout_s):
            # a thread in the model cannot be stopped; whoever started this process starts another
            logger.critical("The worker gives up: %s", reason)
            leave_word(client, worker.worker_id, reason)
            logging.shutdown()
            os._exit(UNFIT_EXIT)
        beat = Heartbeat(
            worker_id=worker.worker_id,
            model=stt.whisper_model,
            device=worker.engine.device,
            compute_type=worker.engine.compute_type,
            threads=stt.worker_threads,
            lanes=worker.lanes,
            max_batch=worker.engine.max_batch,
            avg_partial_ms=worker.costs[Kind.PARTIAL].average_ms,
            avg_final_ms=worker.costs[Kind.FINAL].average_ms,
            partial_cost=worker.costs[Kind.PARTIAL].cost(),
            final_cost=worker.costs[Kind.FINAL].cost(),
            handling_ms=worker.handling_ms.value,
            final_rate=worker.finals.at(time.perf_counter()),
            tally=worker.tally.now,
            metrics=metrics.exposition(),
        )
        leaves = retiring.is_set()
        try:
            keys = [worker_key(worker.worker_id), WORKERS_KEY]
            announce(keys, [worker.worker_id, msgspec.json.encode(beat), ttl_ms, int(leaves)])
            worker.disclaim()
        except redis.RedisError as error:
            logger.warning("Heartbeat cannot reach Redis: %s", error)
            worker.publisher.reconnect()
        # while it finishes what it has, it is not counted on, but its claims are a living worker's
        time.sleep(HEARTBEAT_S) if leaves else retiring.wait(HEARTBEAT_S)
