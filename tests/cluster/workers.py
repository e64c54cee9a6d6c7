"""Workers that are only heard of: their heartbeats, as Redis holds them."""

import msgspec
import redis

from transcription.core.contract import keyspace
from transcription.core.contract.heartbeat import Cost, Heartbeat

BEAT = Heartbeat(
    worker_id="w1", model="tiny", device="cpu", compute_type="int8", threads=4, lanes=1, max_batch=8,
    avg_partial_ms=40.0, avg_final_ms=100.0, partial_cost=Cost(base_ms=40.0), final_cost=Cost(base_ms=100.0),
    handling_ms=10.0, final_rate=0.0, metrics="",
)  # fmt: skip


def announce(client: redis.Redis, worker_id: str = "w1", **fields: object) -> Heartbeat:
    """Have a worker's heartbeat in Redis, which does not lapse."""
    beat = msgspec.structs.replace(BEAT, worker_id=worker_id, **fields)
    client.sadd(keyspace.WORKERS_KEY, worker_id)
    client.set(keyspace.worker_key(worker_id), msgspec.json.encode(beat))
    return beat
