"""Every metric of a worker, in its own registry; the web process shows them with a `worker` label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

registry = CollectorRegistry()
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)

jobs_total = Counter("stt_worker_jobs_total", "Jobs by kind and outcome", ["kind", "outcome"], registry=registry)
decode_seconds = Histogram(
    "stt_worker_decode_seconds", "The model, a batch", ["kind"], buckets=_SECONDS, registry=registry
)
wait_seconds = Histogram(
    "stt_worker_wait_seconds", "Waiting for the model inside the worker", ["kind"], buckets=_SECONDS, registry=registry
)
fetch_seconds = Histogram("stt_worker_fetch_seconds", "Reading a job's audio", buckets=_SECONDS, registry=registry)
batch_size = Histogram("stt_worker_batch_size", "Requests a batch", buckets=(1, 2, 4, 8, 16, 32), registry=registry)
dropped_total = Counter(
    "stt_worker_dropped_total",
    "Finals left empty because nobody said what the model wrote",
    ["reason"],
    registry=registry,
)
not_decoded_total = Counter(
    "stt_worker_not_decoded_total", "Jobs without speech, which the model was spared", ["kind"], registry=registry
)
audio_seconds_total = Counter("stt_worker_audio_seconds_total", "Audio decoded", ["kind"], registry=registry)
turn_seconds = Histogram("stt_worker_turn_seconds", "The turn model, a judgement", buckets=_SECONDS, registry=registry)
turns_total = Counter("stt_worker_turns_total", "Turns given to the turn model", ["outcome"], registry=registry)
jobs_running = Gauge("stt_worker_jobs_running", "Jobs in hand", registry=registry)
model_info = Gauge("stt_worker_model_info", "The loaded model", ["model", "device", "compute_type"], registry=registry)


def exposition() -> str:
    """The registry in Prometheus' text format."""
    return generate_latest(registry).decode()
