"""Clusters to break. A module's tests share one and leave it as they found it: two workers, two web processes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reliability.cluster import Cluster
from tests.system.stack import ECHO

SETTINGS = ECHO | {
    "STT_ECHO_DECODE_MS": "250",
    "STT_MAX_QUEUE_DEPTH": "1000",
    "STT_MAX_ESTIMATED_SERVER_TOTAL_MS": "15000",
    # an answer that is late by this rule alone is late
    "STT_RESULT_TIMEOUT_S": "120",
}


@pytest.fixture(scope="module")
def start_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cluster]]:
    """Start clusters that end with the module."""
    clusters = []

    def start(settings: dict[str, str] | None = None, *, workers: int = 2, webs: int = 2, **options: Any) -> Cluster:
        clusters.append(cluster := Cluster(tmp_path_factory.mktemp("chaos"), SETTINGS | (settings or {}), **options))
        for _ in range(workers):
            cluster.start_worker()
        for _ in range(webs):
            cluster.start_web()
        return cluster

    yield start
    for cluster in clusters:
        cluster.close()
