"""Every metric of the web process, in one place. `docs/metrics.md` lists them; a test holds it to this file."""

import logging
from collections.abc import Iterator

import redis
from django.conf import settings
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY, Collector

from transcription.capacity import Cluster, probe_client, read_cluster
from transcription.core.load import estimated_max_concurrent

logger = logging.getLogger(__name__)

STAGES = ("preprocess", "queue_wait", "inference", "postprocess", "server_total")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)

sessions_active = Gauge("stt_sessions_active", "Sessions of this process")
talkers_active = Gauge("stt_talkers_active", "Sessions of this process with an utterance open")
sessions_total = Counter("stt_sessions_total", "Sessions ended, by reason", ["reason"])
handshakes_total = Counter("stt_handshakes_total", "WebSocket handshakes, by outcome", ["outcome"])
admissions_total = Counter("stt_admissions_total", "Answers to start_session", ["outcome"])
errors_total = Counter("stt_errors_total", "Error messages sent, by code", ["code"])
audio_seconds_total = Counter("stt_audio_seconds_total", "Audio received")
jobs_total = Counter("stt_jobs_total", "Jobs by kind and outcome, as the web process sees them", ["kind", "outcome"])
# there from the start, so that the first of them is a rise that Prometheus sees
for _code in ("MAX_SESSIONS_REACHED", "QUEUE_FULL", "QUEUE_CONGESTION", "SESSION_EXISTS"):
    admissions_total.labels(_code)
for _outcome in ("no_key", "bad_key", "origin", "unavailable"):
    handshakes_total.labels(_outcome)
for _kind in ("partial", "final"):
    jobs_total.labels(_kind, "resent")
stage_seconds = Histogram("stt_stage_seconds", "Latency of transcripts by stage", ["kind", "stage"], buckets=_SECONDS)
final_predicted_seconds = Histogram(
    "stt_final_predicted_seconds", "What finals were predicted to take when they were sent", buckets=_SECONDS
)
final_actual_seconds = Histogram("stt_final_actual_seconds", "What the same finals took", buckets=_SECONDS)
speculations_total = Counter(
    "stt_speculations_total", "Finals decoded ahead of the endpoint: used (hit) or not (miss)", ["outcome"]
)
input_pauses_total = Counter("stt_input_pauses_total", "Times a client was not read from, its messages waiting")
slow_readers_total = Counter("stt_slow_readers_total", "Connections closed because the client did not read")
connections_refused_total = Counter("stt_connections_refused_total", "Handshakes refused at STT_MAX_CONNECTIONS")
bodies_refused_total = Counter("stt_bodies_refused_total", "HTTP requests refused for a body over 1 MiB")
publish_seconds = Histogram("stt_publish_seconds", "Publishing one job", buckets=_SECONDS)
unstored_bytes = Gauge("stt_unstored_audio_bytes", "Audio of this process not yet in Redis")
records_pending = Gauge("stt_records_pending", "Audit records not yet in the database")
records_lost_total = Counter("stt_records_lost_total", "Audit records that could not be written")


class ClusterCollector(Collector):
    """The cluster's figures, read from Redis at scrape time, and the workers' own metrics with their `worker`."""

    def describe(self) -> list[Metric]:
        """Nothing: else registering would collect, and starting would wait for Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Nothing but `stt_redis_up 0` when Redis cannot be reached."""
        try:
            picture = read_cluster(probe_client())
        except redis.RedisError as error:
            logger.warning("Metrics cannot reach Redis: %s", error)
            yield _gauge("stt_redis_up", "Whether Redis answers", 0)
            return
        load = picture.load
        yield _gauge("stt_redis_up", "Whether Redis answers", 1)
        yield _gauge("stt_redis_memory_ratio", "Redis' memory in use, of its maxmemory; 0 without one", load.memory)
        yield _gauge("stt_queue_depth", "Jobs waiting and running, cluster-wide", load.depth)
        yield _gauge("stt_cluster_sessions", "Sessions, cluster-wide", load.sessions)
        yield _gauge("stt_workers_ready", "Workers with a loaded model", load.workers)
        yield _gauge(
            "stt_estimated_server_total_ms", "What a final submitted now would take", load.estimated_server_total_ms
        )
        yield _gauge(
            "stt_estimated_max_concurrent",
            "Jobs that may wait and run, cluster-wide, before a final would take longer than allowed",
            estimated_max_concurrent(load, settings.STT.limits),
        )
        yield _gauge("stt_admission_step", "How far load is shed: 0 not at all, 5 new sessions are refused", load.step)
        yield from _worker_metrics(picture)


def _gauge(name: str, text: str, value: float) -> Metric:
    metric = Metric(name, text, "gauge")
    metric.add_sample(name, {}, value)
    return metric


def _worker_metrics(picture: Cluster) -> Iterator[Metric]:
    families: dict[str, Metric] = {}
    for worker in picture.workers:
        for family in text_string_to_metric_families(worker.metrics):
            merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                merged.add_sample(sample.name, {**sample.labels, "worker": worker.worker_id}, sample.value)
    yield from families.values()


def register() -> None:
    """Add the cluster's figures to the process's registry."""
    REGISTRY.register(ClusterCollector())
