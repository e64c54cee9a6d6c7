"""Every metric that a web process counts itself; `cluster/collector.py` adds the cluster's and the workers' when asked.

`docs/metrics.md` lists them all; a test holds it to both files and to the workers'.
"""

from prometheus_client import Counter, Gauge, Histogram

TIMING_STAGES = ("preprocess", "queue_wait", "inference", "postprocess", "server_total")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)

sessions_active = Gauge("stt_sessions_active", "Sessions of this process")
talkers_active = Gauge("stt_talkers_active", "Sessions of this process with an utterance open")
sessions_total = Counter("stt_sessions_total", "Sessions ended, by reason", ["reason"])
dialect_connections_total = Counter(
    "stt_dialect_connections_total", "Connections in another service's protocol, by dialect", ["dialect"]
)
call_listeners = Gauge("stt_call_listeners", "Connections of this process that listen to a call")
handshakes_total = Counter("stt_handshakes_total", "WebSocket handshakes, by outcome", ["outcome"])
admissions_total = Counter("stt_admissions_total", "Answers to start_session", ["outcome"])
errors_total = Counter("stt_errors_total", "Error messages sent, by code", ["code"])
audio_seconds_total = Counter("stt_audio_seconds_total", "Audio received")
jobs_total = Counter("stt_jobs_total", "Jobs by kind and outcome, as the web process sees them", ["kind", "outcome"])
# there from the start, so that the first of them is a rise that Prometheus sees
for _code in ("MAX_SESSIONS_REACHED", "QUEUE_FULL", "QUEUE_CONGESTION", "SESSION_EXISTS"):
    admissions_total.labels(_code)
for _outcome in ("no_key", "bad_key", "origin", "unavailable", "no_queue"):
    handshakes_total.labels(_outcome)
for _kind in ("partial", "final", "recorded"):
    jobs_total.labels(_kind, "resent")
stage_seconds = Histogram("stt_stage_seconds", "Latency of transcripts by stage", ["kind", "stage"], buckets=_SECONDS)
final_predicted_seconds = Histogram(
    "stt_final_predicted_seconds", "What finals were predicted to take when they were sent", buckets=_SECONDS
)
final_actual_seconds = Histogram("stt_final_actual_seconds", "What the same finals took", buckets=_SECONDS)
speculations_total = Counter(
    "stt_speculations_total",
    "Finals decoded ahead of the endpoint: used, kept as a beginning, or neither",
    ["outcome"],
)
input_pauses_total = Counter("stt_input_pauses_total", "Times a client was not read from, its messages waiting")
slow_readers_total = Counter("stt_slow_readers_total", "Connections closed because the client did not read")
connections_refused_total = Counter("stt_connections_refused_total", "Handshakes refused at STT_MAX_CONNECTIONS")
bodies_refused_total = Counter("stt_bodies_refused_total", "HTTP requests refused for a body over 1 MiB")
publish_seconds = Histogram("stt_publish_seconds", "Publishing jobs, one round trip", buckets=_SECONDS)
upload_bytes = Gauge(
    "stt_upload_bytes",
    "Bytes of uploads, and of live streams in containers, that this process holds and has not decoded",
)
unstored_bytes = Gauge("stt_unstored_audio_bytes", "Audio of this process not yet in Redis")
records_pending = Gauge("stt_records_pending", "Audit records not yet in the database")
records_lost_total = Counter("stt_records_lost_total", "Audit records that could not be written")
