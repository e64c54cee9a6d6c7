"""The cluster's metrics at a scrape, of a real Valkey and of workers that are only heard of."""

import time

import msgspec
import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.processes import free_port
from tests.cluster.workers import announce
from transcription.cluster import collector
from transcription.cluster.collector import ClusterCollector
from transcription.core.contract import keyspace
from transcription.core.contract.heartbeat import GaveUp

EXPOSITION = """# HELP stt_worker_jobs_total Jobs
# TYPE stt_worker_jobs_total counter
stt_worker_jobs_total{kind="final"} %d
"""


def scrape(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    monkeypatch.setattr(collector, "probe_client", lambda: client)
    registry = CollectorRegistry()
    registry.register(ClusterCollector())
    lines = generate_latest(registry).decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_a_scrape_has_the_cluster_and_each_worker_s_own(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """One family of the workers' metrics, told apart by `worker`."""
    for worker_id, done in (("w1", 3), ("w2", 4)):
        announce(valkey, worker_id, metrics=EXPOSITION % done)
    valkey.rpush(keyspace.QUEUE, "a", "b")
    valkey.zadd(keyspace.SESSIONS_KEY, {"s": 9e9})
    valkey.rpush(keyspace.GAVE_UP_KEY, msgspec.json.encode(GaveUp(worker_id="w0", reason="no", at=time.time())))
    valkey.hset(keyspace.SHEDDING_KEY, "step", 2)
    found = scrape(valkey, monkeypatch)

    assert {name: found[name] for name in (
        "stt_redis_up", "stt_queue_depth", "stt_cluster_sessions", "stt_workers_ready", "stt_workers_gave_up",
        "stt_admission_step", "stt_redis_memory_ratio",
    )} == {
        "stt_redis_up": 1, "stt_queue_depth": 2, "stt_cluster_sessions": 1, "stt_workers_ready": 2,
        "stt_workers_gave_up": 1, "stt_admission_step": 2, "stt_redis_memory_ratio": 0,
    }  # fmt: skip
    assert found['stt_worker_jobs_total{kind="final",worker="w1"}'] == 3
    assert found['stt_worker_jobs_total{kind="final",worker="w2"}'] == 4


def test_a_redis_that_is_away_is_a_figure_and_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process counts itself is still scraped."""
    found = scrape(redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0)), monkeypatch)

    assert found == {"stt_redis_up": 0}
