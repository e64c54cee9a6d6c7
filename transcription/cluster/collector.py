"""Metrics read from Redis at each scrape: the cluster's, and the workers' own. `docs/metrics.md` lists them."""

import logging
from collections.abc import Iterator

import redis
from django.conf import settings
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY, Collector

from transcription.cluster.capacity import Cluster, probe_client, read_cluster, read_gave_up
from transcription.core.capacity.load import estimated_max_concurrent

logger = logging.getLogger(__name__)


class ClusterCollector(Collector):
    """The cluster's figures, read from Redis at scrape time, and the workers' own metrics with their `worker`."""

    def describe(self) -> list[Metric]:
        """Nothing: else registering would collect, and starting would wait for Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Nothing but `stt_redis_up 0` when Redis cannot be reached."""
        try:
            picture, gave_up = read_cluster(probe_client()), read_gave_up(probe_client())
        except redis.RedisError as error:
            logger.warning("Metrics cannot reach Redis: %s", error)
            yield _gauge("stt_redis_up", "Whether Redis answers", 0)
            return
        load = picture.load
        yield _gauge("stt_redis_up", "Whether Redis answers", 1)
        yield _gauge("stt_redis_memory_ratio", "Redis' memory in use, of its maxmemory; 0 without one", load.memory)
        yield _gauge("stt_queue_depth", "Jobs waiting and running, cluster-wide", load.depth)
        yield _gauge(
            "stt_recorded_jobs",
            "Finals of recordings waiting and running, cluster-wide",
            load.waiting_recorded + load.running_recorded,
        )
        yield _gauge("stt_cluster_sessions", "Sessions, cluster-wide", load.sessions)
        yield _gauge("stt_workers_ready", "Workers with a loaded model", load.workers)
        yield _gauge(
            "stt_workers_gave_up", "Workers that ended in the last hour as they could not decode", len(gave_up)
        )
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
            # when a series began is a family of its own in the text format, and part of the series in OpenMetrics'
            merged = families.get(family.name.removesuffix("_created")) or families.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            for sample in family.samples:
                merged.add_sample(sample.name, {**sample.labels, "worker": worker.worker_id}, sample.value)
    for family in families.values():
        family.samples.sort(key=lambda sample: sorted(label for label in sample.labels.items() if label[0] != "le"))
        yield family


def register() -> None:
    """Add the collector to the process's registry, once."""
    REGISTRY.register(ClusterCollector())
