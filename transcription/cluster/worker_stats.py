"""What a worker did between two heartbeats."""

from transcription.core.contract.heartbeat import Tally


def between(before: Tally, after: Tally, seconds: float) -> dict[str, float]:
    """`load` (lanes at work, about) and `batch_size` (the one a request was in, on average)."""
    decoded, shared = after.decoded - before.decoded, after.shared - before.shared
    if decoded <= 0:
        return {"load": 0.0, "batch_size": 0.0}
    batch_size = shared / decoded
    load = (after.decode_s - before.decode_s) / batch_size / seconds
    return {"load": round(load, 2), "batch_size": round(batch_size, 2)}
