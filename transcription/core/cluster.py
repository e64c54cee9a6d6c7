"""What the cluster shares in Redis besides audio and jobs: who is live, who works, what has been counted."""

import msgspec

HEARTBEAT_S = 1.0
HEARTBEAT_TTL_S = 4
"""A worker not heard of for so long is gone."""

LEASE_TTL_S = 10
LEASE_RENEW_S = 3.0
"""How often a web process renews the places of its sessions."""


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker with a loaded model says of itself, every `HEARTBEAT_S`."""

    worker_id: str
    model: str
    device: str
    compute_type: str
    threads: int
    avg_partial_ms: float
    avg_final_ms: float
    """Moving averages of what a decode costs the model."""
    metrics: str
    """The worker's Prometheus exposition."""


heartbeat_decoder: msgspec.json.Decoder[Heartbeat] = msgspec.json.Decoder(Heartbeat)


def worker_key(worker_id: str) -> str:
    """Where a worker's heartbeat lies in Redis."""
    return f"stt:worker:{worker_id}"


WORKERS_KEY = "stt:workers"
"""Set of the ids of workers that may be live."""
