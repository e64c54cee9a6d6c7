"""What a worker's heartbeat says of it, as figures for a table."""

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from transcription.core.cluster import Heartbeat


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """A worker at one moment. Sums are since it started; two moments give the figures between them."""

    worker_id: str
    model: str
    device: str
    compute_type: str
    threads: int
    avg_partial_ms: float
    avg_final_ms: float
    running: int
    """Jobs in hand."""
    done: int
    failed: int
    decoded: int
    """Requests decoded."""
    shared: int
    """Over those, the sizes of the batches they were in."""
    decode_s: float
    """Over those, how long the batches they were in took."""

    @property
    def batch_size(self) -> float:
        """The batch a request was in, on average."""
        return round(self.shared / self.decoded, 2) if self.decoded else 0.0

    def since(self, before: "WorkerFigures", seconds: float) -> dict[str, float]:
        """Between two moments: `load` (lanes at work, about) and `batch_size`."""
        decoded, shared = self.decoded - before.decoded, self.shared - before.shared
        if decoded <= 0:
            return {"load": 0.0, "batch_size": 0.0}
        batch_size = shared / decoded
        load = (self.decode_s - before.decode_s) / batch_size / seconds
        return {"load": round(load, 2), "batch_size": round(batch_size, 2)}


def figures(beat: Heartbeat) -> WorkerFigures:
    """Read a heartbeat; what its metrics do not have counts as none."""
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(beat.metrics):
        for sample in family.samples:
            outcome = sample.labels.get("outcome")
            name = f"{sample.name}:{outcome}" if outcome else sample.name
            sums[name] = sums.get(name, 0.0) + sample.value
    return WorkerFigures(
        worker_id=beat.worker_id,
        model=beat.model,
        device=beat.device,
        compute_type=beat.compute_type,
        threads=beat.threads,
        avg_partial_ms=round(beat.avg_partial_ms, 1),
        avg_final_ms=round(beat.avg_final_ms, 1),
        running=int(sums.get("stt_worker_jobs_running", 0)),
        done=int(sums.get("stt_worker_jobs_total:done", 0)),
        failed=int(sums.get("stt_worker_jobs_total:failed", 0)),
        decoded=int(sums.get("stt_worker_batch_size_count", 0)),
        shared=int(sums.get("stt_worker_batch_size_sum", 0)),
        decode_s=sums.get("stt_worker_decode_seconds_sum", 0.0),
    )
